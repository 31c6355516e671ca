/* SPDX-License-Identifier: Apache-2.0 */
#include "hv/boot/reserve.h"
#include "hv/boot/cpus.h"
#include "hv/core/limits.h"
#include "storage/ata/ata.h"
#include "storage/nvme/nvme.h"
#include "hv/core/log_area.h"
#include <efilib.h>
#include <elf.h>
#include <string.h>

#define MIB           (1ull << 20)
#define SLOT          (32 * MIB) /* candidate places; also the most we take */
#define PER_CPU       (192 * 1024ull) /* area, control block, nested page tables */
#define PER_HBA       (8 * MIB)
#define FIXED         (2 * MIB) /* image, log, host page tables, alignment */
#define BELOW_4G      (1ull << 32)
#define RELATIVE_TYPE 8 /* R_X86_64_RELATIVE */

extern const UINT8 hv_image[] __attribute__((visibility("hidden")));

const struct hv_image_header *reserve_image_header(VOID)
{
	return (const struct hv_image_header *)hv_image;
}

static UINT64 arena(const struct boot_info *info, uint8_t controller)
{
	switch (controller) {
	case BOOT_CONTROLLER_NVME:
		return nvme_arena_bytes(nvme_queues_for(info->cpus));
	case BOOT_CONTROLLER_ATA: /* two channels */
		return 2 * ata_arena_bytes(ATA_LONGEST_WRITE);
	}
	return PER_HBA;
}

/* What the mediators of the volumes' controllers work in. */
static UINT64 arenas(const struct boot_info *info)
{
	UINT64 bytes = 0;

	for (UINT32 i = 0; i < info->volumes; i++) {
		const struct boot_volume *a = &info->volume[i];
		UINT32 j = 0;

		for (; j < i; j++) {
			const struct boot_volume *b = &info->volume[j];

			if (a->pci_segment == b->pci_segment && a->pci_bus == b->pci_bus &&
			    a->pci_device == b->pci_device && a->pci_function == b->pci_function)
				break;
		}
		if (j < i)
			continue;
		bytes += arena(info, a->controller);
	}
	return bytes;
}

static BOOLEAN is_ram(UINT32 type)
{
	switch (type) {
	case EfiLoaderCode:
	case EfiLoaderData:
	case EfiBootServicesCode:
	case EfiBootServicesData:
	case EfiRuntimeServicesCode:
	case EfiRuntimeServicesData:
	case EfiConventionalMemory:
	case EfiACPIReclaimMemory:
	case EfiACPIMemoryNVS:
		return TRUE;
	}
	return FALSE;
}

/* What the firmware itself lives in: its top is the top of the memory modules, near enough. */
static BOOLEAN is_working_memory(UINT32 type)
{
	return type == EfiConventionalMemory || type == EfiBootServicesData || type == EfiBootServicesCode;
}

/* Appends a range, joined to its neighbour where they touch. The firmware's map is sorted in practice; joining is only a saving. */
static EFI_STATUS add_ram(struct boot_info *info, UINT64 base, UINT64 bytes)
{
	for (UINT32 i = 0; i < info->ram_ranges; i++) {
		if (info->ram[i].base + info->ram[i].bytes == base) {
			info->ram[i].bytes += bytes;
			return EFI_SUCCESS;
		}
		if (base + bytes == info->ram[i].base) {
			info->ram[i].base = base;
			info->ram[i].bytes += bytes;
			return EFI_SUCCESS;
		}
	}
	if (info->ram_ranges == BOOT_MAX_RAM)
		return EFI_BUFFER_TOO_SMALL;
	info->ram[info->ram_ranges].base = base;
	info->ram[info->ram_ranges++].bytes = bytes;
	return EFI_SUCCESS;
}

