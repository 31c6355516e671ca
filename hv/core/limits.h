/* SPDX-License-Identifier: Apache-2.0 */
/* How much of the physical space is mapped from the start: the UEFI program reserves memory for the tables by the same rule. */
#ifndef HV_CORE_LIMITS_H
#define HV_CORE_LIMITS_H

#include "hv/x86/registers.h"
#include <stdbool.h>
#include <stddef.h>

#define GIB            (1ull << 30)
#define CPUID_GIB_PAGE (1u << 26)

static inline bool cpu_has_huge_pages(void)
{
	return cpuid(0x80000001, 0).edx & CPUID_GIB_PAGE;
}

/*
 * Why the host's page tables cannot be loaded on this CPU, for a person to read, or NULL: the number of levels cannot be
 * changed while paging is on.
 */
static inline const char *paging_missing(void)
{
	return read_cr4() & CR4_LA57 ? "the firmware has turned on page tables of five levels (LA57)" : NULL;
}

/*
 * The end of the identity maps: all of a small machine's physical space, a TiB of a
 * large one's. Without 1 GiB pages each GiB takes a table of every CPU's: 64 are enough
 * for the processors that have none.
 */
static inline uint64_t physical_limit(bool huge_pages)
{
	uint64_t space = 1ull << (cpuid(0x80000008, 0).eax & 0xff), most = huge_pages ? 1024 * GIB : 64 * GIB;

	return space < most ? space : most;
}

/* Tables that this takes of a vcpu's nested ones, or of the host's, beyond what 1 GiB pages would. */
static inline uint32_t tables_for_small_pages(bool huge_pages)
{
	return huge_pages ? 0 : (uint32_t)(physical_limit(false) / GIB);
}

#endif
