/* SPDX-License-Identifier: Apache-2.0 */
/* What an Intel processor's guest is not shown, and the registers by which it would reach past the nested page tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "hv/vmx/vmx.h"
#include "tests/core/machine.h"
#include "tests/core/vmx.h"

#define XSETBV 55u

static void start(bool x2apic)
{
	const struct machine machine = {.cpus = 2, .vmx = true, .x2apic = x2apic};

	assert_int_equal(machine_start(&machine), 0);
}

static void refused(bool done)
{
	assert_false(done);
	assert_int_equal(guest_exception(0), EXCEPTION_GP);
	assert_int_equal(guest_error(0), 0);
}

static void accepted(bool done)
{
	assert_true(done);
	assert_int_equal(guest_exception(0), -1);
}

static uint64_t model_msr(uint32_t index)
{
	uint64_t value;

	assert_true(model_msr_read(index, &value));
	return value;
}

/* Records, traces and tables that the processor writes to memory by itself. */
MACHINE_TEST(test_memory_writers)
{
	static const uint32_t all[] = {0x3f1, 0x3f2, 0x3f4, 0x3f5, 0x600, 0x560, 0x561, 0x570, 0x571, 0x572, 0x580, 0x587,
				       0x17d0, 0x17d1, 0x17d4};
	uint64_t value;

	start(false);
	assert_int_equal(model_msr(MSR_RTIT_CTL), 0); /* the firmware's trace has ended */
	for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		refused(guest_rdmsr(0, all[i], &value));
		refused(guest_wrmsr(0, all[i], 1));
	}
	refused(guest_wrmsr(0, MSR_TRACE_HUB, RAM));
	/* The neighbours are the guest's. */
	assert_true(guest_rdmsr(0, MSR_TRACE_HUB, &value));
	assert_true(guest_wrmsr(0, 0x3f0, 1) && guest_wrmsr(0, 0x3f6, 1) && guest_wrmsr(0, 0x573, 1));
}

MACHINE_TEST(test_performance)
{
	uint64_t value;

	start(false);
	accepted(guest_rdmsr(0, MSR_PERF_CAPABILITIES, &value));
	assert_int_equal(value, 0x32fe5 & ~0x34fc0);
	accepted(guest_rdmsr(0, MSR_MISC_ENABLE, &value));
	assert_int_equal(value, MISC_BTS_UNAVAILABLE | MISC_PEBS_UNAVAILABLE | 1);
	/* What the processor says is kept, what the guest is told is not written. */
	accepted(guest_wrmsr(0, MSR_MISC_ENABLE, value | 1u << 16));
	assert_int_equal(model_msr(MSR_MISC_ENABLE), MISC_PEBS_UNAVAILABLE | 1u << 16 | 1);
	/* The counters are the guest's, and as they were at its next entry. */
	model_msr_set(MSR_PERF_GLOBAL_CTRL, 0x700000005);
	cpu_exit(&cpus[0], UINT16_MAX, 0, 0);
	assert_int_equal(model_msr(MSR_PERF_GLOBAL_CTRL), 0x700000005);
}

/* They would change what the host itself finds. */
MACHINE_TEST(test_limits)
{
	start(false);
	refused(guest_wrmsr(0, MSR_MISC_ENABLE, MISC_LIMIT_CPUID));
	refused(guest_wrmsr(0, MSR_MISC_ENABLE, MISC_XD_DISABLED));
	model_msr_set(MSR_MISC_ENABLE, MISC_LIMIT_CPUID | MISC_XD_DISABLED); /* by the firmware */
	accepted(guest_wrmsr(0, MSR_MISC_ENABLE, MISC_LIMIT_CPUID));
	assert_int_equal(model_msr(MSR_MISC_ENABLE), MISC_LIMIT_CPUID);
	accepted(guest_wrmsr(0, MSR_MISC_ENABLE, 0));
	refused(guest_wrmsr(0, MSR_MISC_ENABLE, MISC_LIMIT_CPUID));
}

