/* SPDX-License-Identifier: Apache-2.0 */
#include "hv/boot/layout.h"
#include <stddef.h>

#define KEYS 47

/* The keys of the main block in the order of a US keyboard, each row from the left; 0 where a key gives nothing. */
struct keys {
	uint16_t plain[KEYS + 1], shifted[KEYS + 1];
};

/* Pairs: the key by its US character, and what the right Alt key makes of it. */
#define MAX_ALT_GR 12
struct alt_gr {
	uint16_t key, character;
};

static const struct {
	const char *key, *name;
	struct keys keys;
	struct alt_gr alt_gr[MAX_ALT_GR + 1];
} layouts[LAYOUT_COUNT] = {
	[LAYOUT_US] = {"us", "US",
		{u"`1234567890-=qwertyuiop[]\\asdfghjkl;'zxcvbnm,./",
			u"~!@#$%^&*()_+QWERTYUIOP{}|ASDFGHJKL:\"ZXCVBNM<>?"},
		{{0, 0}}},
	[LAYOUT_UK] = {"uk", "UK",
		{u"`1234567890-=qwertyuiop[]#asdfghjkl;'zxcvbnm,./",
			u"¬!\"£$%^&*()_+QWERTYUIOP{}~ASDFGHJKL:@ZXCVBNM<>?"},
		{{'`', u'¦'}, {'4', u'€'}, {'e', u'é'}, {'u', u'ú'}, {'i', u'í'}, {'o', u'ó'}, {'a', u'á'}}},
	[LAYOUT_DE] = {"de", "German",
		{u"^1234567890ß´qwertzuiopü+#asdfghjklöäyxcvbnm,.-",
			u"°!\"§$%&/()=?`QWERTZUIOPÜ*'ASDFGHJKLÖÄYXCVBNM;:_"},
		{{'2', u'²'}, {'3', u'³'}, {'7', '{'}, {'8', '['}, {'9', ']'}, {'0', '}'}, {'-', '\\'}, {'q', '@'},
			{'e', u'€'}, {']', '~'}, {'m', u'µ'}}},
	[LAYOUT_FR] = {"fr", "French",
		{u"²&é\"'(-è_çà)=azertyuiop^$*qsdfghjklmùwxcvbn,;:!",
			u"\0" u"1234567890°+AZERTYUIOP¨£µQSDFGHJKLM%WXCVBN?./§"},
		{{'2', '~'}, {'3', '#'}, {'4', '{'}, {'5', '['}, {'6', '|'}, {'7', '`'}, {'8', '\\'}, {'9', '^'}, {'0', '@'},
			{'-', ']'}, {'=', '}'}, {'e', u'€'}}},
	[LAYOUT_JP] = {"jp", "Japanese",
		{u"\0" u"1234567890-^qwertyuiop@[]asdfghjkl;:zxcvbnm,./",
			u"\0" u"!\"#$%&'()\0=~QWERTYUIOP`{}ASDFGHJKL+*ZXCVBNM<>?"},
		{{0, 0}}},
};

const char *layout_word(enum layout layout)
{
	return layouts[layout].key;
}

const char *layout_name(enum layout layout)
{
	return layouts[layout].name;
}

/* The place of `c` in a row of keys, or -1. */
static int place_of(const uint16_t *row, uint16_t c)
{
	for (int i = 0; i < KEYS; i++)
		if (row[i] == c)
			return i;
	return -1;
}

static uint16_t with_alt_gr(enum layout layout, uint16_t c)
{
	for (const struct alt_gr *pair = layouts[layout].alt_gr; pair->key; pair++)
		if (pair->key == c)
			return pair->character;
	return 0;
}

uint16_t layout_character(enum layout layout, uint16_t c, bool alt_gr)
{
	const struct keys *us = &layouts[LAYOUT_US].keys, *keys = &layouts[layout].keys;
	int plain = place_of(us->plain, c), shifted = place_of(us->shifted, c);

	if (alt_gr && layout != LAYOUT_US && plain >= 0)
		return with_alt_gr(layout, c);
	if (plain >= 0)
		return keys->plain[plain];
	return shifted >= 0 ? keys->shifted[shifted] : c;
}
