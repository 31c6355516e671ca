/* SPDX-License-Identifier: Apache-2.0 */
#include "hv/vmx/capability.h"
#include "hv/core/limits.h"
#include "hv/x86/registers.h"
#include <stddef.h>

#define BASIC_TRUE        (1ull << 55) /* the TRUE_ registers are there: more bits may be 0 */
#define BASIC_WRITE_BACK  6u           /* bits 53:50, the memory type of control structures */
#define MISC_WAIT_FOR_SIPI (1ull << 8)
#define TRUE_OFFSET       (MSR_VMX_TRUE_PIN - MSR_VMX_PIN)
/* Exits that would come at every turn, where the processor insists on them. */
#define PRIMARY_UNWANTED  (PRIMARY_INVLPG | PRIMARY_CR3_LOAD | PRIMARY_CR3_STORE)
#define EPT_CAP_NEEDED    (EPT_CAP_LEVELS_4 | EPT_CAP_WRITE_BACK | EPT_CAP_2M | EPT_CAP_INVEPT | EPT_CAP_INVEPT_ALL)

void vmx_capability_read(struct vmx_capability *out)
{
	uint32_t offset;

	*out = (struct vmx_capability){.basic = rdmsr(MSR_VMX_BASIC)};
	offset = out->basic & BASIC_TRUE ? TRUE_OFFSET : 0;
	out->pin = rdmsr(MSR_VMX_PIN + offset);
	out->primary = rdmsr(MSR_VMX_PRIMARY + offset);
	out->exit = rdmsr(MSR_VMX_EXIT + offset);
	out->entry = rdmsr(MSR_VMX_ENTRY + offset);
	out->cr0_must = rdmsr(MSR_VMX_CR0_FIXED0);
	out->cr4_must = rdmsr(MSR_VMX_CR4_FIXED0);
	if (out->primary >> 32 & PRIMARY_SECONDARY)
		out->secondary = rdmsr(MSR_VMX_SECONDARY);
	if (out->secondary >> 32 & SECONDARY_EPT)
		out->ept_vpid = rdmsr(MSR_VMX_EPT_VPID_CAP);
}

bool vmx_present(void)
{
	return cpuid(1, 0).ecx & CPUID_VMX;
}

static bool lacks(uint64_t capability, uint32_t needed)
{
	return needed & ~(uint32_t)(capability >> 32);
}

static const char *missing_control(const struct vmx_capability *c)
{
	if (lacks(c->secondary, SECONDARY_EPT))
		return "this processor's VT-x has no nested paging (EPT)";
	if (lacks(c->secondary, SECONDARY_UNRESTRICTED))
		return "this processor's VT-x cannot run a guest in real mode (unrestricted guest)";
	if (lacks(c->pin, VMX_PIN_NEEDED) || lacks(c->primary, PRIMARY_NMI_WINDOW))
		return "this processor's VT-x has no virtual NMIs";
	if (lacks(c->primary, VMX_PRIMARY_NEEDED))
		return "this processor's VT-x has no bitmaps of ports and MSRs";
	if (lacks(c->exit, VMX_EXIT_NEEDED) || lacks(c->entry, VMX_ENTRY_NEEDED))
		return "this processor's VT-x does not switch EFER";
	if ((uint32_t)c->primary & PRIMARY_UNWANTED)
		return "this processor's VT-x exits at every change of a page table";
	if ((c->ept_vpid & EPT_CAP_NEEDED) != EPT_CAP_NEEDED)
		return "this processor's nested paging (EPT) lacks large pages, write-back tables or INVEPT";
	return paging_missing();
}

const char *vmx_missing(void)
{
	uint64_t feature = rdmsr(MSR_FEATURE_CONTROL);
	struct vmx_capability capability;

	if (feature & FEATURE_LOCKED && !(feature & FEATURE_VMX))
		return "virtualisation (VT-x) is disabled in the firmware setup";
	if (read_cr4() & CR4_VMXE)
		return "virtualisation (VT-x) is in use already";
	vmx_capability_read(&capability);
	if ((capability.basic >> 50 & 0xf) != BASIC_WRITE_BACK)
		return "this processor's VT-x keeps its control structures in uncached memory";
	if (!(rdmsr(MSR_VMX_MISC) & MISC_WAIT_FOR_SIPI))
		return "this processor's VT-x has no guests that wait for their start";
	return missing_control(&capability);
}

bool vmx_huge_pages(const struct vmx_capability *capability)
{
	return cpu_has_huge_pages() && capability->ept_vpid & EPT_CAP_1G;
}