MACHINE_TEST(test_supervisor_states)
{
	start(false);
	accepted(guest_wrmsr(0, MSR_XSS, 0x1800));
	assert_int_equal(model_msr(MSR_XSS), 0x1800);
	refused(guest_wrmsr(0, MSR_XSS, XSS_PT | 0x1800));
	refused(guest_wrmsr(0, MSR_XSS, 1ull << 40)); /* by the processor: not in the host */
	assert_int_equal(model_msr(MSR_XSS), 0x1800);
}

/* A processor that keeps its x2APIC mode refuses to leave it. */
MACHINE_TEST(test_x2apic_kept)
{
	start(true);
	cpus_keep_x2apic = true;
	refused(guest_wrmsr(0, MSR_APIC_BASE, 1u << 8 | LAPIC_REGISTERS));
	cpus_keep_x2apic = false;
	accepted(guest_wrmsr(0, MSR_APIC_BASE, 1u << 8 | LAPIC_REGISTERS));
}

MACHINE_TEST(test_hidden)
{
	static const struct {
		uint32_t leaf, subleaf;
		struct cpuid_result gone;
	} all[] = {
		{1, 0, {0, 0, 0x74, 1u << 21}}, {6, 0, {1u << 19 | 1u << 23, 0, 0xff00, UINT32_MAX}},
		{7, 0, {0, 1u << 25, 0, 1u << 18}}, {7, 1, {1u << 17 | 1u << 27, 0, 0, 0}}, {7, 2, {0, 0, 0, 0}},
		{0xd, 0, {0, 0, 0, 0}}, {0xd, 1, {0, 0, 1u << 8, 0}}, {0xd, 8, {UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX}},
		{0x14, 0, {UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX}}, {0x14, 1, {UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX}},
		{0x15, 0, {0, 0, 0, 0}}, {0x23, 0, {0x30, 0, 0, 0}}, {0x23, 5, {UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX}},
	};
	struct cpuid_result leaf;

	start(false);
	for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		leaf = (struct cpuid_result){UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX};
		vmx_backend.hide_from_cpuid(all[i].leaf, all[i].subleaf, &leaf);
		assert_int_equal(leaf.eax, ~all[i].gone.eax);
		assert_int_equal(leaf.ebx, ~all[i].gone.ebx);
		assert_int_equal(leaf.ecx, ~all[i].gone.ecx);
		assert_int_equal(leaf.edx, ~all[i].gone.edx);
	}
	accepted(guest_cpuid(0, 1, 0, &leaf));
	assert_int_equal(leaf.edx, cpuid(1, 0).edx & ~(1u << 21));
}

static void xsetbv(uint64_t index, uint64_t value)
{
	struct vcpu *vcpu = cpus[0].vcpu;

	GUEST_CODE(0, 0x0f, 0x01, 0xd1);
	vcpu->gpr[1] = index;
	vcpu->gpr[0] = (uint32_t)value;
	vcpu->gpr[2] = value >> 32;
	cpu_exit(&cpus[0], XSETBV, 0, 0);
}

/* The processor says what it takes. */
MACHINE_TEST(test_xsetbv)
{
	static const uint64_t bad[] = {0, 5, 1ull << 40 | 1};

	start(false);
	uint64_t rip = cpus[0].vcpu->rip;

	for (unsigned i = 0; i < 3; i++) {
		xsetbv(0, bad[i]);
		refused(false);
	}
	xsetbv(1, 1);
	refused(false);
	assert_int_equal(cpus[0].vcpu->rip, rip);
	assert_int_equal(cpus[0].xcr0, 0);
	xsetbv(0xffffffff00000000, 7); /* of RCX the lower half counts */
	accepted(true);
	assert_int_equal(cpus[0].vcpu->rip, rip + 3);
	assert_int_equal(cpus[0].xcr0, 7);
	model_vmx_set_field(&cpus[0], VMCS_GUEST_RIGHTS + 2 * VMCS_SS, 0xc0f3); /* of privilege level 3 */
	xsetbv(0, 1);
	refused(false);
	assert_int_equal(cpus[0].xcr0, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_memory_writers),
		cmocka_unit_test(test_performance),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_supervisor_states),
		cmocka_unit_test(test_x2apic_kept),
		cmocka_unit_test(test_hidden),
		cmocka_unit_test(test_xsetbv),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
