/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/guest/lib/internal.h"

#define MAX_OPTIONS 32

static struct {
	const char *key, *value;
} options[MAX_OPTIONS];
static uint32_t option_count;

static char *end_of(char *text, char stop)
{
	while (*text && *text != stop && *text != '\n' && *text != '\r')
		text++;
	return text;
}

void options_set(char *text)
{
	while (*text && option_count < MAX_OPTIONS) {
		char *equals = end_of(text, '='), *end = end_of(text, '\n');
		bool more = *end;

		*end = 0;
		if (*equals == '=') {
			*equals = 0;
			options[option_count].key = text;
			options[option_count++].value = equals + 1;
		}
		text = more ? end + 1 : end;
	}
}

const char *option(const char *key)
{
	for (uint32_t i = 0; i < option_count; i++)
		if (!strcmp(options[i].key, key))
			return options[i].value;
	return NULL;
}

static unsigned digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned)(c - '0');
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10) : 16;
}

uint64_t option_number(const char *key, uint64_t otherwise)
{
	const char *text = option(key);
	unsigned base = 10;
	uint64_t value = 0;

	if (!text || !*text)
		return otherwise;
	if (text[0] == '0' && (text[1] | 0x20) == 'x') {
		base = 16;
		text += 2;
	}
	for (; *text; text++) {
		if (digit_of(*text) >= base)
			return otherwise;
		value = value * base + digit_of(*text);
	}
	return value;
}
