/* SPDX-License-Identifier: Apache-2.0 */
#include "keymgmt/recovery_key.h"
#include "storage/crypt/wipe.h"

#define DIGITS (2 * RECOVERY_KEY_BYTES)
#define GROUP  8

static const char modhex[16] = {'c', 'b', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'n', 'r', 't', 'u', 'v'};

/* Puts digit number `at` of the text into its place, behind the dash that begins its group. */
static void put(char *text, unsigned at, char digit)
{
	unsigned place = at + at / GROUP;

	if (at && at % GROUP == 0)
		text[place - 1] = '-';
	text[place] = digit;
}

void recovery_key_text(const uint8_t key[RECOVERY_KEY_BYTES], char text[RECOVERY_KEY_TEXT])
{
	for (unsigned i = 0; i < DIGITS; i++)
		put(text, i, modhex[i % 2 ? key[i / 2] & 15 : key[i / 2] >> 4]);
}

static bool is_modhex(char c)
{
	for (unsigned i = 0; i < sizeof(modhex); i++)
		if (modhex[i] == c)
			return true;
	return false;
}

bool recovery_key_read(const void *typed, size_t bytes, char text[RECOVERY_KEY_TEXT])
{
	const char *from = typed;
	unsigned digits = 0;

	for (size_t i = 0; i < bytes && digits <= DIGITS; i++) {
		char c = from[i] >= 'A' && from[i] <= 'Z' ? (char)(from[i] + ('a' - 'A')) : from[i];

		if (c == '-' || c == ' ')
			continue;
		if (!is_modhex(c) || digits == DIGITS) {
			digits = DIGITS + 1;
			break;
		}
		put(text, digits++, c);
	}
	if (digits == DIGITS)
		return true;
	secret_wipe(text, RECOVERY_KEY_TEXT);
	return false;
}
