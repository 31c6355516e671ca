/* SPDX-License-Identifier: Apache-2.0 */
#include "keymgmt/ccid.h"
#include <string.h>

/* USB 2.0, 9.5 and 9.6; CCID 1.1, 5.1. */
enum { DESCRIPTOR_CONFIGURATION = 0x02, DESCRIPTOR_INTERFACE = 0x04, DESCRIPTOR_CCID = 0x21 };
enum { CONFIGURATION_BYTES = 9, INTERFACE_BYTES = 9, CCID_BYTES = 54 };

static uint32_t le32(const uint8_t *at)
{
	return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static const char *take(const uint8_t *at, struct ccid_description *description)
{
	static const struct {
		uint32_t feature;
		enum ccid_level level;
	} levels[] = {{0x40000, CCID_EXTENDED_APDU}, {0x20000, CCID_SHORT_APDU}, {0x10000, CCID_TPDU}};

	description->voltages = at[5];
	description->protocols = le32(at + 6);
	description->features = le32(at + 40);
	description->max_message = le32(at + 44);
	description->level = CCID_CHARACTERS;
	for (unsigned i = 0; i < sizeof(levels) / sizeof(levels[0]); i++)
		if (description->features & levels[i].feature) {
			description->level = levels[i].level;
			break;
		}
	/* Room for a short APDU: the class asks for no less. */
	if (description->max_message < CCID_MESSAGE_BYTES)
		return "its messages are too short";
	return NULL;
}

/* Whatever stands between the interface and the next one belongs to it; some readers put the endpoints first. */
const char *ccid_describe(
	const uint8_t *configuration, size_t bytes, uint8_t interface, struct ccid_description *description)
{
	bool inside = false;

	if (bytes < CONFIGURATION_BYTES || configuration[1] != DESCRIPTOR_CONFIGURATION ||
		(configuration[2] | (size_t)configuration[3] << 8) != bytes)
		return "its configuration descriptor is incomplete";
	for (size_t at = 0; at < bytes; at += configuration[at]) {
		const uint8_t *descriptor = configuration + at;

		if (bytes - at < 2 || descriptor[0] < 2 || descriptor[0] > bytes - at)
			return "its configuration descriptor is malformed";
		if (descriptor[1] == DESCRIPTOR_INTERFACE)
			inside = descriptor[0] >= INTERFACE_BYTES && descriptor[2] == interface;
		else if (inside && descriptor[1] == DESCRIPTOR_CCID && descriptor[0] >= CCID_BYTES)
			return take(descriptor, description);
	}
	return "it does not describe itself";
}
