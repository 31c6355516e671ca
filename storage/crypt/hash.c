/* SPDX-License-Identifier: Apache-2.0 */
#include "storage/crypt/hash.h"
#include "storage/crypt/wipe.h"

size_t hash_bytes(enum hash_kind kind)
{
	return kind == HASH_SHA256 ? SHA256_BYTES : SHA512_BYTES;
}

size_t hash_block_bytes(enum hash_kind kind)
{
	return kind == HASH_SHA256 ? 64 : 128;
}

void hash_init(struct hash *hash, enum hash_kind kind)
{
	hash->kind = kind;
	if (kind == HASH_SHA256)
		SHA256_Init(&hash->state.sha256);
	else
		SHA512_Init(&hash->state.sha512);
}

void hash_update(struct hash *hash, const void *data, size_t bytes)
{
	if (hash->kind == HASH_SHA256)
		SHA256_Update(&hash->state.sha256, data, bytes);
	else
		SHA512_Update(&hash->state.sha512, data, bytes);
}

void hash_final(struct hash *hash, uint8_t *digest)
{
	if (hash->kind == HASH_SHA256)
		SHA256_Final(digest, &hash->state.sha256);
	else
		SHA512_Final(digest, &hash->state.sha512);
	secret_wipe(hash, sizeof(*hash));
}
