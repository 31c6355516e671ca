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

/* The keys that every run ends with, and one of them that has a character. */
struct tail {
	size_t first, known;
};

static bool find_tail(struct tail *tail, const uint32_t *keys, size_t count)
{
	if (count < SCRUB_KEYS)
		return false;
	tail->first = count - SCRUB_KEYS;
	for (tail->known = tail->first; tail->known < count; tail->known++)
		if (keys[tail->known] >> 16)
			return true;
	return false;
}

static bool is_tail(const struct form *form, const uint8_t *memory, size_t bytes, size_t at, const uint32_t *keys)
{
	if (bytes - at < (SCRUB_KEYS - 1) * form->stride + form->width)
		return false;
	for (size_t i = 0; i < SCRUB_KEYS; i++)
		if (!is_key(memory + at + i * form->stride, form->width, keys[i]))
			return false;
	return true;
}

/* Overwrites the run whose tail has its known key's character at `at`. */
static size_t scrub_form(const struct form *form, uint8_t *memory, size_t bytes, size_t at, const uint32_t *keys, size_t count,
	const struct tail *tail)
{
	size_t first = tail->first, before = (tail->known - first) * form->stride + (form->width == 4 ? 2 : 0);

	if (at < before || !is_tail(form, memory, bytes, at - before, keys + first))
		return 0;
	at -= before;
	while (first && at >= form->stride && is_key(memory + at - form->stride, form->width, keys[first - 1])) {
		at -= form->stride;
		first--;
	}
	for (size_t i = 0; i < count - first; i++)
		memset(memory + at + i * form->stride, 0, form->width);
	return count - first;
}

size_t scrub(uint8_t *memory, size_t bytes, const uint32_t *keys, size_t count)
{
	size_t scrubbed = 0;
	struct tail tail;
	uint8_t known;

	if (!find_tail(&tail, keys, count))
		return 0;
	known = (uint8_t)(keys[tail.known] >> 16);
	for (size_t at = 0; at < bytes; at++) {
		if (memory[at] != known)
			continue;
		for (size_t i = 0; i < FORMS; i++)
			scrubbed += scrub_form(&forms[i], memory, bytes, at, keys, count, &tail);
	}
	return scrubbed;
}
