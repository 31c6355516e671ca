/* SPDX-License-Identifier: Apache-2.0 */
#include "keymgmt/hmac.h"
#include "storage/crypt/wipe.h"
#include <string.h>

static void absorb_pad(struct hash *hash, enum hash_kind kind, const uint8_t *key, uint8_t pad)
{
	uint8_t block[HASH_MAX_BLOCK];
	size_t bytes = hash_block_bytes(kind);

	for (size_t i = 0; i < bytes; i++)
		block[i] = key[i] ^ pad;
	hash_init(hash, kind);
	hash_update(hash, block, bytes);
	secret_wipe(block, sizeof(block));
}

void hmac_init(struct hmac *hmac, enum hash_kind kind, const void *key, size_t key_bytes)
{
	uint8_t padded[HASH_MAX_BLOCK] = {0};

	if (key_bytes > hash_block_bytes(kind)) {
		hash_init(&hmac->inner, kind);
		hash_update(&hmac->inner, key, key_bytes);
		hash_final(&hmac->inner, padded);
	} else {
		memcpy(padded, key, key_bytes);
	}
	absorb_pad(&hmac->inner, kind, padded, 0x36);
	absorb_pad(&hmac->outer, kind, padded, 0x5c);
	secret_wipe(padded, sizeof(padded));
}

void hmac_update(struct hmac *hmac, const void *data, size_t bytes)
{
	hash_update(&hmac->inner, data, bytes);
}

void hmac_final(struct hmac *hmac, uint8_t *mac)
{
	uint8_t digest[HASH_MAX_BYTES];
	size_t bytes = hash_bytes(hmac->inner.kind);

	hash_final(&hmac->inner, digest);
	hash_update(&hmac->outer, digest, bytes);
	hash_final(&hmac->outer, mac);
	secret_wipe(digest, sizeof(digest));
}
