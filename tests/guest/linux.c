/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starts a Linux kernel that has been unpacked beforehand, where unpacking would take the emulated
 * processor longer than all the rest. Beside the options stand `kernel`, as it lies in memory, which
 * may be at any multiple of KERNEL_ALIGN, and `initrd`. Options: kernel_bytes, the memory the kernel takes; cmdline.
 *
 * The kernel is entered as its own decompressor does it (Documentation/arch/x86/boot.rst, 64-bit boot
 * protocol): long mode, identity mapping, RSI at the boot parameters.
 */
#include "tests/guest/lib/files.h"
#include "tests/guest/lib/guest.h"

#define KERNEL_ALIGN 0x200000ull

/* Offsets in the boot parameters ("zero page"). */
#define BOOT_ACPI_RSDP      0x070
#define BOOT_EFI            0x1c0
#define BOOT_E820_ENTRIES   0x1e8
#define BOOT_FLAG           0x1fe
#define BOOT_MAGIC          0x202
#define BOOT_VERSION        0x206
#define BOOT_LOADER         0x210
#define BOOT_LOAD_FLAGS     0x211
#define BOOT_RAMDISK        0x218
#define BOOT_RAMDISK_BYTES  0x21c
#define BOOT_COMMAND_LINE   0x228
#define BOOT_E820           0x2d0
#define BOOT_E820_MAX       128
#define LOADER_UNDEFINED    0xff
#define LOADED_HIGH         1

/* What the kernel calls memory (arch/x86/include/uapi/asm/e820.h, that is ACPI 6.5 section 15). */
enum e820_type { E820_RAM = 1, E820_RESERVED, E820_ACPI, E820_NVS, E820_UNUSABLE };

struct e820 {
	uint64_t base, bytes;
	uint32_t type;
} __attribute__((packed));

/* struct efi_info of the boot parameters. */
struct efi_info {
	char signature[4];
	uint32_t system_table, descriptor_bytes, version, map, map_bytes, system_table_high, map_high;
};

static uint64_t kernel, kernel_bytes, initrd, initrd_bytes;
static uint8_t *parameters;

static void put(unsigned at, uint64_t value, unsigned bytes)
{
	memcpy(parameters + at, &value, bytes);
}

void guest_firmware(void)
{
	kernel_bytes = option_number("kernel_bytes", 0);
	kernel = files_load(L"kernel", KERNEL_ALIGN, &kernel_bytes);
	initrd = files_load(L"initrd", 4096, &initrd_bytes);
}

static enum e820_type e820_type(uint32_t type)
{
	switch (type) {
	case EfiLoaderCode:
	case EfiLoaderData:
	case EfiBootServicesCode:
	case EfiBootServicesData:
	case EfiConventionalMemory:
		return E820_RAM;
	case EfiACPIReclaimMemory:
		return E820_ACPI;
	case EfiACPIMemoryNVS:
		return E820_NVS;
	case EfiUnusableMemory:
		return E820_UNUSABLE;
	default:
		return E820_RESERVED;
	}
}

/* Adjacent ranges of one type are one: the firmware's map has more than fit here. */
static void add_memory(const EFI_MEMORY_DESCRIPTOR *entry)
{
	struct e820 *table = (struct e820 *)(parameters + BOOT_E820);
	struct e820 next = {entry->PhysicalStart, entry->NumberOfPages * 4096, e820_type(entry->Type)};
	uint8_t *count = &parameters[BOOT_E820_ENTRIES];
	struct e820 *last = *count ? &table[*count - 1] : NULL;

	if (last && last->type == next.type && last->base + last->bytes == next.base) {
		last->bytes += next.bytes;
		return;
	}
	if (*count == BOOT_E820_MAX)
		guest_fail("the memory map has too many ranges");
	table[(*count)++] = next;
}

static void fill_memory(void)
{
	struct efi_info info = {"EL64", (uint32_t)machine.system_table, machine.map.descriptor_bytes,
		machine.map.version, (uint32_t)machine.map.base, machine.map.bytes,
		(uint32_t)(machine.system_table >> 32), (uint32_t)(machine.map.base >> 32)};

	memcpy(parameters + BOOT_EFI, &info, sizeof(info));
	for (uint32_t at = 0; at < machine.map.bytes; at += machine.map.descriptor_bytes)
		add_memory((const EFI_MEMORY_DESCRIPTOR *)(machine.map.base + at));
}

static void fill_parameters(void)
{
	static const char none[] = "";
	const char *line = option("cmdline");

	put(BOOT_ACPI_RSDP, machine.rsdp, 8);
	put(BOOT_FLAG, 0xaa55, 2);
	memcpy(parameters + BOOT_MAGIC, "HdrS", 4);
	put(BOOT_VERSION, 0x20f, 2);
	put(BOOT_LOADER, LOADER_UNDEFINED, 1);
	put(BOOT_LOAD_FLAGS, LOADED_HIGH, 1);
	put(BOOT_RAMDISK, initrd, 4);
	put(BOOT_RAMDISK_BYTES, initrd_bytes, 4);
	put(BOOT_COMMAND_LINE, (uint64_t)(line ? line : none), 4);
	fill_memory();
}

void guest_main(void)
{
	parameters = take_memory(4096, 4096);
	fill_parameters();
	print("starting Linux\n");
	__asm__ volatile("jmp *%0" : : "r"(kernel), "S"(parameters) : "memory");
}
