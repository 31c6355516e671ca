/* SPDX-License-Identifier: Apache-2.0 */
/* MSRs and CPUID as the guest finds them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/core/machine.h"

static const uint64_t nothing_there = 512ull << 30; /* the guest's own tables end here */

static void start(bool x2apic)
{
	const struct machine machine = {.cpus = 2, .x2apic = x2apic};

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

MACHINE_TEST(test_efer)
{
	uint64_t efer;

	start(false);
	accepted(guest_rdmsr(0, MSR_EFER, &efer));
	assert_int_equal(efer, EFER_LME | EFER_LMA | EFER_NXE);
	accepted(guest_wrmsr(0, MSR_EFER, EFER_LME | EFER_SCE));
	accepted(guest_rdmsr(0, MSR_EFER, &efer));
	assert_int_equal(efer, EFER_LME | EFER_LMA | EFER_SCE); /* LMA is the processor's */
	assert_true(cpus[0].vmcb->efer & EFER_SVME);
	refused(guest_wrmsr(0, MSR_EFER, efer | EFER_SVME));
	refused(guest_wrmsr(0, MSR_EFER, efer | EFER_TCE)); /* CPUID has none */
	refused(guest_wrmsr(0, MSR_EFER, efer | 1ull << 40));
	refused(guest_wrmsr(0, MSR_EFER, efer & ~EFER_LME)); /* paging is on */
	accepted(guest_rdmsr(0, MSR_EFER, &efer));
	assert_int_equal(efer, EFER_LME | EFER_LMA | EFER_SCE);
}

MACHINE_TEST(test_svm_is_off)
{
	static const uint32_t none[] = {MSR_VM_HSAVE, MSR_SVM_KEY, MSR_SMM_CTL};
	struct cpuid_result r;
	uint64_t value;

	start(false);
	accepted(guest_rdmsr(0, MSR_VM_CR, &value));
	assert_int_equal(value, 0x18);
	accepted(guest_wrmsr(0, MSR_VM_CR, 0));
	accepted(guest_rdmsr(0, MSR_VM_CR, &value));
	assert_int_equal(value, 0x18);
	for (unsigned i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		refused(guest_rdmsr(0, none[i], &value));
		refused(guest_wrmsr(0, none[i], 0));
	}
	refused(guest_wrmsr(0, MSR_IGNNE, 1));
	accepted(guest_cpuid(0, 0x80000001, 0, &r));
	assert_int_equal(r.ecx & 4, 0);
	assert_int_equal(r.edx, cpuid(0x80000001, 0).edx);
	accepted(guest_cpuid(0, 0x8000000a, 0, &r));
	assert_int_equal(r.eax | r.ebx | r.ecx | r.edx, 0);
}

MACHINE_TEST(test_unknown)
{
	uint64_t value;

	start(false);
	for (unsigned i = 0; i < 100; i++)
		refused(i & 1 ? guest_rdmsr(0, 0x40000000 + i, &value) : guest_wrmsr(0, 0xdeadbeef, i));
	/* A guest cannot fill the log with it. */
	unsigned lines = 0;

	for (const char *at = machine_log(); (at = strstr(at, "refused with #GP")) != NULL; at++)
		lines++;
	assert_int_equal(lines, 16);
}

MACHINE_TEST(test_apic_base)
{
	const uint64_t base = LAPIC_REGISTERS | APIC_BASE_ENABLE | 1u << 8;
	uint64_t value;

	start(false);
	refused(guest_wrmsr(0, MSR_APIC_BASE, base + 0x1000));
	refused(guest_wrmsr(0, MSR_APIC_BASE, base | 1ull << 60));
	accepted(guest_wrmsr(0, MSR_APIC_BASE, base | APIC_BASE_X2APIC));
	accepted(guest_rdmsr(0, MSR_APIC_BASE, &value));
	assert_int_equal(value, base | APIC_BASE_X2APIC);
}

/* What the processor would answer with #GP must not reach it from the hypervisor: it would fault there. */
MACHINE_TEST(test_apic_base_transitions)
{
	const uint64_t base = LAPIC_REGISTERS | 1u << 8;

	start(false);
	refused(guest_wrmsr(0, MSR_APIC_BASE, base | APIC_BASE_ENABLE | 1u << 9));
	refused(guest_wrmsr(0, MSR_APIC_BASE, base | APIC_BASE_X2APIC));
	accepted(guest_wrmsr(0, MSR_APIC_BASE, base));
	refused(guest_wrmsr(0, MSR_APIC_BASE, base | APIC_BASE_ENABLE | APIC_BASE_X2APIC));
	accepted(guest_wrmsr(0, MSR_APIC_BASE, base | APIC_BASE_ENABLE));
	accepted(guest_wrmsr(0, MSR_APIC_BASE, base | APIC_BASE_ENABLE | APIC_BASE_X2APIC));
	refused(guest_wrmsr(0, MSR_APIC_BASE, base | APIC_BASE_ENABLE));
	accepted(guest_wrmsr(0, MSR_APIC_BASE, base));
}

MACHINE_TEST(test_cpuid_mirrors_cr4)
{
	struct cpuid_result r;

	start(false);
	accepted(guest_cpuid(0, 1, 0, &r));
	assert_int_equal(r.ecx, cpuid(1, 0).ecx & ~(1u << 27));
	accepted(guest_cpuid(0, 7, 0, &r));
	assert_int_equal(r.ecx & 1u << 4, 0);
	cpus[0].vmcb->cr4 |= CR4_OSXSAVE | CR4_PKE;
	accepted(guest_cpuid(0, 1, 0, &r));
	assert_int_equal(r.ecx, cpuid(1, 0).ecx | 1u << 27);
	accepted(guest_cpuid(0, 7, 0, &r));
	assert_int_equal(r.ecx & 1u << 4, 1u << 4);
	accepted(guest_cpuid(0, 7, 1, &r));
	assert_int_equal(r.ecx, 0);
}

/* The code behind an exit is fetched once more, and may be gone by then. */
MACHINE_TEST(test_code_is_gone)
{
	struct vcpu *vcpu;

	start(false);
	vcpu = cpus[0].vcpu;
	vcpu->rip = nothing_there;
	vcpu->gpr[0] = 1;
	cpu_exit(&cpus[0], VMEXIT_CPUID, 0, 0);
	assert_int_equal(guest_exception(0), EXCEPTION_PF);
	assert_int_equal(cpus[0].vmcb->cr2, nothing_there);
	assert_int_equal(vcpu->rip, nothing_there);
	assert_int_equal(vcpu->gpr[0], 1);
	/* In the hypervisor's memory there is no code either, and none in trapped registers. */
	vcpu->rip = OWN_MEMORY;
	cpu_exit(&cpus[0], VMEXIT_CPUID, 0, 0);
	assert_int_equal(guest_exception(0), EXCEPTION_GP);
	vcpu->rip = LAPIC_REGISTERS;
	cpu_exit(&cpus[0], VMEXIT_CPUID, 0, 0);
	assert_int_equal(guest_exception(0), EXCEPTION_GP);
}

/* Prefixes count; so does the wrap of a 32-bit instruction pointer. */
MACHINE_TEST(test_lengths)
{
	struct vcpu *vcpu;

	start(false);
	vcpu = cpus[0].vcpu;
	uint64_t rip = vcpu->rip;

	GUEST_CODE(0, 0x66, 0x48, 0x0f, 0xa2);
	vcpu->gpr[0] = 0;
	cpu_exit(&cpus[0], VMEXIT_CPUID, 0, 0);
	assert_int_equal(vcpu->rip, rip + 4);
	cpus[0].vmcb->efer &= ~(EFER_LMA | EFER_LME);
	cpus[0].vmcb->cr0 &= ~CR0_PG;
	cpus[0].vmcb->cs.attributes = 0xc9b;
	cpus[0].vmcb->cs.base = 0x100000000ull - 0xfffffffe + RAM; /* linear: RAM */
	vcpu->rip = 0xfffffffe;
	memcpy((void *)RAM, (const uint8_t[]){0x0f, 0xa2}, 2);
	cpu_exit(&cpus[0], VMEXIT_CPUID, 0, 0);
	assert_int_equal(vcpu->rip, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_efer),
		cmocka_unit_test(test_svm_is_off),
		cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_apic_base),
		cmocka_unit_test(test_apic_base_transitions),
		cmocka_unit_test(test_cpuid_mirrors_cr4),
		cmocka_unit_test(test_code_is_gone),
		cmocka_unit_test(test_lengths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
