/* SPDX-License-Identifier: Apache-2.0 */
#include "storage/convert/torn.h"
#include "storage/crypt/wipe.h"
#include "storage/port.h"

static void decrypt(
	const struct convert *c, uint64_t offset, const uint8_t *source, uint8_t *target, size_t bytes)
{
	struct port_vectors vectors;

	port_vectors_save(&vectors);
	xts_decrypt(c->key, offset / 512, c->sector_size, source, target, bytes);
	port_vectors_restore(&vectors);
}

/*
 * XTS works on 16-byte blocks, each with a tweak of its own, so a piece of a
 * 4096-byte sector decrypts the same whatever its neighbours hold: `decrypted`
 * has the right plaintext wherever the medium has ciphertext. Bit p of `mask`
 * takes piece p from there.
 */
static void mix(uint8_t *target, const uint8_t *read, const uint8_t *decrypted, size_t bytes, unsigned mask)
{
	for (size_t p = 0; p * CONVERT_PIECE < bytes; p++) {
		size_t at = p * CONVERT_PIECE;

		memcpy(target + at, (mask >> p & 1 ? decrypted : read) + at, CONVERT_PIECE);
	}
}

int torn_restore(
	const struct convert *c, uint64_t offset, uint8_t *unit, size_t bytes, const uint8_t sum[SUM_BYTES])
{
	static const uint8_t cleared[SUM_BYTES];
	uint8_t decrypted[CONVERT_UNIT_MAX], candidate[CONVERT_UNIT_MAX];
	unsigned all = (1u << bytes / CONVERT_PIECE) - 1;
	uint8_t digest[SUM_BYTES];
	int result = -1;

	sum_sha256(unit, bytes, digest);
	if (!memcmp(digest, sum, sizeof digest))
		return 0;
	decrypt(c, offset, unit, decrypted, bytes);
	if (!memcmp(sum, cleared, sizeof cleared)) {
		memcpy(unit, decrypted, bytes);
		result = 0;
	}
	/* Wholly written is by far the likeliest, so count down from there. */
	for (unsigned mask = all; mask && result; mask--) {
		mix(candidate, unit, decrypted, bytes, mask);
		sum_sha256(candidate, bytes, digest);
		if (!memcmp(digest, sum, sizeof digest)) {
			memcpy(unit, candidate, bytes);
			result = 0;
		}
	}
	secret_wipe(decrypted, sizeof decrypted);
	secret_wipe(candidate, sizeof candidate);
	return result;
}
