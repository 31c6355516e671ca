/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the UEFI program hands to the hypervisor. It is built in firmware memory,
 * copied by the hypervisor at its first instruction, and wiped by the program.
 */
#ifndef HV_CORE_BOOT_INFO_H
#define HV_CORE_BOOT_INFO_H

#include "storage/volume/gpt_pins.h"
#include <stdint.h>

#define BOOT_MAX_VOLUMES 16
#define BOOT_MAX_CPUS    64
#define BOOT_MAX_RAM     128

enum boot_controller { BOOT_CONTROLLER_AHCI = 1, BOOT_CONTROLLER_NVME = 2, BOOT_CONTROLLER_ATA = 3 };

/* One unlocked volume; all LBAs are in logical sectors of its disk, inclusive. */
struct boot_volume {
	uint32_t controller; /* enum boot_controller */
	uint16_t pci_segment;
	uint8_t pci_bus, pci_device, pci_function;
	uint8_t port; /* of an AHCI controller; of a legacy ATA controller, 2 for the secondary channel and 1 for drive 1 */
	uint16_t reserved;
	uint32_t namespace_id; /* of an NVMe controller */
	uint32_t lba_bytes;    /* logical sector of the disk */
	uint32_t sector_bytes; /* of the cipher */
	uint64_t first_lba, last_lba;
	uint64_t header_first_lba, header_last_lba; /* its header partition, on the same disk */
	uint64_t iv_offset;                         /* 512-byte units */
	struct gpt_place gpt;
	uint32_t key_bytes;                         /* 32 or 64 */
	uint8_t key[64];
	char uuid[40]; /* of the LUKS2 header */
};

/* A range of guest RAM: everything the firmware's map calls memory, our own excluded later. */
struct boot_ram {
	uint64_t base, bytes;
};

enum boot_icr { BOOT_ICR_KEEP, BOOT_ICR_FAST };
enum boot_panic { BOOT_PANIC_RESET, BOOT_PANIC_HALT };

struct boot_policy {
	uint32_t icr;          /* enum boot_icr */
	uint32_t debug_console; /* 1: log text also to port 0x402 */
	uint32_t panic;         /* enum boot_panic */
};

struct boot_info {
	/* Filled by the unlock part. */
	struct boot_policy policy;
	uint32_t volumes;
	struct boot_volume volume[BOOT_MAX_VOLUMES];
	/* Filled by the take-over part. */
	uint64_t memory_base, memory_bytes; /* the hypervisor's own, 2 MiB aligned */
	uint64_t image_bytes;               /* of it, from memory_base on, the image and the log */
	uint64_t acpi_rsdp;
	uint32_t cpus;
	uint32_t apic_id[BOOT_MAX_CPUS];
	uint32_t ram_ranges;
	struct boot_ram ram[BOOT_MAX_RAM];
};

#endif
