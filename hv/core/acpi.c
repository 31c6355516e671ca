/* SPDX-License-Identifier: Apache-2.0 */
#include "hv/core/acpi.h"
#include <stddef.h>
#include <string.h>

struct acpi_facts acpi_facts;

struct acpi_header {
	char signature[4];
	uint32_t length;
	uint8_t revision, checksum;
	char oem[6], table[8];
	uint32_t oem_revision, creator, creator_revision;
} __attribute__((packed));

_Static_assert(sizeof(struct acpi_header) == 36, "ACPI 5.2.6");

struct acpi_rsdp {
	char signature[8];
	uint8_t checksum;
	char oem[6];
	uint8_t revision;
	uint32_t rsdt, length;
	uint64_t xsdt;
} __attribute__((packed));

#define MAX_TABLE (16u << 20)

/* Offsets into the FADT, ACPI 5.2.9. */
enum {
	FADT_DSDT = 40,
	FADT_PM1A_CONTROL = 64,
	FADT_PM1B_CONTROL = 68,
	FADT_FLAGS = 112,
	FADT_RESET_REGISTER = 116,
	FADT_RESET_VALUE = 128,
	FADT_X_DSDT = 140,
};
#define FADT_RESET_SUPPORTED (1u << 10)
#define ADDRESS_SPACE_IO     1

static uint64_t field(const struct acpi_header *table, uint32_t offset, uint32_t bytes)
{
	uint64_t value = 0;

	if (offset + bytes <= table->length)
		memcpy(&value, (const uint8_t *)table + offset, bytes);
	return value;
}

static void read_mcfg(const struct acpi_header *mcfg, struct acpi_facts *out)
{
	/* Allocation structures of 16 bytes from byte 44: base, segment, first and last bus. */
	for (uint32_t at = 44; at + 16 <= mcfg->length; at += 16) {
		if (field(mcfg, at + 8, 2))
			continue;
		out->ecam_base = field(mcfg, at, 8);
		out->ecam_first_bus = (uint8_t)field(mcfg, at + 10, 1);
		out->ecam_last_bus = (uint8_t)field(mcfg, at + 11, 1);
	}
}

/*
 * \_S4 and \_S5 in AML: the name, PackageOp, PkgLength, NumElements, then an
 * integer of one byte, ZeroOp or OneOp (ACPI 20.2.5).
 */
static void find_off_types(const struct acpi_header *table, struct acpi_facts *out)
{
	const uint8_t *aml = (const uint8_t *)table;

	for (uint32_t i = sizeof(*table); i + 12 < table->length; i++) {
		if ((memcmp(aml + i, "_S4_", 4) && memcmp(aml + i, "_S5_", 4)) || aml[i + 4] != 0x12)
			continue;
		uint32_t at = i + 5 + (aml[i + 5] >> 6) + 2; /* PkgLength, NumElements */

		out->off_types |= (uint8_t)(1u << ((aml[at] == 0x0a ? aml[at + 1] : aml[at]) & 7));
	}
}

static bool sound(const struct acpi_header *table)
{
	return table && table->length >= sizeof(*table) && table->length <= MAX_TABLE;
}

static void read_fadt(const struct acpi_header *fadt, struct acpi_facts *out)
{
	uint64_t dsdt = field(fadt, FADT_X_DSDT, 8);

	out->pm1a_control = (uint16_t)field(fadt, FADT_PM1A_CONTROL, 4);
	out->pm1b_control = (uint16_t)field(fadt, FADT_PM1B_CONTROL, 4);
	if (field(fadt, FADT_FLAGS, 4) & FADT_RESET_SUPPORTED &&
	    field(fadt, FADT_RESET_REGISTER, 1) == ADDRESS_SPACE_IO) {
		out->reset_port = (uint16_t)field(fadt, FADT_RESET_REGISTER + 4, 8);
		out->reset_value = (uint8_t)field(fadt, FADT_RESET_VALUE, 1);
	}
	if (!dsdt)
		dsdt = field(fadt, FADT_DSDT, 4);
	if (sound((const struct acpi_header *)dsdt))
		find_off_types((const struct acpi_header *)dsdt, out);
}

int acpi_read(uint64_t rsdp_address, struct acpi_facts *out)
{
	const struct acpi_rsdp *rsdp = (const struct acpi_rsdp *)rsdp_address;

	memset(out, 0, sizeof(*out));
	if (!rsdp || memcmp(rsdp->signature, "RSD PTR ", 8))
		return -1;
	bool wide = rsdp->revision >= 2 && rsdp->xsdt;
	const struct acpi_header *root = (const struct acpi_header *)(wide ? rsdp->xsdt : rsdp->rsdt);
	uint32_t entry_bytes = wide ? 8 : 4;

	if (!sound(root))
		return -1;
	for (uint32_t at = sizeof(*root); at + entry_bytes <= root->length; at += entry_bytes) {
		const struct acpi_header *table = (const struct acpi_header *)field(root, at, entry_bytes);

		if (!sound(table))
			continue;
		if (!memcmp(table->signature, "MCFG", 4))
			read_mcfg(table, out);
		else if (!memcmp(table->signature, "FACP", 4))
			read_fadt(table, out);
		else if (!memcmp(table->signature, "SSDT", 4))
			find_off_types(table, out);
	}
	return 0;
}
