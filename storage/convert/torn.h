/* SPDX-License-Identifier: Apache-2.0 */
/* Finds out what a power cut left of one unit that was being encrypted. */
#ifndef STORAGE_CONVERT_TORN_H
#define STORAGE_CONVERT_TORN_H

#include "storage/convert/convert.h"

/*
 * `unit` is what the medium holds at `offset` of the volume: each 512-byte piece
 * of it is plaintext or ciphertext, in any mixture. Replaces it by the plaintext
 * whose SHA-256 is `sum`; a `sum` of zeroes stands for ciphertext throughout, the
 * checksum having been cleared after the data was durable. Returns 0, or -1 when no mixture gives that
 * checksum; `unit` is unchanged then. `bytes` is at most CONVERT_UNIT_MAX.
 */
int torn_restore(const struct convert *convert, uint64_t offset, uint8_t *unit, size_t bytes,
	const uint8_t sum[SUM_BYTES]);

#endif
