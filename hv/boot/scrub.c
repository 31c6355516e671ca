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

#define ESCAPE 27

#define FORMS (sizeof(forms) / sizeof(forms[0]))

/* Keys without a character are a terminal's escape sequences. */
static uint16_t character_of(uint32_t key)
{
	return key >> 16 ? (uint16_t)(key >> 16) : ESCAPE;
}

static bool is_key(const uint8_t *at, size_t width, uint32_t key)
{
	uint16_t character = character_of(key);

	if (width == 1)
		return *at == character;
	return width == 2 ? !memcmp(at, &character, 2) : !memcmp(at, &key, 4);
}

/* Whether all the keys stand there. */
static bool is_run(const struct form *form, const uint8_t *at, const uint8_t *end, const uint32_t *keys, size_t count)
{
	if ((size_t)(end - at) < (count - 1) * form->stride + form->width)
		return false;
	for (size_t i = 0; i < count; i++)
		if (!is_key(at + i * form->stride, form->width, keys[i]))
			return false;
	return true;
}

static size_t scrub_at(uint8_t *at, const uint8_t *end, const uint32_t *keys, size_t count)
{
	for (size_t i = 0; i < FORMS; i++)
		for (size_t first = 0; first + SCRUB_KEYS <= count; first++) {
			if (!is_run(&forms[i], at, end, keys + first, count - first))
				continue;
			for (size_t key = 0; key < count - first; key++)
				memset(at + key * forms[i].stride, 0, forms[i].width);
			return count - first;
		}
	return 0;
}

size_t scrub(uint8_t *memory, size_t bytes, const uint32_t *keys, size_t count)
{
	bool typed[256] = {false};
	size_t scrubbed = 0;

	for (size_t i = 0; i < count; i++)
		typed[character_of(keys[i]) & 0xff] = true;
	for (size_t at = 0; at < bytes; at++) {
		/* A run begins with the byte of a key, or with the zeroes of its scan code. */
		bool structure = at + 4 <= bytes && !memory[at] && !memory[at + 1] && typed[memory[at + 2]];

		if (typed[memory[at]] || structure)
			scrubbed += scrub_at(memory + at, memory + bytes, keys, count);
	}
	/* Which characters there were is something, too. */
	memset(typed, 0, sizeof(typed));
	__asm__ volatile("" : : "r"(typed) : "memory");
	return scrubbed;
}
