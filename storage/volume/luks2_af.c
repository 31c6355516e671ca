/* SPDX-License-Identifier: Apache-2.0 */
/* LUKS1's anti-forensic splitter, the merging side (LUKS1 On-Disk Format 1.2.3, 2.4). */
#include "storage/crypt/wipe.h"
#include "storage/volume/luks2.h"
#include <string.h>

/* H1: every digest-sized part of the block is replaced by the hash of its number and itself. */
static void diffuse(uint8_t *block, size_t bytes, enum hash_kind kind)
{
	uint8_t digest[HASH_MAX_BYTES];
	struct hash hash;

	for (uint32_t i = 0; bytes; i++) {
		const uint8_t number[4] = {
			(uint8_t)(i >> 24), (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i};
		size_t part = bytes < hash_bytes(kind) ? bytes : hash_bytes(kind);

		hash_init(&hash, kind);
		hash_update(&hash, number, sizeof(number));
		hash_update(&hash, block, part);
		hash_final(&hash, digest);
		memcpy(block, digest, part);
		block += part;
		bytes -= part;
	}
	secret_wipe(digest, sizeof(digest));
}

void luks2_af_merge(
	const uint8_t *split, uint32_t stripes, enum hash_kind hash, uint8_t *key, size_t key_bytes)
{
	memset(key, 0, key_bytes);
	for (uint32_t stripe = 0; stripe < stripes; stripe++) {
		if (stripe)
			diffuse(key, key_bytes, hash);
		for (size_t i = 0; i < key_bytes; i++)
			key[i] ^= *split++;
	}
}
