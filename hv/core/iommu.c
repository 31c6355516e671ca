/* SPDX-License-Identifier: Apache-2.0 */
#include "hv/core/iommu.h"
#include "hv/core/acpi_table.h"
#include "hv/core/log.h"
#include "hv/core/mmio.h"
#include "hv/core/pci.h"
#include "hv/x86/physical.h"

#define MAX_UNITS 8
#define PAGE      4096ull

/* VT-d 10.4: where fault recording and IOTLB registers end, and what is turned on. */
#define VTD_CAPABILITY          0x08u
#define VTD_FAULTS_AT(cap)      (((cap) >> 24 & 0x3ff) * 16)
#define VTD_FAULTS_BYTES(cap)   (((cap) >> 40 & 0xff) * 16 + 16)
#define VTD_EXTENDED            0x10u
#define VTD_IOTLB_END(extended) (((extended) >> 8 & 0x3ff) * 16 + 16)
#define VTD_STATUS              0x1cu
#define VTD_IN_USE              (1u << 31 | 1u << 26 | 1u << 25) /* translation, queued invalidation, interrupts */

/* AMD IOMMU 3.4. */
#define AMD_CONTROL        0x18u
#define AMD_ENABLED        1u
#define AMD_FEATURES       0x30u
#define AMD_COUNTERS       (1u << 9)
#define AMD_BYTES          0x4000u
#define AMD_COUNTERS_BYTES 0x80000u

/* Both tables: structures from byte 48 on. */
#define FIRST_STRUCTURE 48u
#define DMAR_UNIT       0u
enum { IVRS_UNIT = 0x10, IVRS_UNIT_MORE = 0x11, IVRS_UNIT_ACPI = 0x40 };

static struct mmio_hook hooks[MAX_UNITS];
static uint32_t hook_count;

/* A bus on which nobody answers. */
static uint64_t nobody_read(void *context, uint64_t offset, unsigned size)
{
	(void)context;
	(void)offset;
	return UINT64_MAX >> (64 - 8 * size);
}

static void nobody_write(void *context, uint64_t offset, unsigned size, uint64_t value)
{
	(void)context;
	(void)offset;
	(void)size;
	(void)value;
}

/* Several structures may name one unit: 1 when it is hidden already. */
static int hide_registers(uint64_t base, uint64_t bytes)
{
	struct mmio_hook *hook = &hooks[hook_count];

	for (uint32_t i = 0; i < hook_count; i++)
		if (hooks[i].gpa == base)
			return 1;
	if (hook_count == MAX_UNITS)
		return -1;
	*hook = (struct mmio_hook){.name = "iommu", .read = nobody_read, .write = nobody_write};
	if (mmio_add(hook) || mmio_place(hook, base, (bytes + PAGE - 1) & ~(PAGE - 1), 0))
		return -1;
	hook_count++;
	log_info("iommu: the unit at %lx is hidden", base);
	return 0;
}

static int hide_vtd(uint64_t base)
{
	uint64_t capability = physical_load(base + VTD_CAPABILITY, 8);
	uint64_t faults_end = VTD_FAULTS_AT(capability) + VTD_FAULTS_BYTES(capability);
	uint64_t iotlb_end = VTD_IOTLB_END(physical_load(base + VTD_EXTENDED, 8));

	if (physical_load(base + VTD_STATUS, 4) & VTD_IN_USE)
		return -2;
	return hide_registers(base, faults_end > iotlb_end ? faults_end : iotlb_end);
}

static int hide_amd(uint64_t base, uint16_t function)
{
	bool counters = physical_load(base + AMD_FEATURES, 4) & AMD_COUNTERS;

	if (physical_load(base + AMD_CONTROL, 4) & AMD_ENABLED)
		return -2;
	int done = hide_registers(base, counters ? AMD_COUNTERS_BYTES : AMD_BYTES);

	return done ? done : pci_hide((uint8_t)(function >> 8), (uint8_t)(function >> 3 & 31), (uint8_t)(function & 7));
}

static int hide_dmar_unit(const struct acpi_header *table, uint32_t at)
{
	return acpi_field(table, at, 2) == DMAR_UNIT ? hide_vtd(acpi_field(table, at + 8, 8)) : 0;
}

static int hide_ivrs_unit(const struct acpi_header *table, uint32_t at)
{
	uint64_t type = acpi_field(table, at, 1);

	if (type != IVRS_UNIT && type != IVRS_UNIT_MORE && type != IVRS_UNIT_ACPI)
		return 0;
	return hide_amd(acpi_field(table, at + 8, 8), (uint16_t)acpi_field(table, at + 4, 2));
}

static void visit(struct acpi_header *table, void *context)
{
	int (*hide)(const struct acpi_header *table, uint32_t at);
	int *result = context;
	uint64_t bytes;

	if (acpi_is(table, "DMAR"))
		hide = hide_dmar_unit;
	else if (acpi_is(table, "IVRS"))
		hide = hide_ivrs_unit;
	else
		return;
	/* Two bytes of length stand behind two of type (and, in IVRS, flags). */
	for (uint32_t at = FIRST_STRUCTURE; (bytes = acpi_field(table, at + 2, 2)) >= 4; at += (uint32_t)bytes) {
		int error = hide(table, at);

		if (error < 0 && *result == 0)
			*result = error;
	}
}

int iommu_hide(uint64_t rsdp)
{
	int result = 0;

	return acpi_each(rsdp, visit, &result) ? -1 : result;
}
