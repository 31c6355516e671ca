/* SPDX-License-Identifier: Apache-2.0 */
/* The few facts the core wants of ACPI, read once from the firmware's tables (ACPI 6.4). */
#ifndef HV_CORE_ACPI_H
#define HV_CORE_ACPI_H

#include <stdbool.h>
#include <stdint.h>

#define ACPI_MAX_IO_APICS 8 /* more are not looked at */

struct acpi_facts {
	uint64_t ecam_base; /* MCFG, of segment 0; 0 when there is none */
	uint8_t ecam_first_bus, ecam_last_bus;
	uint16_t pm1a_control, pm1b_control; /* FADT; 0 when absent */
	uint16_t reset_port;                 /* FADT reset register when it is an I/O port, else 0 */
	uint8_t reset_value;
	uint64_t io_apic[ACPI_MAX_IO_APICS]; /* MADT: where their registers are */
	uint32_t io_apics;
	/* A bit for each SLP_TYPa that the DSDT and the SSDTs declare for \_S4 and \_S5: the ways to power off. */
	uint8_t off_types;
};

/* Of this machine; filled at start, constant afterwards. */
extern struct acpi_facts acpi_facts;

/* Reads the tables behind `rsdp`; 0, or -1 when the root tables make no sense. */
int acpi_read(uint64_t rsdp, struct acpi_facts *out);

#endif
