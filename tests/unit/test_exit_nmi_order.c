/* SPDX-License-Identifier: Apache-2.0 */
/* The guest's NMIs: sent by its command register or come from outside, one after the other, never within a handler. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "hv/svm/vmcb.h"
#include "tests/core/machine.h"

#define NMI	   2
#define DEBUG	   1
#define ICR_LOW	   0x300u
#define ICR_HIGH   0x310u
#define LDR	   0xd0u
#define DFR	   0xe0u
#define ICR_NMI	   0x4400u
#define ICR_LOGICAL 0x800u
#define DR6_STEP   (1ull << 14)

static void start(unsigned count, bool x2apic)
{
	const struct machine machine = {.cpus = count, .x2apic = x2apic};

	assert_int_equal(machine_start(&machine), 0);
}

static void write_page(unsigned cpu, uint32_t offset, uint32_t value)
{
	assert_true(guest_write(cpu, LAPIC_REGISTERS + offset, 4, value));
}

/* From CPU 0; the targets leave the guest and enter it again. */
static void send(uint32_t destination, uint32_t more)
{
	write_page(0, ICR_HIGH, destination << 24);
	write_page(0, ICR_LOW, ICR_NMI | more);
	while (cpus_take_nmis())
		;
}

/* The CPUs that have taken an NMI, a bit each; their handlers end. */
static uint32_t taken(void)
{
	uint32_t set = 0;

	for (unsigned i = 0; i < cpu_count; i++) {
		if (guest_exception(i) != NMI)
			continue;
		set |= 1u << i;
		cpu_exit(&cpus[i], VMEXIT_IRET, 0, 0);
		cpus[i].vcpu->rip += 2;
		cpu_exit(&cpus[i], VMEXIT_CPUID, 0, 0);
		assert_int_not_equal(guest_exception(i), NMI);
	}
	return set;
}

MACHINE_TEST(test_destinations)
{
	start(4, false);
	send(cpus[2].apic_id, 0);
	assert_int_equal(taken(), 4);
	send(0xff, 0);
	assert_int_equal(taken(), 15);
	send(0, 1u << 18);
	assert_int_equal(taken(), 1);
	send(0, 2u << 18);
	assert_int_equal(taken(), 15);
	send(0, 3u << 18);
	assert_int_equal(taken(), 14);
	assert_int_equal(taken(), 0);
}

/* What a CPU answers to is what it has written itself. */
MACHINE_TEST(test_logical_destinations)
{
	start(4, false);
	for (unsigned i = 0; i < 4; i++) {
		write_page(i, LDR, 1u << (24 + i));
		write_page(i, DFR, UINT32_MAX);
	}
	send(6, ICR_LOGICAL);
	assert_int_equal(taken(), 6);
	send(0xf0, ICR_LOGICAL);
	assert_int_equal(taken(), 0);
	/* Clusters of two. */
	for (unsigned i = 0; i < 4; i++) {
		write_page(i, DFR, 0x0fffffff);
		write_page(i, LDR, (i / 2) << 28 | 1u << (24 + i % 2));
	}
	send(0x12, ICR_LOGICAL);
	assert_int_equal(taken(), 8);
	send(0x03, ICR_LOGICAL);
	assert_int_equal(taken(), 3);
	send(0xff, ICR_LOGICAL);
	assert_int_equal(taken(), 15);
}

MACHINE_TEST(test_logical_destinations_x2apic)
{
	uint64_t set;

	start(4, true);
	set = 1ull << cpus[2].apic_id | 1ull << cpus[3].apic_id;
	assert_true(guest_wrmsr(0, 0x830, set << 32 | ICR_NMI | ICR_LOGICAL));
	while (cpus_take_nmis())
		;
	assert_int_equal(taken(), 12);
	assert_true(guest_wrmsr(0, 0x830, (set | 1ull << 16) << 32 | ICR_NMI | ICR_LOGICAL));
	while (cpus_take_nmis())
		;
	assert_int_equal(taken(), 0);
}

