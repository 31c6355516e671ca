/* SPDX-License-Identifier: Apache-2.0 */
#include "storage/ata/supported.h"
#include <stddef.h>

/* Linux turns these to AHCI when it finds them (drivers/pci/quirks.c: quirk_amd_ide_mode, quirk_jmicron_ata). */
static const struct {
	uint16_t vendor, first, last;
	const char *what;
} turned[] = {
	{0x1002, 0x4380, 0x4380, "SB600"},
	{0x1002, 0x4390, 0x4390, "SB700, SB800"},
	{0x1022, 0x7800, 0x7800, "Hudson-2"},
	{0x1022, 0x7900, 0x7900, "its successors"},
	{0x197b, 0x2360, 0x236f, "JMB360 to JMB369"},
};

const char *ata_controller_refusal(uint16_t vendor, uint16_t device)
{
	for (unsigned i = 0; i < sizeof(turned) / sizeof(turned[0]); i++)
		if (turned[i].vendor == vendor && turned[i].first <= device && device <= turned[i].last)
			return "is on a controller in IDE mode that systems turn to AHCI as they start; "
			       "switch it to AHCI in the firmware setup";
	return NULL;
}
