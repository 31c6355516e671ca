/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CR0 and CR4. VMX operation holds some bits at 1 (SDM volume 3, 24.8): NE, and VMXE. The
 * guest sees its own in their place, from the read shadow; a write that would change
 * one exits. PE and PG are the guest's: it is an unrestricted one.
 */
#include "hv/vmx/vmx.h"

#define CR4_OURS (CR4_VMXE | CR4_SMXE | CR4_FRED) /* the guest's CPUID has none of them */

/* The guest's view of a register. */
static uint64_t seen(uint32_t field, uint32_t mask_field, uint32_t shadow_field)
{
	uint64_t mask = vmread(mask_field);

	return (vmread(field) & ~mask) | (vmread(shadow_field) & mask);
}

uint64_t vmx_cr0(void)
{
	return seen(VMCS_GUEST_CR0, VMCS_CR0_MASK, VMCS_CR0_SHADOW);
}

uint64_t vmx_cr4(void)
{
	return seen(VMCS_GUEST_CR4, VMCS_CR4_MASK, VMCS_CR4_SHADOW);
}

void vmx_set_cr0(struct vcpu *vcpu, uint64_t value)
{
	uint64_t must = vmx_of(vcpu)->cr0_must;

	vmwrite(VMCS_CR0_MASK, must);
	vmwrite(VMCS_CR0_SHADOW, value);
	vmwrite(VMCS_GUEST_CR0, value | must);
}

void vmx_set_cr4(uint64_t value)
{
	vmwrite(VMCS_CR4_MASK, CR4_OURS);
	vmwrite(VMCS_CR4_SHADOW, value & ~CR4_OURS);
	vmwrite(VMCS_GUEST_CR4, (value & ~CR4_OURS) | CR4_VMXE);
}

/*
 * Of CR4, a bit that the guest's processor does not have. Of CR0, one that the guest may
 * set as it likes: with its shadow as it is to be, the instruction, which runs again,
 * exits no more, and the processor does the rest of it.
 */
void vmx_cr_access(struct vcpu *vcpu, uint64_t qualification)
{
	uint64_t value = vcpu->gpr[qualification >> 8 & 15], must = vmx_of(vcpu)->cr0_must;

	if ((qualification & 15) == 0)
		vmwrite(VMCS_CR0_SHADOW, (vmread(VMCS_CR0_SHADOW) & ~must) | (value & must));
	else
		inject_exception(vcpu, EXCEPTION_GP, true, 0);
}
