/* SPDX-License-Identifier: Apache-2.0 */
/* HMAC (RFC 2104) over SHA-256 or SHA-512. */
#ifndef KEYMGMT_HMAC_H
#define KEYMGMT_HMAC_H

#include "storage/crypt/hash.h"

/* A keyed state; it may be copied to start several messages under one key. */
struct hmac {
	struct hash inner, outer;
};

void hmac_init(struct hmac *hmac, enum hash_kind kind, const void *key, size_t key_bytes);
void hmac_update(struct hmac *hmac, const void *data, size_t bytes);
/* Writes hash_bytes(kind) bytes; the state is wiped. */
void hmac_final(struct hmac *hmac, uint8_t *mac);

#endif
