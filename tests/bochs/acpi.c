/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tables that OVMF has only where it finds QEMU, for Bochs' i440FX: the first program of the disk, which installs
 * them and goes on to \EFI\next\next.efi. What the hypervisor, test guests and Linux read: CPUs and interrupt
 * controllers, the PIIX4's power management ports, the host bridge, the sleep type of a power-off (0 there).
 */
#include "hv/boot/cpus.h"
#include "hv/x86/instructions.h"
#include <efilib.h>
#include <string.h>

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *table);

#define PM_BASE      0x40 /* in the configuration space of the PIIX4's power management */
#define PIIX4_POWER  0x80000b00u
#define TABLE_BYTES  1024
#define TABLES_BYTES (5 * TABLE_BYTES)

#define RSDP_CHECKED 20 /* the bytes that its first checksum covers */
#define XSDT_ENTRIES 36

/* FADT (ACPI 6.5, 5.2.9) */
#define FADT_BYTES     244
#define FADT_DSDT      40
#define FADT_SCI       46
#define FADT_PM1A_EVT  56
#define FADT_PM1A_CNT  64
#define FADT_PM_TIMER  76
#define FADT_EVT_BYTES 88
#define FADT_CNT_BYTES 89
#define FADT_TMR_BYTES 91
#define FADT_X_DSDT    140
#define SCI            9

/* MADT (5.2.12) */
#define MADT_LAPIC       36
#define MADT_FLAGS       40
#define MADT_ENTRIES     44
#define MADT_HAS_8259    1
#define LAPIC_BASE       0xfee00000u
#define IOAPIC_BASE      0xfec00000u
#define ENTRY_LAPIC      (0 | 8 << 8)
#define ENTRY_IOAPIC     (1 | 12 << 8)
#define ENTRY_OVERRIDE   (2 | 10 << 8)
#define TIMER_PIN        2

enum { RSDP, XSDT, FADT, MADT, DSDT };

static UINT8 *tables;

static VOID put(UINT8 *at, UINT64 value, UINTN bytes)
{
	memcpy(at, &value, bytes);
}

static UINT8 *start_table(UINTN number, const char *signature, UINT32 bytes)
{
	UINT8 *table = tables + number * TABLE_BYTES;

	memcpy(table, signature, 4);
	put(table + 4, bytes, 4);
	put(table + 8, 1, 1);
	return table;
}

/* The bytes of a table that is checked sum up to 0. */
static VOID sum(UINT8 *table, UINTN bytes, UINTN at)
{
	UINT8 total = 0;

	for (UINTN i = 0; i < bytes; i++)
		total += table[i];
	table[at] = -total;
}

static UINT32 config_read(UINT32 address)
{
	port_out(0xcf8, 4, address);
	return port_in(0xcfc, 4);
}

/* Scope (\_SB) {Device (PCI0) {Name (_HID, EisaId ("PNP0A03"))}}  Name (_S5, Package () {0, 0, 0, 0}) */
static VOID fill_dsdt(VOID)
{
	static const UINT8 aml[] = {
		0x10, 0x17, '\\', '_', 'S', 'B', '_',
		0x5b, 0x82, 0x0f, 'P', 'C', 'I', '0', 0x08, '_', 'H', 'I', 'D', 0x0c, 0x41, 0xd0, 0x0a, 0x03,
		0x08, '_', 'S', '5', '_', 0x12, 0x06, 0x04, 0, 0, 0, 0,
	};
	UINT8 *dsdt = start_table(DSDT, "DSDT", 36 + sizeof(aml));

	memcpy(dsdt + 36, aml, sizeof(aml));
	sum(dsdt, 36 + sizeof(aml), 9);
}

