/* SPDX-License-Identifier: Apache-2.0 */
#include "hv/boot/smbios.h"
#include <string.h>

enum { TYPE_SYSTEM = 1, TYPE_END = 127 };
enum { HEADER_BYTES = 4, SYSTEM_MAKER = 4, SYSTEM_PRODUCT = 5, SYSTEM_SERIAL = 7 };

/* A structure: its formatted part, and the strings behind it, each with its end, and an empty one behind the last. */
struct structure {
	const uint8_t *at;
	size_t formatted, bytes;
};

static bool next_structure(struct structure *structure, const uint8_t *table, size_t bytes)
{
	size_t end;

	if (bytes < HEADER_BYTES || table[1] < HEADER_BYTES || table[1] > bytes)
		return false;
	structure->at = table;
	structure->formatted = table[1];
	for (end = structure->formatted; end + 2 <= bytes; end++) {
		if (table[end] || table[end + 1])
			continue;
		structure->bytes = end + 2;
		return true;
	}
	return false;
}

static void trim(char *text, size_t length)
{
	while (length && text[length - 1] == ' ')
		length--;
	text[length] = 0;
}

/* Strings are counted from 1. */
static void get_string(char text[SMBIOS_TEXT], const struct structure *structure, size_t field)
{
	const char *at = (const char *)structure->at + structure->formatted, *end = (const char *)structure->at + structure->bytes;
	unsigned number = field < structure->formatted ? structure->at[field] : 0;
	size_t length = 0;

	text[0] = 0;
	if (!number)
		return;
	while (--number) {
		while (at < end && *at)
			at++;
		if (at == end || ++at == end || !*at)
			return;
	}
	for (; at < end && *at && length + 1 < SMBIOS_TEXT; at++)
		text[length++] = *at >= ' ' && *at <= '~' ? *at : '?';
	trim(text, length);
}

bool smbios_system(struct smbios_system *system, const uint8_t *table, size_t bytes)
{
	struct structure structure;

	memset(system, 0, sizeof(*system));
	while (next_structure(&structure, table, bytes) && structure.at[0] != TYPE_END) {
		if (structure.at[0] == TYPE_SYSTEM) {
			get_string(system->maker, &structure, SYSTEM_MAKER);
			get_string(system->product, &structure, SYSTEM_PRODUCT);
			get_string(system->serial, &structure, SYSTEM_SERIAL);
			return true;
		}
		table += structure.bytes;
		bytes -= structure.bytes;
	}
	return false;
}
