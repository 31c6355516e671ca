/* SPDX-License-Identifier: Apache-2.0 */
#include "keymgmt/pbkdf2.h"
#include "keymgmt/hmac.h"
#include "storage/crypt/wipe.h"
#include <string.h>

/* One block T_i = U_1 ^ U_2 ^ ... of the derived key. */
static void derive_block(const struct hmac *keyed, const void *salt, size_t salt_bytes, uint32_t index,
	uint32_t iterations, uint8_t *sum)
{
	const uint8_t number[4] = {
		(uint8_t)(index >> 24), (uint8_t)(index >> 16), (uint8_t)(index >> 8), (uint8_t)index};
	size_t bytes = hash_bytes(keyed->inner.kind);
	uint8_t u[HASH_MAX_BYTES];
	struct hmac hmac = *keyed;

	hmac_update(&hmac, salt, salt_bytes);
	hmac_update(&hmac, number, sizeof(number));
	hmac_final(&hmac, u);
	memcpy(sum, u, bytes);
	while (--iterations) {
		hmac = *keyed;
		hmac_update(&hmac, u, bytes);
		hmac_final(&hmac, u);
		for (size_t i = 0; i < bytes; i++)
			sum[i] ^= u[i];
	}
	secret_wipe(u, sizeof(u));
}

void pbkdf2(enum hash_kind kind, const void *passphrase, size_t passphrase_bytes, const void *salt,
	size_t salt_bytes, uint32_t iterations, uint8_t *key, size_t key_bytes)
{
	uint8_t block[HASH_MAX_BYTES];
	struct hmac keyed;

	hmac_init(&keyed, kind, passphrase, passphrase_bytes);
	for (uint32_t index = 1; key_bytes; index++) {
		size_t part = key_bytes < hash_bytes(kind) ? key_bytes : hash_bytes(kind);

		derive_block(&keyed, salt, salt_bytes, index, iterations, block);
		memcpy(key, block, part);
		key += part;
		key_bytes -= part;
	}
	secret_wipe(block, sizeof(block));
	secret_wipe(&keyed, sizeof(keyed));
}
