/* SPDX-License-Identifier: Apache-2.0 */
/* The ACPI tables a program needs: MADT, FADT, MCFG. The firmware under test is believed. */
#include "tests/guest/lib/internal.h"

#define ROOT_REVISION     15
#define ROOT_RSDT         16
#define ROOT_XSDT         24
#define HEADER_BYTES      36
#define FADT_PM1A_CONTROL 64
#define FADT_PM_TIMER     76
#define MADT_ENTRIES      44
#define MADT_LAPIC        0
#define MADT_X2APIC       9
#define MADT_ENABLED      1u

struct machine machine;

static uint32_t field32(uint64_t table, uint32_t offset)
{
	uint32_t value;

	memcpy(&value, (const void *)(table + offset), 4);
	return value;
}

static uint64_t field64(uint64_t table, uint32_t offset)
{
	return field32(table, offset) | (uint64_t)field32(table, offset + 4) << 32;
}

static void add_cpu(uint32_t apic_id, uint32_t flags)
{
	if (flags & MADT_ENABLED && machine.cpus < MACHINE_MAX_CPUS)
		machine.apic_id[machine.cpus++] = apic_id;
}

static void read_madt(uint64_t madt)
{
	const uint8_t *bytes = (const uint8_t *)madt;

	for (uint32_t at = MADT_ENTRIES; at + 2 <= field32(madt, 4) && bytes[at + 1]; at += bytes[at + 1]) {
		if (bytes[at] == MADT_LAPIC)
			add_cpu(bytes[at + 3], field32(madt, at + 4));
		else if (bytes[at] == MADT_X2APIC)
			add_cpu(field32(madt, at + 4), field32(madt, at + 8));
	}
}

static void read_table(uint64_t table)
{
	const char *signature = (const char *)table;

	if (!strncmp(signature, "APIC", 4)) {
		read_madt(table);
	} else if (!strncmp(signature, "FACP", 4)) {
		machine.pm1a_control = (uint16_t)field32(table, FADT_PM1A_CONTROL);
		machine.pm_timer = (uint16_t)field32(table, FADT_PM_TIMER);
	} else if (!strncmp(signature, "MCFG", 4)) {
		machine.ecam = field64(table, 44);
	}
}

void tables_read(uint64_t rsdp)
{
	bool wide = ((const uint8_t *)rsdp)[ROOT_REVISION] >= 2 && field64(rsdp, ROOT_XSDT);
	uint64_t root = wide ? field64(rsdp, ROOT_XSDT) : field32(rsdp, ROOT_RSDT);
	uint32_t step = wide ? 8 : 4;

	machine.rsdp = rsdp;
	for (uint32_t at = HEADER_BYTES; at + step <= field32(root, 4); at += step)
		read_table(wide ? field64(root, at) : field32(root, at));
	if (!machine.cpus)
		add_cpu(cpuid(1, 0).ebx >> 24, MADT_ENABLED);
}
