/* SPDX-License-Identifier: Apache-2.0 */
/* The registers and the CPUID bits that are AMD-V's. */
#include "hv/svm/missing.h"
#include "hv/svm/svm.h"

/* Bits a guest may set are those its CPUID promises. APM volume 2, 3.1.7. */
static uint64_t efer_writable(void)
{
	uint32_t edx = cpuid(0x80000001, 0).edx, ecx = cpuid(0x80000001, 0).ecx;
	uint64_t bits = EFER_SCE;

	bits |= edx & 1u << 29 ? EFER_LME | EFER_LMA : 0;
	bits |= edx & 1u << 20 ? EFER_NXE : 0;
	bits |= edx & 1u << 25 ? EFER_FFXSR : 0;
	bits |= ecx & 1u << 17 ? EFER_TCE : 0;
	return bits;
}

static bool read_efer(struct vcpu *vcpu, uint64_t *value)
{
	*value = vmcb_of(vcpu)->efer & ~EFER_SVME;
	return true;
}

static bool write_efer(struct vcpu *vcpu, uint64_t value)
{
	struct vmcb *vmcb = vmcb_of(vcpu);

	if (value & ~efer_writable() || (vmcb->cr0 & CR0_PG && (value ^ vmcb->efer) & EFER_LME))
		return false;
	vmcb->efer = (value & ~EFER_LMA) | (vmcb->efer & EFER_LMA) | EFER_SVME;
	svm_backend.flush(vcpu);
	return true;
}

/* SVM reads as disabled and locked: the answer of a machine whose firmware has turned it off. */
static bool read_vm_cr(struct vcpu *vcpu, uint64_t *value)
{
	(void)vcpu;
	*value = 1u << 4 | 1u << 3;
	return true;
}

static bool ignore_write(struct vcpu *vcpu, uint64_t value)
{
	(void)vcpu;
	(void)value;
	return true;
}

const struct msr_rule svm_msr_rules[] = {
	{MSR_EFER, MSR_EFER, true, true, read_efer, write_efer, "SVME is set beneath the guest"},
	{MSR_VM_CR, MSR_VM_CR, true, true, read_vm_cr, ignore_write, "SVM is ours; locked registers ignore writes"},
	{MSR_VM_HSAVE, MSR_VM_HSAVE, true, true, NULL, NULL, "SVM is ours"},
	{MSR_SVM_KEY, MSR_SVM_KEY, true, true, NULL, NULL, "SVM is ours"},
	{MSR_IGNNE, MSR_IGNNE, false, true, NULL, NULL, "would change how the host takes FPU errors"},
	{MSR_SMM_CTL, MSR_SMM_CTL, true, true, NULL, NULL, "would hold back or force SMIs"},
};
_Static_assert(sizeof(svm_msr_rules) / sizeof(svm_msr_rules[0]) == SVM_MSR_RULES, "svm.h");

void svm_hide_from_cpuid(uint32_t leaf, uint32_t subleaf, struct cpuid_result *result)
{
	(void)subleaf;
	if (leaf == 0x80000001)
		result->ecx &= ~CPUID_SVM;
	else if (leaf == 0x8000000a)
		*result = (struct cpuid_result){0, 0, 0, 0};
}
