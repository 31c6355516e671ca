/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/guest/lib/guest.h"

#define CONFIG_ADDRESS 0xcf8
#define CONFIG_DATA    0xcfc
#define CONFIG_ENABLE  (1u << 31)

static void select(uint8_t bus, uint8_t device, uint8_t function, uint16_t offset)
{
	port_out(CONFIG_ADDRESS, 4, CONFIG_ENABLE | (uint32_t)bus << 16 | (uint32_t)device << 11 |
					    (uint32_t)function << 8 | (offset & 0xfc));
}

uint32_t pci_config_read(uint8_t bus, uint8_t device, uint8_t function, uint16_t offset)
{
	select(bus, device, function, offset);
	return port_in(CONFIG_DATA, 4);
}

void pci_config_write(uint8_t bus, uint8_t device, uint8_t function, uint16_t offset, uint32_t value)
{
	select(bus, device, function, offset);
	port_out(CONFIG_DATA, 4, value);
}

volatile uint8_t *pci_ecam(uint8_t bus, uint8_t device, uint8_t function)
{
	if (!machine.ecam)
		return NULL;
	return (volatile uint8_t *)(machine.ecam + ((uint64_t)bus << 20) + ((uint64_t)device << 15) +
				    ((uint64_t)function << 12));
}

int pci_find_class(uint32_t class_code)
{
	for (int place = 0; place < 256; place++)
		if (pci_config_read(0, (uint8_t)(place >> 3), place & 7, 8) >> 8 == class_code)
			return place;
	return -1;
}
