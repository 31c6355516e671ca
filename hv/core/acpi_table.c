/* SPDX-License-Identifier: Apache-2.0 */
#include "hv/core/acpi_table.h"
#include <string.h>

struct acpi_rsdp {
	char signature[8];
	uint8_t checksum;
	char oem[6];
	uint8_t revision;
	uint32_t rsdt, length;
	uint64_t xsdt;
} __attribute__((packed));

#define MAX_TABLE  (16u << 20)
#define PACKAGE_OP 0x12
/* Offsets into the FADT, ACPI 5.2.9. */
#define FADT_DSDT   40
#define FADT_X_DSDT 140

static bool sound(const struct acpi_header *table)
{
	return table && table->length >= sizeof(*table) && table->length <= MAX_TABLE;
}

bool acpi_is(const struct acpi_header *table, const char signature[4])
{
	return !memcmp(table->signature, signature, 4);
}

uint64_t acpi_field(const struct acpi_header *table, uint32_t offset, uint32_t bytes)
{
	uint64_t value = 0;

	if (offset <= table->length && bytes <= table->length - offset)
		memcpy(&value, (const uint8_t *)table + offset, bytes);
	return value;
}

void acpi_seal(struct acpi_header *table)
{
	uint8_t sum = 0;

	table->checksum = 0;
	for (uint32_t i = 0; i < table->length; i++)
		sum = (uint8_t)(sum + ((const uint8_t *)table)[i]);
	table->checksum = (uint8_t)-sum;
}

static struct acpi_header *dsdt_of(const struct acpi_header *fadt)
{
	uint64_t dsdt = acpi_field(fadt, FADT_X_DSDT, 8);

	return (struct acpi_header *)(dsdt ? dsdt : acpi_field(fadt, FADT_DSDT, 4));
}

int acpi_each(uint64_t rsdp_address, void (*visit)(struct acpi_header *table, void *context), void *context)
{
	const struct acpi_rsdp *rsdp = (const struct acpi_rsdp *)rsdp_address;

	if (!rsdp || memcmp(rsdp->signature, "RSD PTR ", 8))
		return -1;
	bool wide = rsdp->revision >= 2 && rsdp->xsdt;
	const struct acpi_header *root = (const struct acpi_header *)(wide ? rsdp->xsdt : rsdp->rsdt);
	uint32_t entry_bytes = wide ? 8 : 4;

	if (!sound(root))
		return -1;
	for (uint32_t at = sizeof(*root); at + entry_bytes <= root->length; at += entry_bytes) {
		struct acpi_header *table = (struct acpi_header *)acpi_field(root, at, entry_bytes);

		if (!sound(table))
			continue;
		visit(table, context);
		if (acpi_is(table, "FACP") && sound(dsdt_of(table)))
			visit(dsdt_of(table), context);
	}
	return 0;
}

/* The name, PackageOp, PkgLength (whose top two bits tell how many bytes follow), NumElements, elements. */
uint32_t acpi_sleep_package(const struct acpi_header *table, char digit, uint32_t from, uint32_t *element)
{
	const uint8_t *aml = (const uint8_t *)table;
	const char name[4] = {'_', 'S', digit, '_'};

	for (uint32_t i = from < sizeof(*table) ? sizeof(*table) : from; i + 6 <= table->length; i++) {
		if (memcmp(aml + i, name, 4) || aml[i + 4] != PACKAGE_OP)
			continue;
		*element = i + 5 + (aml[i + 5] >> 6) + 2;
		return i;
	}
	return 0;
}
