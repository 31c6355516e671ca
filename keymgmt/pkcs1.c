/* SPDX-License-Identifier: Apache-2.0 */
#include "keymgmt/pkcs1.h"

#define MIN_SEPARATOR 10 /* 00 02, then at least eight bytes of padding */

/* All ones or none, without a branch; both below 2^31. */
static uint32_t equal(uint32_t a, uint32_t b)
{
	return 0u - (((a ^ b) - 1) >> 31);
}

static uint32_t below(uint32_t a, uint32_t b)
{
	return 0u - ((a - b) >> 31);
}

/* Where the zero stands that ends the padding; beyond the end when there is none. */
static uint32_t find_separator(const uint8_t *block, uint32_t bytes)
{
	uint32_t found = 0, at = bytes;

	for (uint32_t i = 2; i < bytes; i++) {
		uint32_t here = equal(block[i], 0) & ~found;

		at = (at & ~here) | (i & here);
		found |= here;
	}
	return at;
}

size_t pkcs1_unpad(const uint8_t *block, size_t bytes, uint8_t *message)
{
	uint32_t size = (uint32_t)bytes, separator, right, length;

	if (bytes <= MIN_SEPARATOR || bytes > UINT16_MAX)
		return 0;
	separator = find_separator(block, size);
	right = equal(block[0], 0) & equal(block[1], 2) & ~below(separator, MIN_SEPARATOR) & below(separator, size);
	length = (size - separator - 1) & right;
	for (uint32_t i = 0; i < size; i++) {
		uint32_t byte = 0;

		for (uint32_t from = 0; from < size; from++)
			byte |= block[from] & equal(from, separator + 1 + i) & right;
		message[i] = (uint8_t)byte;
	}
	return length;
}
