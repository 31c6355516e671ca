/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/guest/hostile/hostile.h"

#define CLASS_AHCI 0x010601u

struct places places;

void places_find(void)
{
	if (beneath())
		own_memory(&places.own, &places.own_bytes);
	places.above_ram = 1ull << 37;
	places.hba = pci_find_class(CLASS_AHCI);
	if (places.hba < 0)
		guest_fail("no HBA");
	places.abar = pci_config_read(0, (uint8_t)(places.hba >> 3), places.hba & 7, 0x24) & ~0xfffull;
	places.index_port = pci_config_read(0, (uint8_t)(places.hba >> 3), places.hba & 7, 0x20) & 0xffe0;
	places.guarded_first = option_number("guarded_first", 0);
	places.guarded_last = option_number("guarded_last", 0);
	print("own memory = %lx of %lx\nhba = %x at %lx, ports at %x\n", places.own, places.own_bytes, places.hba, places.abar,
	      places.index_port);
}