static VOID fill_fadt(VOID)
{
	UINT32 ports = config_read(PIIX4_POWER | PM_BASE) & ~1u;
	UINT8 *fadt = start_table(FADT, "FACP", FADT_BYTES);

	put(fadt + FADT_DSDT, (UINT64)(tables + DSDT * TABLE_BYTES), 4);
	put(fadt + FADT_X_DSDT, (UINT64)(tables + DSDT * TABLE_BYTES), 8);
	put(fadt + FADT_SCI, SCI, 2);
	put(fadt + FADT_PM1A_EVT, ports, 4);
	put(fadt + FADT_PM1A_CNT, ports + 4, 4);
	put(fadt + FADT_PM_TIMER, ports + 8, 4);
	put(fadt + FADT_EVT_BYTES, 4, 1);
	put(fadt + FADT_CNT_BYTES, 2, 1);
	put(fadt + FADT_TMR_BYTES, 4, 1);
	sum(fadt, FADT_BYTES, 9);
}

static VOID fill_madt(VOID)
{
	struct boot_info info = {0};
	UINT8 *madt = start_table(MADT, "APIC", 0), *at = madt + MADT_ENTRIES;

	cpus_list(&info);
	put(madt + MADT_LAPIC, LAPIC_BASE, 4);
	put(madt + MADT_FLAGS, MADT_HAS_8259, 4);
	for (UINT32 i = 0; i < info.cpus; i++, at += 8) {
		put(at, ENTRY_LAPIC | i << 16 | info.apic_id[i] << 24, 4);
		put(at + 4, 1, 4);
	}
	put(at, ENTRY_IOAPIC | info.cpus << 16, 4);
	put(at + 4, IOAPIC_BASE, 4);
	at += 12;
	put(at, ENTRY_OVERRIDE, 4);
	put(at + 4, TIMER_PIN, 4);
	at += 10;
	put(madt + 4, at - madt, 4);
	sum(madt, at - madt, 9);
}

static VOID fill_roots(VOID)
{
	UINT8 *rsdp = tables + RSDP * TABLE_BYTES, *xsdt = start_table(XSDT, "XSDT", XSDT_ENTRIES + 2 * 8);

	put(xsdt + XSDT_ENTRIES, (UINT64)(tables + FADT * TABLE_BYTES), 8);
	put(xsdt + XSDT_ENTRIES + 8, (UINT64)(tables + MADT * TABLE_BYTES), 8);
	sum(xsdt, XSDT_ENTRIES + 2 * 8, 9);
	memcpy(rsdp, "RSD PTR ", 8);
	put(rsdp + 15, 2, 1);
	put(rsdp + 20, 36, 4);
	put(rsdp + 24, (UINT64)xsdt, 8);
	sum(rsdp, RSDP_CHECKED, 8);
	sum(rsdp, 36, 32);
}

static EFI_STATUS install(VOID)
{
	EFI_GUID acpi2 = ACPI_20_TABLE_GUID;
	EFI_PHYSICAL_ADDRESS pages = 0xffffffff;
	EFI_STATUS status = BS->AllocatePages(AllocateMaxAddress, EfiACPIReclaimMemory, TABLES_BYTES / 4096 + 1, &pages);

	if (EFI_ERROR(status))
		return status;
	tables = (UINT8 *)pages;
	memset(tables, 0, TABLES_BYTES);
	fill_dsdt();
	fill_fadt();
	fill_madt();
	fill_roots();
	return BS->InstallConfigurationTable(&acpi2, tables);
}

static EFI_STATUS start_next(EFI_HANDLE image)
{
	EFI_LOADED_IMAGE *loaded;
	EFI_HANDLE next;
	EFI_STATUS status = BS->HandleProtocol(image, &gEfiLoadedImageProtocolGuid, (VOID **)&loaded);

	if (EFI_ERROR(status))
		return status;
	status = BS->LoadImage(FALSE, image, FileDevicePath(loaded->DeviceHandle, L"\\EFI\\next\\next.efi"), NULL, 0, &next);
	if (EFI_ERROR(status))
		return status;
	return BS->StartImage(next, NULL, NULL);
}

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *table)
{
	EFI_STATUS status;

	InitializeLib(image, table);
	status = install();
	if (!EFI_ERROR(status))
		status = start_next(image);
	Print(L"acpi: %r\n", status);
	return status;
}
