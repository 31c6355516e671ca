/* SPDX-License-Identifier: Apache-2.0 */
#include "keymgmt/card_protocol.h"
#include <string.h>

struct reader {
	const uint8_t *at;
	size_t left;
	bool short_of;
};

static uint8_t take(struct reader *reader)
{
	if (!reader->left) {
		reader->short_of = true;
		return 0;
	}
	reader->left--;
	return *reader->at++;
}

/* TA, TB, TC of one group; `group` counts from 1, `protocol` is that of the TD before. */
static void take_group(struct reader *reader, uint8_t present, unsigned group, uint8_t protocol, bool *seen_t1,
	struct card_atr *atr)
{
	bool t1 = group > 2 && protocol == 1 && !*seen_t1;
	uint8_t value;

	if (present & 0x10) {
		value = take(reader);
		if (group == 1)
			atr->speed = value;
		if (group == 2) {
			atr->specific = true;
			atr->first = value & 0x0f;
			/* Bit 5: parameters are not those of TA1 but implied, whatever that is. */
			if (value & 0x10)
				atr->speed = 0x11;
		}
		if (t1)
			atr->block = value;
	}
	if (present & 0x20) {
		value = take(reader);
		if (t1)
			atr->waiting_t1 = value;
	}
	if (present & 0x40) {
		value = take(reader);
		if (group == 1)
			atr->guard = value;
		if (group == 2)
			atr->waiting_t0 = value;
		if (t1)
			atr->crc = value & 1;
	}
	*seen_t1 = *seen_t1 || t1;
}

/* The interface bytes; the protocols that were named as a bit mask. */
static uint32_t take_groups(struct reader *reader, uint8_t present, struct card_atr *atr)
{
	uint8_t protocol = 0, first = 0;
	uint32_t named = 0;
	bool seen_t1 = false;

	for (unsigned group = 1; !reader->short_of; group++) {
		take_group(reader, present, group, protocol, &seen_t1, atr);
		if (!(present & 0x80))
			break;
		present = take(reader);
		protocol = present & 0x0f;
		named |= 1u << protocol;
		if (group == 1)
			first = protocol;
	}
	if (!atr->specific)
		atr->first = first;
	return named;
}

static bool sums_up(const uint8_t *at, size_t bytes)
{
	uint8_t sum = 0;

	for (size_t i = 0; i < bytes; i++)
		sum ^= at[i];
	return !sum;
}

bool card_parse_atr(const uint8_t *data, size_t bytes, struct card_atr *atr)
{
	struct reader reader = {.at = data, .left = bytes};
	uint8_t convention = take(&reader), format = take(&reader);
	uint32_t named;
	size_t history = format & 0x0f;

	*atr = (struct card_atr){.speed = 0x11, .waiting_t0 = 10, .waiting_t1 = 0x4d, .block = 32};
	if (convention != 0x3b && convention != 0x3f)
		return false;
	atr->inverse = convention == 0x3f;
	named = take_groups(&reader, format, atr);
	/* T=15 stands for bytes that hold for all protocols. TCK is absent when T=0 is the only one. */
	atr->protocols = named & 0x7fff ? named & 0x7fff : 1;
	if (named & ~1u)
		history++;
	if (reader.short_of || reader.left != history || !atr->block || atr->block == 0xff)
		return false;
	if (!atr->specific)
		atr->speed = 0x11;
	return !(named & ~1u) || sums_up(data + 1, bytes - 1);
}
