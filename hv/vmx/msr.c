/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The registers that are VT-x's, and those by which a processor would write memory past
 * the nested page tables, or, for a guest, in the host. SDM volume 4.
 */
#include "hv/vmx/vmx.h"
#include "hv/x86/attempt.h"

#define PEBS_CAPABILITIES 0x34fc0ull /* bits 6, 7, 11:8, 14, 16, 17 of PERF_CAPABILITIES */
#define MISC_UNAVAILABLE  (MISC_BTS_UNAVAILABLE | MISC_PEBS_UNAVAILABLE)

/* VMX reads as disabled and locked: the answer of a machine whose firmware has turned it off. */
static bool read_feature_control(struct vcpu *vcpu, uint64_t *value)
{
	(void)vcpu;
	*value = rdmsr(MSR_FEATURE_CONTROL) & ~(FEATURE_VMX | FEATURE_VMX >> 1);
	*value |= FEATURE_LOCKED;
	return true;
}

static bool read_misc_enable(struct vcpu *vcpu, uint64_t *value)
{
	(void)vcpu;
	if (!attempt_rdmsr(MSR_MISC_ENABLE, value))
		return false;
	*value |= MISC_UNAVAILABLE;
	return true;
}

/* What the firmware has left set may be cleared. */
static bool write_misc_enable(struct vcpu *vcpu, uint64_t value)
{
	uint64_t now;

	(void)vcpu;
	if (!attempt_rdmsr(MSR_MISC_ENABLE, &now) || value & ~now & (MISC_LIMIT_CPUID | MISC_XD_DISABLED))
		return false;
	return attempt_wrmsr(MSR_MISC_ENABLE, (value & ~MISC_UNAVAILABLE) | (now & MISC_UNAVAILABLE));
}

static bool read_perf_capabilities(struct vcpu *vcpu, uint64_t *value)
{
	(void)vcpu;
	if (!attempt_rdmsr(MSR_PERF_CAPABILITIES, value))
		return false;
	*value &= ~PEBS_CAPABILITIES;
	return true;
}

static bool write_xss(struct vcpu *vcpu, uint64_t value)
{
	(void)vcpu;
	return !(value & XSS_PT) && attempt_wrmsr(MSR_XSS, value);
}

#define PT "traces go to physical addresses, past the nested page tables"

const struct msr_rule vmx_msr_rules[] = {
	{MSR_FEATURE_CONTROL, MSR_FEATURE_CONTROL, true, true, read_feature_control, NULL, "VMX is ours; locked"},
	{MSR_TRACE_HUB, MSR_TRACE_HUB, false, true, NULL, NULL, PT},
	{MSR_SMM_MONITOR, MSR_SMM_MONITOR, false, true, NULL, NULL, "a monitor of SMM would stand beside us"},
	{MSR_MISC_ENABLE, MSR_MISC_ENABLE, true, true, read_misc_enable, write_misc_enable, "CPUID and NX are the host's too"},
	{MSR_PERF_CAPABILITIES, MSR_PERF_CAPABILITIES, true, false, read_perf_capabilities, NULL, "no PEBS"},
	{MSR_PEBS_ENABLE, MSR_PEBS_LAST, true, true, NULL, NULL, "a record that is late goes through the host's page tables"},
	{MSR_VMX_BASIC, MSR_VMX_LAST, true, true, NULL, NULL, "VMX is ours"},
	{MSR_RTIT_OUTPUT, MSR_RTIT_OUTPUT + 1, true, true, NULL, NULL, PT},
	{MSR_RTIT_CTL, MSR_RTIT_CTL + 2, true, true, NULL, NULL, PT},
	{MSR_RTIT_RANGES, MSR_RTIT_RANGES + 7, true, true, NULL, NULL, PT},
	{MSR_DS_AREA, MSR_DS_AREA, true, true, NULL, NULL, "where PEBS records go"},
	{MSR_XSS, MSR_XSS, false, true, NULL, write_xss, "XRSTORS would load what Intel PT has"},
	{MSR_HW_FEEDBACK, MSR_HW_FEEDBACK_LAST, true, true, NULL, NULL, "the table is at a physical address"},
};
_Static_assert(sizeof(vmx_msr_rules) / sizeof(vmx_msr_rules[0]) == VMX_MSR_RULES, "vmx.h");
