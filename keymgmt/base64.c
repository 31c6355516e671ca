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

static int base64_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool base64_decode(const char *text, size_t length, uint8_t *out, size_t capacity, size_t *bytes)
{
	uint32_t bits = 0;
	size_t pad;

	if (length % 4 || length == 0)
		return false;
	pad = text[length - 1] != '=' ? 0 : text[length - 2] != '=' ? 1 : 2;
	*bytes = length / 4 * 3 - pad;
	if (*bytes > capacity)
		return false;
	for (size_t i = 0, done = 0; i < length; i++) {
		int value = i < length - pad ? base64_value(text[i]) : 0;

		if (value < 0)
			return false;
		bits = bits << 6 | (uint32_t)value;
		if (i % 4 != 3)
			continue;
		for (int shift = 16; shift >= 0; shift -= 8) {
			uint8_t byte = (uint8_t)(bits >> shift);

			if (done < *bytes)
				out[done++] = byte;
			else if (byte)
				return false; /* bits that mean nothing must be zero */
		}
	}
	return true;
}
