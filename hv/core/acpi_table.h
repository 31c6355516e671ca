/* SPDX-License-Identifier: Apache-2.0 */
/* The firmware's ACPI tables as bytes: visited, read field by field, changed. ACPI 6.4, section 5.2. */
#ifndef HV_CORE_ACPI_TABLE_H
#define HV_CORE_ACPI_TABLE_H

#include <stdbool.h>
#include <stdint.h>

struct acpi_header {
	char signature[4];
	uint32_t length; /* of the whole table, between the header's and 16 MiB when it is visited */
	uint8_t revision, checksum;
	char oem[6], table[8];
	uint32_t oem_revision, creator, creator_revision;
} __attribute__((packed));

_Static_assert(sizeof(struct acpi_header) == 36, "ACPI 5.2.6");

/*
 * Visits every table behind `rsdp`: those of the XSDT, or of the RSDT where there
 * is none, and the DSDT. 0, or -1 when the root tables make no sense.
 */
int acpi_each(uint64_t rsdp, void (*visit)(struct acpi_header *table, void *context), void *context);

bool acpi_is(const struct acpi_header *table, const char signature[4]);

/* A little-endian field of up to 8 bytes; 0 when the table ends before it. */
uint64_t acpi_field(const struct acpi_header *table, uint32_t offset, uint32_t bytes);

/* Makes the checksum right again after a change. */
void acpi_seal(struct acpi_header *table);

/*
 * Sleep states in AML: returns the offset of the name of the next package \_S<digit>
 * from `from` on, or 0 when there is none. `element` is the offset of its first
 * element (ACPI 7.4.2, 20.2.5).
 */
uint32_t acpi_sleep_package(const struct acpi_header *table, char digit, uint32_t from, uint32_t *element);

#endif
