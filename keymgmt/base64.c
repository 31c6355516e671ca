/* SPDX-License-Identifier: Apache-2.0 */
#include "keymgmt/base64.h"

size_t base64_encode(const uint8_t *data, size_t bytes, uint8_t *text)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t at = 0; at < bytes; at += 3) {
		size_t left = bytes - at;
		uint32_t group = (uint32_t)data[at] << 16 | (left > 1 ? (uint32_t)data[at + 1] << 8 : 0) |
				 (left > 2 ? data[at + 2] : 0);

		*text++ = (uint8_t)alphabet[group >> 18];
		*text++ = (uint8_t)alphabet[group >> 12 & 63];
		*text++ = left > 1 ? (uint8_t)alphabet[group >> 6 & 63] : '=';
		*text++ = left > 2 ? (uint8_t)alphabet[group & 63] : '=';
	}
	return BASE64_BYTES(bytes);
}
