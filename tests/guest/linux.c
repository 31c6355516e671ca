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
#define E820_RAM            1
#define LOADER_UNDEFINED    0xff
#define LOADED_HIGH         1

struct e820 {
	uint64_t base, bytes;
	uint32_t type;
} __attribute__((packed));

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

static void add_ram(uint64_t base, uint64_t bytes)
{
	struct e820 entry = {base, bytes, E820_RAM};
	uint8_t *count = &parameters[BOOT_E820_ENTRIES];

	if (*count == BOOT_E820_MAX)
		guest_fail("the memory map has too many ranges");
	memcpy(parameters + BOOT_E820 + *count * sizeof(entry), &entry, sizeof(entry));
	(*count)++;
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
	for (uint32_t i = 0; i < machine.ram_ranges; i++)
		add_ram(machine.ram[i].base, machine.ram[i].bytes);
	add_ram(kernel, (kernel_bytes + 4095) & ~4095ull);
	add_ram(initrd, (initrd_bytes + 4095) & ~4095ull);
}

void guest_main(void)
{
	parameters = take_memory(4096, 4096);
	fill_parameters();
	print("starting Linux\n");
	__asm__ volatile("jmp *%0" : : "r"(kernel), "S"(parameters) : "memory");
}
