/* SPDX-License-Identifier: Apache-2.0 */
#include "hv/core/acpi.h"
#include "hv/core/acpi_table.h"
#include <string.h>

struct acpi_facts acpi_facts;

/* Offsets into the FADT, ACPI 5.2.9. */
enum {
	FADT_PM1A_CONTROL = 64,
	FADT_PM1B_CONTROL = 68,
	FADT_FLAGS = 112,
	FADT_RESET_REGISTER = 116,
	FADT_RESET_VALUE = 128,
};
#define MADT_STRUCTURES      44
#define MADT_IO_APIC         1
#define FADT_RESET_SUPPORTED (1u << 10)
#define ADDRESS_SPACE_IO     1
#define BYTE_PREFIX          0x0a

static void read_mcfg(const struct acpi_header *mcfg, struct acpi_facts *out)
{
	/* Allocation structures of 16 bytes from byte 44: base, segment, first and last bus. */
	for (uint32_t at = 44; at + 16 <= mcfg->length; at += 16) {
		if (acpi_field(mcfg, at + 8, 2))
			continue;
		out->ecam_base = acpi_field(mcfg, at, 8);
		out->ecam_first_bus = (uint8_t)acpi_field(mcfg, at + 10, 1);
		out->ecam_last_bus = (uint8_t)acpi_field(mcfg, at + 11, 1);
	}
}

/* Structures of a type and a length each, from byte 44 (ACPI 5.2.12). */
static void read_madt(const struct acpi_header *madt, struct acpi_facts *out)
{
	uint32_t bytes;

	for (uint32_t at = MADT_STRUCTURES; (bytes = (uint32_t)acpi_field(madt, at + 1, 1)) >= 2; at += bytes)
		if (acpi_field(madt, at, 1) == MADT_IO_APIC && out->io_apics < ACPI_MAX_IO_APICS)
			out->io_apic[out->io_apics++] = acpi_field(madt, at + 4, 4);
}

/* The first element is SLP_TYPa: an integer of one byte, ZeroOp or OneOp. */
static void read_off_types(const struct acpi_header *table, struct acpi_facts *out)
{
	uint32_t element;

	for (char digit = '4'; digit <= '5'; digit++)
		for (uint32_t at = 0; (at = acpi_sleep_package(table, digit, at, &element)); at++) {
			uint8_t value = (uint8_t)acpi_field(table, element, 1);

			if (value == BYTE_PREFIX)
				value = (uint8_t)acpi_field(table, element + 1, 1);
			out->off_types |= (uint8_t)(1u << (value & 7));
		}
}

static void read_fadt(const struct acpi_header *fadt, struct acpi_facts *out)
{
	out->pm1a_control = (uint16_t)acpi_field(fadt, FADT_PM1A_CONTROL, 4);
	out->pm1b_control = (uint16_t)acpi_field(fadt, FADT_PM1B_CONTROL, 4);
	if (acpi_field(fadt, FADT_FLAGS, 4) & FADT_RESET_SUPPORTED &&
	    acpi_field(fadt, FADT_RESET_REGISTER, 1) == ADDRESS_SPACE_IO) {
		out->reset_port = (uint16_t)acpi_field(fadt, FADT_RESET_REGISTER + 4, 8);
		out->reset_value = (uint8_t)acpi_field(fadt, FADT_RESET_VALUE, 1);
	}
}

static void read_table(struct acpi_header *table, void *out)
{
	if (acpi_is(table, "MCFG"))
		read_mcfg(table, out);
	else if (acpi_is(table, "FACP"))
		read_fadt(table, out);
	else if (acpi_is(table, "APIC"))
		read_madt(table, out);
	else if (acpi_is(table, "DSDT") || acpi_is(table, "SSDT"))
		read_off_types(table, out);
}

int acpi_read(uint64_t rsdp, struct acpi_facts *out)
{
	memset(out, 0, sizeof(*out));
	return acpi_each(rsdp, read_table, out);
}
