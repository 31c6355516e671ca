/* SPDX-License-Identifier: Apache-2.0 */
#include "hv/boot/scrub.h"
#include <stdbool.h>
#include <string.h>

/* How a queue holds keys: bytes from one to the next, and how many of them tell the key. */
static const struct form {
	size_t stride, width;
} forms[] = {
	{1, 1}, /* received bytes */
	{2, 2}, /* characters */
	{4, 4}, /* EFI_INPUT_KEY: scan code and character, 16 bits each */
	{12, 4}, /* EFI_KEY_DATA, its shift state and toggles behind */
	{16, 4}, /* the same, padded */
};

#define FORMS (sizeof(forms) / sizeof(forms[0]))

static bool is_key(const uint8_t *at, size_t width, uint16_t key)
{
	uint32_t structure = (uint32_t)key << 16;

	if (width == 1)
		return *at == key;
	return width == 2 ? !memcmp(at, &key, 2) : !memcmp(at, &structure, 4);
}

/* How many of the keys from `first` on stand at `at`. */
static size_t run_length(const struct form *form, const uint8_t *at, const uint8_t *end, const uint16_t *keys, size_t count)
{
	size_t length = 0;

	while (length < count && (size_t)(end - at) >= form->width && is_key(at, form->width, keys[length])) {
		length++;
		if ((size_t)(end - at) < form->stride)
			break;
		at += form->stride;
	}
	return length;
}

static size_t scrub_at(uint8_t *at, uint8_t *end, const uint16_t *keys, size_t count)
{
	size_t length = 0;

	for (size_t i = 0; i < FORMS && !length; i++) {
		for (size_t first = 0; first + SCRUB_KEYS <= count && !length; first++) {
			length = run_length(&forms[i], at, end, keys + first, count - first);
			if (length < SCRUB_KEYS)
				length = 0;
		}
		for (size_t key = 0; key < length; key++)
			memset(at + key * forms[i].stride, 0, forms[i].width);
	}
	return length;
}

size_t scrub(uint8_t *memory, size_t bytes, const uint16_t *keys, size_t count)
{
	bool typed[256] = {false};
	size_t scrubbed = 0;

	for (size_t i = 0; i < count; i++)
		typed[keys[i] & 0xff] = true;
	for (size_t at = 0; at < bytes; at++) {
		/* A key begins with its byte, or with the zeroes of its scan code. */
		bool structure = at + 4 <= bytes && !memory[at] && !memory[at + 1] && typed[memory[at + 2]];

		if (typed[memory[at]] || structure)
			scrubbed += scrub_at(memory + at, memory + bytes, keys, count);
	}
	/* Which characters there were is something, too. */
	memset(typed, 0, sizeof(typed));
	__asm__ volatile("" : : "r"(typed) : "memory");
	return scrubbed;
}
