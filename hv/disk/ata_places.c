/* SPDX-License-Identifier: Apache-2.0 */
#include "hv/disk/ata_places.h"

#define PCI_IDENTITY    0x00
#define VENDOR_INTEL    0x8086u
#define BAR_IO          1u
#define NATIVE(channel) (1u << 2 * (channel)) /* of the programming interface */

static uint32_t config(const struct ata_function *function, uint16_t offset)
{
	return pci_read(function->bus, function->device, function->function, offset);
}

static uint8_t interface_of(const struct ata_function *function)
{
	return (uint8_t)(config(function, PCI_INTERFACE & ~3u) >> 8);
}

/* The first of `ports` ports, aligned as a BAR of that size is; 0 where it is none. */
static uint16_t bar(const struct ata_function *function, unsigned number, unsigned ports)
{
	uint32_t value = config(function, PCI_BAR(number));

	return value & BAR_IO && value < 0x10000 ? (uint16_t)(value & ~(ports - 1)) : 0;
}

bool ata_function_init(struct ata_function *function)
{
	function->has_bus_master = config(function, PCI_BAR(4)) & BAR_IO;
	return config(function, PCI_COMMAND) & PCI_COMMAND_IO;
}

const struct pci_range *ata_open_configuration(const struct ata_function *function, unsigned *count)
{
	/*
	 * PIIX3 to ICH10: IDETIM and SIDETIM, UDMACTL and UDMATIM, IDE_CONFIG; the switches of
	 * SATA ports. MAP, which makes another controller of it, is not among them.
	 */
	static const struct pci_range intel[] = {{0x40, 0x47}, {0x48, 0x4b}, {0x54, 0x57}, {0x92, 0x93}};

	*count = (uint16_t)config(function, PCI_IDENTITY) == VENDOR_INTEL ? sizeof(intel) / sizeof(intel[0]) : 0;
	return intel;
}

struct ata_places ata_fixed_places(const struct ata_function *function, unsigned channel)
{
	static const struct ata_places compatible[ATA_CHANNELS] = {{0x1f0, 0x3f6, 0}, {0x170, 0x376, 0}};

	return interface_of(function) & NATIVE(channel) ? (struct ata_places){0} : compatible[channel];
}

struct ata_places ata_current_places(const struct ata_function *function, unsigned channel)
{
	uint16_t control = bar(function, 2 * channel + 1, 4);
	uint16_t bus_master = function->has_bus_master ? bar(function, 4, ATA_CHANNELS * ATA_BUS_MASTER_PORTS) : 0;
	struct ata_places places = ata_fixed_places(function, channel);

	if (!places.command) {
		places.command = bar(function, 2 * channel, 8);
		places.control = control ? control + 2 : 0;
	}
	places.bus_master = bus_master ? (uint16_t)(bus_master + channel * ATA_BUS_MASTER_PORTS) : 0;
	return places;
}

bool ata_places_whole(const struct ata_function *function, struct ata_places places)
{
	return places.command && places.control && (places.bus_master || !function->has_bus_master);
}
