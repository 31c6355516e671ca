/* SPDX-License-Identifier: Apache-2.0 */
/* From UEFI to a machine of our own. */
#include "tests/guest/lib/files.h"
#include "tests/guest/lib/internal.h"
#include <efilib.h>

#define POOL_BYTES    (24ull << 20)
#define OPTIONS_BYTES 4096
#define BELOW_4G      0xffffffffull
#define BELOW_1M      0xfffffull

/* GNU-EFI's start code calls this with the System V convention. */
EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system);

static char options_text[OPTIONS_BYTES];

/* A missing file is no options. */
static void read_options(void)
{
	EFI_FILE_HANDLE file = files_open(L"options");
	UINTN bytes = OPTIONS_BYTES - 1;

	if (!file)
		return;
	if (EFI_ERROR(file->Read(file, &bytes, options_text)))
		bytes = 0;
	options_text[bytes] = 0;
	file->Close(file);
}

static uint64_t acpi_root(void)
{
	EFI_GUID acpi2 = ACPI_20_TABLE_GUID, acpi1 = ACPI_TABLE_GUID;
	VOID *table = NULL;

	if (EFI_ERROR(LibGetSystemConfigurationTable(&acpi2, &table)))
		LibGetSystemConfigurationTable(&acpi1, &table);
	return (uint64_t)table;
}

static bool take_pool(void)
{
	EFI_PHYSICAL_ADDRESS pool = BELOW_4G, low = BELOW_1M;

	if (EFI_ERROR(BS->AllocatePages(AllocateMaxAddress, EfiLoaderData, POOL_BYTES / 4096, &pool)) ||
		EFI_ERROR(BS->AllocatePages(AllocateMaxAddress, EfiLoaderData, 2, &low)))
		return false;
	memory_set(pool, POOL_BYTES);
	machine.low_page = low;
	return true;
}

/* Only what no program, table or runtime service of the firmware lies in. */
static void note_ram(const EFI_MEMORY_DESCRIPTOR *entry)
{
	if (entry->Type != EfiConventionalMemory && entry->Type != EfiBootServicesCode &&
		entry->Type != EfiBootServicesData)
		return;
	if (machine.ram_ranges == MACHINE_MAX_RAM)
		return;
	machine.ram[machine.ram_ranges].base = entry->PhysicalStart;
	machine.ram[machine.ram_ranges++].bytes = entry->NumberOfPages * 4096;
}

static void note_map(const EFI_MEMORY_DESCRIPTOR *map, UINTN entries, UINTN size, UINT32 version)
{
	machine.map.base = (uint64_t)map;
	machine.map.bytes = (uint32_t)(entries * size);
	machine.map.descriptor_bytes = (uint32_t)size;
	machine.map.version = version;
	for (UINTN i = 0; i < entries; i++)
		note_ram((const EFI_MEMORY_DESCRIPTOR *)((const UINT8 *)map + i * size));
}

/* The map's key is void after any allocation: a second try has a fresh one. */
static bool leave_boot_services(EFI_HANDLE image)
{
	for (int turn = 0; turn < 3; turn++) {
		UINTN entries, key, size;
		UINT32 version;
		EFI_MEMORY_DESCRIPTOR *map = LibMemoryMap(&entries, &key, &size, &version);

		if (!map || EFI_ERROR(BS->ExitBootServices(image, key)))
			continue;
		note_map(map, entries, size, version);
		return true;
	}
	return false;
}

__attribute__((weak)) void guest_firmware(void)
{
}

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system)
{
	uint64_t rsdp;

	InitializeLib(image, system);
	files_begin(image);
	read_options();
	options_set(options_text);
	rsdp = acpi_root();
	machine.system_table = (uint64_t)system;
	if (!take_pool())
		return EFI_OUT_OF_RESOURCES;
	guest_firmware();
	if (!leave_boot_services(image))
		return EFI_ABORTED;
	__asm__ volatile("cli");
	tables_read(rsdp);
	paging_begin();
	traps_begin();
	time_begin();
	cpus_begin(guest_main);
}
