/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the ports of an ATA controller are (PCI class 0101h). Each channel is in
 * compatibility mode, with the ports that are as old as the PC, or in native mode,
 * with those of BAR 0 to 3; the bus master is at BAR 4. PCI IDE Controller
 * Specification 1.0, Bus Master IDE 1.0.
 */
#ifndef HV_DISK_ATA_PLACES_H
#define HV_DISK_ATA_PLACES_H

#include "hv/core/pci.h"

#define ATA_CHANNELS         2
#define ATA_BUS_MASTER_PORTS 8 /* of each channel */

struct ata_function {
	uint8_t bus, device, function;
	bool has_bus_master;
};

/*
 * What the guest may write of the function's configuration space behind the header: the
 * timing of cables where it is known to be that. What is there else turns controllers
 * into others, with registers elsewhere, or resets them. `count` of them; never NULL.
 */
const struct pci_range *ata_open_configuration(const struct ata_function *function, unsigned *count);

/* Where the ports of a channel begin; 0 where they cannot be reached. */
struct ata_places {
	uint16_t command, control, bus_master;
};

/* Looks whether there is a bus master. False when the function does not decode its ports. */
bool ata_function_init(struct ata_function *function);

/* What the base addresses and the programming interface say now. */
struct ata_places ata_current_places(const struct ata_function *function, unsigned channel);

/*
 * Those of them that no base address names: in compatibility mode some controllers
 * answer there even when they are to decode no ports.
 */
struct ata_places ata_fixed_places(const struct ata_function *function, unsigned channel);

/* Whether every port has a place: a base address that is not set may still be decoded, at 0. */
bool ata_places_whole(const struct ata_function *function, struct ata_places places);

#endif