static EFI_STATUS list_ram(struct boot_info *info, UINT64 *top)
{
	UINTN entries, key, size;
	UINT32 version;
	EFI_MEMORY_DESCRIPTOR *map = LibMemoryMap(&entries, &key, &size, &version);
	EFI_STATUS status = map ? EFI_SUCCESS : EFI_OUT_OF_RESOURCES;

	info->ram_ranges = 0;
	*top = 0;
	for (UINTN i = 0; i < entries && !EFI_ERROR(status); i++) {
		const EFI_MEMORY_DESCRIPTOR *entry = (const EFI_MEMORY_DESCRIPTOR *)((UINT8 *)map + i * size);

		UINT64 end = entry->PhysicalStart + entry->NumberOfPages * 4096;

		if (is_working_memory(entry->Type) && end <= BELOW_4G && end > *top)
			*top = end;
		if (is_ram(entry->Type))
			status = add_ram(info, entry->PhysicalStart, entry->NumberOfPages * 4096);
	}
	if (map)
		BS->FreePool(map);
	return status;
}

/*
 * The firmware works at the top of low memory and systems load at its bottom: we
 * begin in the middle and go down slot by slot. What depends on the boot (a
 * device more, a volume less) moves neither the middle nor the slots.
 */
static EFI_STATUS allocate(struct boot_info *info, UINT64 top, UINT64 bytes)
{
	for (UINT64 slot = (top + 2 * SLOT - 1) / (2 * SLOT); slot > 0; slot--) {
		EFI_PHYSICAL_ADDRESS base = slot * SLOT;

		if (EFI_ERROR(BS->AllocatePages(AllocateAddress, EfiReservedMemoryType, bytes / 4096, &base)))
			continue;
		info->memory_base = base;
		info->memory_bytes = bytes;
		return EFI_SUCCESS;
	}
	return EFI_OUT_OF_RESOURCES;
}

static VOID wipe_all_but_log(const struct boot_info *info)
{
	UINT8 *base = (UINT8 *)info->memory_base;
	UINT64 behind = LOG_AREA_OFFSET + sizeof(struct log_area);

	memset(base, 0, LOG_AREA_OFFSET);
	memset(base + behind, 0, info->memory_bytes - behind);
}

static EFI_STATUS load_image(struct boot_info *info)
{
	const struct hv_image_header *header = reserve_image_header();
	UINT8 *base = (UINT8 *)info->memory_base;

	if (header->magic != HV_IMAGE_MAGIC || header->total_bytes > LOG_AREA_OFFSET)
		return EFI_LOAD_ERROR;
	log_area_rotate((struct log_area *)(base + LOG_AREA_OFFSET));
	wipe_all_but_log(info);
	memcpy(base, hv_image, header->file_bytes);
	for (UINT64 at = header->rela_first; at < header->rela_end; at += sizeof(Elf64_Rela)) {
		const Elf64_Rela *rela = (const Elf64_Rela *)(hv_image + at);

		if (ELF64_R_TYPE(rela->r_info) != RELATIVE_TYPE)
			return EFI_LOAD_ERROR;
		*(UINT64 *)(base + rela->r_offset) = info->memory_base + (UINT64)rela->r_addend;
	}
	info->image_bytes = LOG_AREA_OFFSET + sizeof(struct log_area);
	return EFI_SUCCESS;
}

EFI_STATUS reserve_memory(struct boot_info *info)
{
	UINT64 tables = tables_for_small_pages(cpus_huge_pages()) * 4096ull;
	UINT64 bytes = FIXED + tables + info->cpus * (PER_CPU + tables) + arenas(info);
	UINT64 top;
	EFI_STATUS status = list_ram(info, &top);

	bytes = (bytes + 2 * MIB - 1) & ~(2 * MIB - 1);
	if (bytes > SLOT)
		return EFI_OUT_OF_RESOURCES;
	if (!EFI_ERROR(status))
		status = allocate(info, top, bytes);
	if (EFI_ERROR(status))
		return status;
	status = load_image(info);
	if (EFI_ERROR(status))
		reserve_release(info);
	return status;
}

VOID reserve_release(struct boot_info *info)
{
	wipe_all_but_log(info);
	BS->FreePages(info->memory_base, info->memory_bytes / 4096);
}
