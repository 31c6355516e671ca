/* SPDX-License-Identifier: Apache-2.0 */
/* PBKDF2 (RFC 8018, 5.2) with HMAC-SHA-256 or HMAC-SHA-512. */
#ifndef KEYMGMT_PBKDF2_H
#define KEYMGMT_PBKDF2_H

#include "storage/crypt/hash.h"

/* Derives `key_bytes` bytes; `iterations` is at least 1. */
void pbkdf2(enum hash_kind kind, const void *passphrase, size_t passphrase_bytes, const void *salt,
	size_t salt_bytes, uint32_t iterations, uint8_t *key, size_t key_bytes);

#endif
