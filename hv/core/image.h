/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hypervisor's image: position-independent, embedded in the UEFI program,
 * which copies it to reserved memory, clears what follows the file (bss), applies
 * the relocations and calls the two entries (SysV ABI, identity mapping).
 */
#ifndef HV_CORE_IMAGE_H
#define HV_CORE_IMAGE_H

#include <stdint.h>

#define HV_IMAGE_MAGIC 0x31304c4145535655ull /* "UVSEAL01" */

/* Offsets are from the image's first byte. */
struct hv_image_header {
	uint64_t magic;
	uint64_t file_bytes;
	uint64_t total_bytes; /* with bss */
	uint64_t rela_first, rela_end; /* Elf64_Rela, all of type R_X86_64_RELATIVE, linked at 0 */
	uint64_t init;  /* int64_t (*)(const struct boot_info *): once, on the boot CPU, interrupts off; 0 or negative */
	/* int64_t (*)(uint32_t cpu, uint64_t rsp, uint64_t rip): on every CPU, interrupts off; does not return but
	 * on failure: the CPU goes on as a guest at rip with rsp. */
	uint64_t enter;
};

_Static_assert(sizeof(struct hv_image_header) == 56, "read by the UEFI program");

/* What `init` and `enter` return. */
enum hv_start_error {
	HV_START_OK = 0,
	HV_START_MEMORY = -1,    /* reserved memory too small */
	HV_START_SELF_TEST = -2, /* a cipher's known answer is wrong */
	HV_START_CPU = -3,       /* CPU not supported, or disabled by firmware */
	HV_START_DEVICE = -4,    /* a controller could not be taken over */
	HV_START_ACPI = -5,      /* a table that is needed was not found */
	HV_START_IOMMU = -6,     /* the firmware itself remaps DMA */
};

#endif
