/* SPDX-License-Identifier: Apache-2.0 */
/* The guest's NMIs among kicks of ours: each is taken once, none is made up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "hv/core/event.h"
#include "hv/core/shootdown.h"
#include "tests/core/machine.h"

#define ICR_LOW	    0x300u
#define ICR_HIGH    0x310u
#define NMI	    0x400u
#define INIT	    0x4500u
#define SIPI	    0x4600u
#define LOGICAL	    (1u << 11)
#define SELF	    (1u << 18)
#define ALL	    (2u << 18)
#define OTHERS	    (3u << 18)

static void start(bool x2apic)
{
	const struct machine machine = {.cpus = 3, .x2apic = x2apic};

	assert_int_equal(machine_start(&machine), 0);
}

static void command(unsigned from, uint32_t destination, uint32_t low)
{
	if (cpus[from].apic_base & APIC_BASE_X2APIC) {
		assert_true(guest_wrmsr(from, MSR_X2APIC_ICR, (uint64_t)destination << 32 | low));
		return;
	}
	assert_true(guest_write(from, LAPIC_REGISTERS + ICR_HIGH, 4, destination << 24));
	assert_true(guest_write(from, LAPIC_REGISTERS + ICR_LOW, 4, low));
}

static void kick(unsigned cpu)
{
	vcpu_kick(cpus[cpu].vcpu);
}

/* What has been sent arrives; how many NMIs the guest on `cpu` takes, each with its handler's end. */
static unsigned taken(unsigned cpu)
{
	struct cpuid_result ignored;
	unsigned count = 0;

	cpus_take_nmis();
	while (guest_exception(cpu) == EXCEPTION_NMI) {
		count++;
		cpu_exit(&cpus[cpu], VMEXIT_IRET, 0, 0);
		cpus_take_nmis();
	}
	assert_int_equal(guest_exception(cpu), -1);
	/* Another exit brings none to light. */
	assert_true(guest_cpuid(cpu, 0, 0, &ignored));
	assert_int_equal(guest_exception(cpu), -1);
	return count;
}

static void once(bool x2apic)
{
	start(x2apic);
	command(0, cpus[1].apic_id, NMI);
	assert_int_equal(taken(1), 1);
	assert_int_equal(taken(0), 0);
	assert_int_equal(taken(2), 0);
	/* What went out was the kick alone. */
	assert_int_equal(cpus[0].sent_count, 1);
	assert_int_equal(cpus[0].sent[0].destination, cpus[1].apic_id);
}

MACHINE_TEST(test_once)
{
	once(false);
}

MACHINE_TEST(test_once_x2apic)
{
	once(true);
}

MACHINE_TEST(test_kick_is_none)
{
	start(false);
	kick(1);
	assert_int_equal(taken(1), 0);
	kick(1);
	kick(1);
	assert_int_equal(taken(1), 0);
}

/* They merge in the processor, before and after. */
MACHINE_TEST(test_with_kicks)
{
	start(false);
	kick(1);
	command(0, cpus[1].apic_id, NMI);
	kick(1);
	assert_int_equal(taken(1), 1);
	command(2, cpus[1].apic_id, NMI);
	cpus_take_nmis();
	assert_int_equal(guest_exception(1), EXCEPTION_NMI);
	kick(1);
	cpus_take_nmis();
	assert_int_equal(guest_exception(1), -1);
	cpu_exit(&cpus[1], VMEXIT_IRET, 0, 0);
	assert_int_equal(guest_exception(1), -1);
}

/* While its handler runs one more is kept, and no more than one. */
MACHINE_TEST(test_one_waits)
{
	start(false);
	command(0, cpus[1].apic_id, NMI);
	cpus_take_nmis();
	assert_int_equal(guest_exception(1), EXCEPTION_NMI);
	for (unsigned i = 0; i < 3; i++) {
		command(0, cpus[1].apic_id, NMI);
		cpus_take_nmis();
		assert_int_equal(guest_exception(1), -1);
	}
	/* Not before its IRET has been executed; see test_exit_nmi_order. */
	cpu_exit(&cpus[1], VMEXIT_IRET, 0, 0);
	assert_int_equal(guest_exception(1), -1);
	cpus[1].vcpu->rip += 2;
	cpus[1].vcpu->rflags &= ~RFLAGS_TF;
	cpu_exit(&cpus[1], VMEXIT_DEBUG, 0, 0);
	assert_int_equal(guest_exception(1), EXCEPTION_NMI);
	cpu_exit(&cpus[1], VMEXIT_IRET, 0, 0);
	assert_int_equal(guest_exception(1), -1);
}

