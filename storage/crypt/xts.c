/* SPDX-License-Identifier: Apache-2.0 */
#include "storage/crypt/libcrypto.h"
#include "storage/crypt/wipe.h"
#include <string.h>

/* AES_KEY of libcrypto: 60 round-key words, then the number of rounds. */
_Static_assert(offsetof(struct xts_schedule, rounds) == 240, "libcrypto reads the rounds here");
_Static_assert(sizeof(struct xts_schedule) == 256, "each schedule stays 16-byte aligned");

typedef void xts_unit(const uint8_t *source, uint8_t *target, size_t bytes, const struct xts_schedule *data,
	const struct xts_schedule *tweak_key, const uint8_t tweak[16]);

/* Without a branch on key bytes, though only equal halves would show. */
static int halves_equal(const uint8_t *key, size_t half)
{
	uint8_t difference = 0;

	for (size_t i = 0; i < half; i++)
		difference |= key[i] ^ key[half + i];
	return difference == 0;
}

int xts_key_init(struct xts_key *schedule, const uint8_t *key, size_t bytes)
{
	size_t half = bytes / 2;
	int bits = (int)half * 8;

	if (bytes != 32 && bytes != 64)
		return -1;
	if (halves_equal(key, half))
		return -1;
	memset(schedule, 0, sizeof(*schedule));
	if (aesni_set_encrypt_key(key, bits, &schedule->encrypt) ||
		aesni_set_decrypt_key(key, bits, &schedule->decrypt) ||
		aesni_set_encrypt_key(key + half, bits, &schedule->tweak)) {
		secret_wipe(schedule, sizeof(*schedule));
		return -1;
	}
	return 0;
}

/* plain64: the low 64 bits of the tweak count 512-byte units, whatever the sector size. */
static void run(xts_unit *unit, const struct xts_schedule *data, const struct xts_key *key, uint64_t tweak,
	uint32_t sector_size, const uint8_t *source, uint8_t *target, size_t bytes)
{
	uint64_t block[2] = {tweak, 0}; /* little endian, as is this processor */

	for (; bytes >= sector_size; bytes -= sector_size) {
		unit(source, target, sector_size, data, &key->tweak, (const uint8_t *)block);
		block[0] += sector_size / 512;
		source += sector_size;
		target += sector_size;
	}
}

void xts_encrypt(const struct xts_key *key, uint64_t tweak, uint32_t sector_size, const void *source,
	void *target, size_t bytes)
{
	run(aesni_xts_encrypt, &key->encrypt, key, tweak, sector_size, source, target, bytes);
}

void xts_decrypt(const struct xts_key *key, uint64_t tweak, uint32_t sector_size, const void *source,
	void *target, size_t bytes)
{
	run(aesni_xts_decrypt, &key->decrypt, key, tweak, sector_size, source, target, bytes);
}
