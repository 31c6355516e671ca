/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYMGMT_BASE64_H
#define KEYMGMT_BASE64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Characters of `bytes` bytes in base64, padded. */
#define BASE64_BYTES(bytes) (((bytes) + 2) / 3 * 4)

/*
 * Standard base64 with padding (RFC 4648, 4), no NUL: exactly BASE64_BYTES(bytes)
 * characters, which are returned. What was a secret still is one.
 */
size_t base64_encode(const uint8_t *data, size_t bytes, uint8_t *text);

/* The other way, padded and nothing else; false when it is malformed, empty, or longer than `capacity`. */
bool base64_decode(const char *text, size_t length, uint8_t *out, size_t capacity, size_t *bytes);

#endif