/* Another event goes first, and does not hold it up until some later exit. */
MACHINE_TEST(test_behind_another_event)
{
	start(false);
	command(0, cpus[1].apic_id, NMI);
	cpus[1].nmi_pending = 0;
	cpus[1].vmcb->exit_int_info = EVENT_VALID | EVENT_EXCEPTION | EXCEPTION_PF;
	cpu_exit(&cpus[1], VMEXIT_NMI, 0, 0);
	assert_int_equal(guest_exception(1), EXCEPTION_PF);
	cpus_take_nmis();
	assert_int_equal(guest_exception(1), EXCEPTION_NMI);
	cpu_exit(&cpus[1], VMEXIT_IRET, 0, 0);
	assert_int_equal(guest_exception(1), -1);
}

MACHINE_TEST(test_shorthands)
{
	static const struct {
		uint32_t low, destination;
		unsigned taken[3];
	} sent[] = {
		{NMI | SELF, 0, {0, 1, 0}}, {NMI | ALL, 0, {1, 1, 1}}, {NMI | OTHERS, 0, {1, 0, 1}},
		{NMI, 0xff, {1, 1, 1}},	    {NMI, 0x77, {0, 0, 0}},    {NMI | SELF | LOGICAL, 0, {0, 1, 0}},
	};

	start(false);
	for (unsigned i = 0; i < sizeof(sent) / sizeof(sent[0]); i++) {
		command(1, sent[i].destination, sent[i].low);
		/* The sender's own comes with its next entry: that was this one. */
		unsigned own = guest_exception(1) == EXCEPTION_NMI;

		if (own)
			cpu_exit(&cpus[1], VMEXIT_IRET, 0, 0);
		assert_int_equal(taken(0), sent[i].taken[0]);
		assert_int_equal(own, sent[i].taken[1]);
		assert_int_equal(taken(2), sent[i].taken[2]);
	}
}

/* A device's. */
MACHINE_TEST(test_real_ones)
{
	start(false);
	cpus[2].nmi_pending = 1;
	assert_int_equal(taken(2), 1);
	cpus[2].nmi_pending = 1;
	cpu_exit(&cpus[2], VMEXIT_SMI, 0, 0);
	assert_int_equal(guest_exception(2), EXCEPTION_NMI);
}

/* A CPU that waits for its start does not keep one for later, and INIT drops what waited. */
MACHINE_TEST(test_start)
{
	start(false);
	command(0, cpus[1].apic_id, NMI);
	cpus[1].vcpu->gpr[6] = 0x1234;
	cpus[1].vcpu->rflags |= RFLAGS_DF;
	cpus[1].breakpoint[2] = 0x1000;
	command(0, cpus[1].apic_id, INIT);
	cpus_take_nmis();
	assert_int_equal(cpus[1].state, CPU_WAITING);
	assert_int_equal(cpus[1].vcpu->rip, 0xfff0);
	assert_int_equal(cpus[1].vcpu->rflags, RFLAGS_FIXED);
	assert_int_equal(cpus[1].vcpu->gpr[2], cpuid(1, 0).eax);
	assert_int_equal(cpus[1].vcpu->gpr[6] | cpus[1].breakpoint[2], 0);
	command(0, cpus[1].apic_id, NMI);
	cpus_take_nmis();
	assert_int_equal(cpus[1].state, CPU_WAITING);
	command(0, cpus[1].apic_id, SIPI | 0x12);
	cpus_take_nmis();
	assert_int_equal(cpus[1].state, CPU_IN_GUEST);
	assert_int_equal(cpus[1].vmcb->cs.base, 0x12000);
	assert_int_equal(guest_exception(1), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_once),
		cmocka_unit_test(test_once_x2apic),
		cmocka_unit_test(test_kick_is_none),
		cmocka_unit_test(test_with_kicks),
		cmocka_unit_test(test_one_waits),
		cmocka_unit_test(test_behind_another_event),
		cmocka_unit_test(test_shorthands),
		cmocka_unit_test(test_real_ones),
		cmocka_unit_test(test_start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
