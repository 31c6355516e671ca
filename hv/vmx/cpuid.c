/* SPDX-License-Identifier: Apache-2.0 */
/* What of CPUID is hidden: it is ours, or refused (msr.c), or needs a control of VT-x that is off. SDM volume 2, CPUID. */
#include "hv/vmx/vmx.h"

#define ANY UINT32_MAX
#define ALL UINT32_MAX

static const struct {
	uint32_t leaf, subleaf;
	struct cpuid_result bits;
	const char *reason;
} hidden[] = {
	{1, ANY, {.ecx = CPUID_VMX | CPUID_SMX}, "VMX, SMX"},
	{1, ANY, {.ecx = 1u << 2 | 1u << 4, .edx = 1u << 21}, "the debug store, PEBS in it"},
	{6, ANY, {.eax = 1u << 19 | 1u << 23, .ecx = 0xff00, .edx = ALL}, "hardware feedback"},
	{7, 0, {.ebx = 1u << 25}, "Intel PT"},
	{7, 0, {.edx = 1u << 18}, "PCONFIG"},
	{7, 1, {.eax = 1u << 17 | 1u << 27}, "FRED, RDMSRLIST"},
	{0x0d, 1, {.ecx = 1u << 8}, "Intel PT's state"},
	{0x0d, 8, {ALL, ALL, ALL, ALL}, "Intel PT's state"},
	{0x14, ANY, {ALL, ALL, ALL, ALL}, "Intel PT"},
	{0x23, 0, {.eax = 1u << 4 | 1u << 5}, "architectural PEBS"},
	{0x23, 4, {ALL, ALL, ALL, ALL}, "architectural PEBS"},
	{0x23, 5, {ALL, ALL, ALL, ALL}, "architectural PEBS"},
};

void vmx_hide_from_cpuid(uint32_t leaf, uint32_t subleaf, struct cpuid_result *result)
{
	for (unsigned i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++) {
		if (hidden[i].leaf != leaf || (hidden[i].subleaf != ANY && hidden[i].subleaf != subleaf))
			continue;
		result->eax &= ~hidden[i].bits.eax;
		result->ebx &= ~hidden[i].bits.ebx;
		result->ecx &= ~hidden[i].bits.ecx;
		result->edx &= ~hidden[i].bits.edx;
	}
}