/* A second one waits until the first one's IRET has been executed, which is stepped over for it. */
MACHINE_TEST(test_one_after_the_other)
{
	struct vcpu *vcpu;

	start(2, false);
	vcpu = cpus[1].vcpu;
	send(cpus[1].apic_id, 0);
	assert_int_equal(guest_exception(1), NMI);
	send(cpus[1].apic_id, 0);
	assert_int_equal(guest_exception(1), -1);
	assert_false(cpus[1].vmcb->rflags & RFLAGS_TF);
	cpu_exit(&cpus[1], VMEXIT_IRET, 0, 0);
	assert_int_equal(guest_exception(1), -1);
	assert_true(cpus[1].vmcb->rflags & RFLAGS_TF);
	/* A kick of ours meets it before the IRET. */
	cpus[1].nmi_pending = 1;
	vcpu->kicks_begun++;
	vcpu->kicks_done++;
	cpus_take_nmis();
	assert_int_equal(guest_exception(1), -1);
	assert_true(cpus[1].vmcb->rflags & RFLAGS_TF);
	/* The IRET loads flags without the trap flag, and the step ends. */
	vcpu->rip += 2;
	vcpu->rflags &= ~RFLAGS_TF;
	cpus[1].vmcb->dr6 |= DR6_STEP;
	cpu_exit(&cpus[1], VMEXIT_DEBUG, 0, 0);
	assert_int_equal(guest_exception(1), NMI);
	assert_false(cpus[1].vmcb->dr6 & DR6_STEP);
	assert_int_equal(taken(), 2);
	/* The next one is the guest's own again. */
	cpus[1].vmcb->dr6 |= DR6_STEP;
	cpu_exit(&cpus[1], VMEXIT_DEBUG, 0, 0);
	assert_int_equal(guest_exception(1), DEBUG);
	assert_true(cpus[1].vmcb->dr6 & DR6_STEP);
}

/* #DB before the IRET has been executed is the guest's: a breakpoint on it. */
MACHINE_TEST(test_breakpoint_at_the_end)
{
	struct vcpu *vcpu;

	start(2, false);
	vcpu = cpus[1].vcpu;
	send(cpus[1].apic_id, 0);
	send(cpus[1].apic_id, 0);
	cpu_exit(&cpus[1], VMEXIT_IRET, 0, 0);
	cpus[1].vmcb->dr6 |= 1; /* a breakpoint on the IRET itself */
	cpu_exit(&cpus[1], VMEXIT_DEBUG, 0, 0);
	assert_int_equal(guest_exception(1), DEBUG);
	assert_int_equal(cpus[1].vmcb->dr6 & (DR6_STEP | 15), 1);
	assert_false(cpus[1].vmcb->rflags & RFLAGS_TF);
	/* Its handler: the IRET at its end opens NMIs. */
	vcpu->rip += 64;
	cpu_exit(&cpus[1], VMEXIT_CPUID, 0, 0);
	assert_int_equal(guest_exception(1), -1);
	cpu_exit(&cpus[1], VMEXIT_IRET, 0, 0);
	assert_int_equal(guest_exception(1), -1);
	vcpu->rip -= 64;
	vcpu->rflags &= ~RFLAGS_TF;
	cpu_exit(&cpus[1], VMEXIT_DEBUG, 0, 0);
	assert_int_equal(guest_exception(1), NMI);
}

/* A guest that steps by itself gets its #DB, then the NMI. */
MACHINE_TEST(test_stepping_guest)
{
	struct vcpu *vcpu;

	start(2, false);
	vcpu = cpus[1].vcpu;
	send(cpus[1].apic_id, 0);
	send(cpus[1].apic_id, 0);
	vcpu->rflags |= RFLAGS_TF;
	cpu_exit(&cpus[1], VMEXIT_IRET, 0, 0);
	vcpu->rip += 2;
	cpus[1].vmcb->dr6 |= DR6_STEP;
	cpu_exit(&cpus[1], VMEXIT_DEBUG, 0, 0);
	assert_int_equal(guest_exception(1), DEBUG);
	assert_true(cpus[1].vmcb->dr6 & DR6_STEP);
	/* A signal to itself ends the entry that delivers it. */
	assert_true(cpus_take_nmis());
	assert_int_equal(guest_exception(1), NMI);
}

/* From outside, and beside a kick of ours: never one too many. */
MACHINE_TEST(test_from_outside)
{
	start(2, false);
	cpus[1].nmi_pending = 1;
	cpus_take_nmis();
	assert_int_equal(taken(), 2);
	send(cpus[1].apic_id, 0);
	assert_int_equal(taken(), 2);
	cpu_exit(&cpus[1], VMEXIT_CPUID, 0, 0);
	assert_int_equal(taken(), 0);
}

/* One that comes before the CPU is started is void. */
MACHINE_TEST(test_before_the_start)
{
	start(2, false);
	write_page(0, ICR_HIGH, cpus[1].apic_id << 24);
	write_page(0, ICR_LOW, 0x4500); /* INIT */
	cpus_take_nmis();
	send(cpus[1].apic_id, 0);
	write_page(0, ICR_LOW, 0x4600 | LOW_RAM >> 12);
	cpus_take_nmis();
	assert_int_equal(cpus[1].state, CPU_IN_GUEST);
	assert_int_equal(guest_exception(1), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_destinations),
		cmocka_unit_test(test_logical_destinations),
		cmocka_unit_test(test_logical_destinations_x2apic),
		cmocka_unit_test(test_one_after_the_other),
		cmocka_unit_test(test_breakpoint_at_the_end),
		cmocka_unit_test(test_stepping_guest),
		cmocka_unit_test(test_from_outside),
		cmocka_unit_test(test_before_the_start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
