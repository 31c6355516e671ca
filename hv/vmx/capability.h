/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the calling CPU has of VT-x: also asked by the UEFI program, before anything
 * is touched. SDM volume 3, 24.7 and appendix A.
 */
#ifndef HV_VMX_CAPABILITY_H
#define HV_VMX_CAPABILITY_H

#include "hv/vmx/vmcs.h"
#include <stdbool.h>
#include <stdint.h>

#define CPUID_VMX (1u << 5) /* leaf 1, ecx; and SMX beside it */
#define CPUID_SMX (1u << 6)

/* The capability registers. Of controls the low half holds bits that must be set, the high half those that may. */
struct vmx_capability {
	uint64_t basic;
	uint64_t pin, primary, secondary, exit, entry;
	uint64_t ept_vpid;
	uint64_t cr0_must, cr4_must; /* bits that VMX operation holds at 1 */
};

/* Only where VMX is present. */
void vmx_capability_read(struct vmx_capability *out);

bool vmx_present(void);
/* Of a CPU where it is present: what is missing, for a person to read, or NULL. */
const char *vmx_missing(void);
/* Whether nested page tables may have 1 GiB pages. */
bool vmx_huge_pages(const struct vmx_capability *capability);

/* A control word: what must be set, and of `wanted` what may. */
static inline uint32_t vmx_control(uint64_t capability, uint32_t wanted)
{
	return ((uint32_t)capability | wanted) & (uint32_t)(capability >> 32);
}

/* The controls we cannot do without. */
#define VMX_PIN_NEEDED (PIN_NMI | PIN_VIRTUAL_NMI)
#define VMX_PRIMARY_NEEDED                                                                                   \
	(PRIMARY_INTERRUPT_WINDOW | PRIMARY_NMI_WINDOW | PRIMARY_IO_BITMAPS | PRIMARY_MSR_BITMAPS | PRIMARY_SECONDARY)
#define VMX_SECONDARY_NEEDED (SECONDARY_EPT | SECONDARY_UNRESTRICTED)
#define VMX_EXIT_NEEDED                                                                                      \
	(EXIT_CONTROL_SAVE_DEBUG | EXIT_CONTROL_HOST_64 | EXIT_CONTROL_SAVE_EFER | EXIT_CONTROL_LOAD_EFER)
#define VMX_ENTRY_NEEDED (ENTRY_CONTROL_LOAD_DEBUG | ENTRY_CONTROL_LOAD_EFER)

#endif
