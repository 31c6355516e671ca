/* SPDX-License-Identifier: Apache-2.0 */
#include "hv/svm/missing.h"
#include "hv/core/limits.h"

#define SVM_FEATURE_NP         (1u << 0)
#define VM_CR_SVM_DISABLED     (1ull << 4)

bool svm_present(void)
{
	return cpuid(0x80000000, 0).eax >= 0x8000000a && cpuid(0x80000001, 0).ecx & CPUID_SVM;
}

const char *svm_missing(void)
{
	if (!(cpuid(0x8000000a, 0).edx & SVM_FEATURE_NP))
		return "this processor has no nested paging";
	if (rdmsr(MSR_VM_CR) & VM_CR_SVM_DISABLED)
		return "virtualisation (SVM) is disabled in the firmware setup";
	return paging_missing();
}
