/* SPDX-License-Identifier: Apache-2.0 */
/* CPUs that exit at interrupts for a while, and what the guest is given afterwards. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include <pthread.h>

#include "hv/core/event.h"
#include "hv/core/hypercall.h"
#include "hv/core/interrupts.h"
#include "hv/core/ioport.h"
#include "hv/core/lapic.h"
#include "hv/core/mediator.h"
#include "hv/svm/vmcb.h"
#include "tests/core/machine.h"

#define WATCH	0x5550u /* ports of the mediator: it watches the CPUs whose bits are written, */
#define UNWATCH 0x5554u /* and stops */

static unsigned told; /* how often the mediator was */
static bool given_already;
static unsigned ended;
static bool shut_down, shut_down_in_guest;

/* ---- a mediator that watches ------------------------------------------------------------------------- */

static bool match(const struct boot_info *info)
{
	(void)info;
	return true;
}

static void out(void *context, uint16_t port, unsigned size, uint32_t value)
{
	(void)context;
	(void)size;
	(port == WATCH ? interrupts_watch : interrupts_unwatch)(value);
}

static int init(const struct boot_info *info)
{
	static const struct ioport_hook watch = {.name = "watch", .first = WATCH, .last = WATCH, .width = 4, .out = out};
	static const struct ioport_hook unwatch = {.name = "unwatch", .first = UNWATCH, .last = UNWATCH, .width = 4, .out = out};

	(void)info;
	return ioport_add(&watch) | ioport_add(&unwatch);
}

static void interrupt(unsigned cpu)
{
	told++;
	given_already |= vcpus[cpu] != this_vcpu() || backend->pending_interrupt(vcpus[cpu]) >= 0;
}

static void nothing(void)
{
}

static void shutdown(void)
{
	shut_down = true;
	shut_down_in_guest |= this_vcpu()->in_guest;
}

static const struct mediator watcher = {
	.name = "watcher", .match = match, .init = init, .quiesce = nothing, .shutdown = shutdown, .interrupt = interrupt};
REGISTER_MEDIATOR(watcher);

static void start(void)
{
	const struct machine machine = {.cpus = 3};

	assert_int_equal(machine_start(&machine), 0);
}

static bool intercepts(unsigned cpu)
{
	return cpus[cpu].vmcb->intercepts1 & VMCB_INTR;
}

static void any_exit(unsigned cpu)
{
	cpu_exit(&cpus[cpu], VMEXIT_INVLPGA, 0, 0);
}

MACHINE_TEST(only_while_watched)
{
	start();
	any_exit(0);
	assert_false(intercepts(0));
	assert_false(cpu_interrupt(&cpus[0], 0x40));
	assert_int_equal(told, 0);
	memset(cpus[0].interrupts, 0, sizeof(cpus[0].interrupts));
	guest_out(0, WATCH, 4, 1);
	any_exit(0);
	assert_true(intercepts(0));
	assert_false(intercepts(1));
	assert_true(cpu_interrupt(&cpus[0], 0x41));
	assert_int_equal(told, 1);
	assert_false(given_already);
	assert_int_equal(cpu_take_interrupt(&cpus[0]), 0x41);
	assert_int_equal(guest_exception(0), -1);
	guest_out(0, UNWATCH, 4, 1);
	any_exit(0);
	assert_false(intercepts(0));
	assert_int_equal(cpu_take_interrupt(&cpus[0]), -1);
}

/* The exits last until the guest has taken its interrupt; one more may come, and is left to the guest. */
MACHINE_TEST(exits_end)
{
	start();
	guest_out(0, WATCH, 4, 1);
	cpu_interrupt(&cpus[0], 0x41);
	guest_out(0, UNWATCH, 4, 1);
	assert_true(intercepts(0));
	assert_int_equal(cpu_take_interrupt(&cpus[0]), 0x41);
	told = 0;
	assert_true(cpu_interrupt(&cpus[0], 0x60));
	assert_false(intercepts(0));
	assert_int_equal(cpu_take_interrupt(&cpus[0]), -1);
	assert_int_equal(told, 0);
	assert_int_equal(cpus[0].interrupts[1], 1ull << 32);
}

/* Two have watched: both have to stop. */
MACHINE_TEST(counted)
{
	start();
	guest_out(0, WATCH, 4, 1);
	guest_out(0, WATCH, 4, 3);
	guest_out(0, UNWATCH, 4, 1);
	any_exit(0);
	any_exit(1);
	assert_true(intercepts(0));
	assert_true(intercepts(1));
	guest_out(0, UNWATCH, 4, 3);
	any_exit(0);
	any_exit(1);
	assert_false(intercepts(0));
	assert_false(intercepts(1));
}

MACHINE_TEST(nothing_was_pending)
{
	start();
	guest_out(0, WATCH, 4, 1);
	any_exit(0);
	cpu_exit(&cpus[0], VMEXIT_INTR, 0, 0);
	assert_int_equal(cpu_take_interrupt(&cpus[0]), -1);
	assert_int_equal(told, 1);
}

/*
 * One that overtakes what the guest was given and has not taken goes first; the
 * other follows when its handler has ended, and there is one exit for that.
 */
MACHINE_TEST(one_overtakes_another)
{
	start();
	guest_out(0, WATCH, 4, 1);
	cpu_interrupt(&cpus[0], 0x50);
	guest_out(0, UNWATCH, 4, 1);
	assert_true(intercepts(0));
	assert_true(cpu_interrupt(&cpus[0], 0xa0));
	assert_true(cpus[0].vmcb->intercepts1 & VMCB_IRET);
	assert_int_equal(cpu_take_interrupt(&cpus[0]), 0xa0);
	assert_int_equal(cpu_take_interrupt(&cpus[0]), -1);
	any_exit(0); /* in the handler, which may have let in higher ones */
	assert_int_equal(cpu_take_interrupt(&cpus[0]), -1);
	assert_true(cpus[0].vmcb->intercepts1 & VMCB_IRET);
	cpu_end_of_interrupt(&cpus[0]);
	cpu_exit(&cpus[0], VMEXIT_IRET, 0, 0);
	assert_false(cpus[0].vmcb->intercepts1 & VMCB_IRET);
	assert_int_equal(cpu_take_interrupt(&cpus[0]), 0x50);
	any_exit(0);
	assert_int_equal(cpu_take_interrupt(&cpus[0]), -1);
	assert_false(intercepts(0));
}

/* By a write that exits, the end of an interrupt is seen at once. */
MACHINE_TEST(end_that_exits)
{
	start();
	guest_out(0, WATCH, 4, 1);
	cpu_interrupt(&cpus[0], 0x50);
	cpu_interrupt(&cpus[0], 0xa0);
	assert_int_equal(cpu_take_interrupt(&cpus[0]), 0xa0);
	assert_true(guest_write(0, LAPIC_REGISTERS + 0x80, 4, 0x60)); /* a task's priority holds it back as well */
	assert_true(guest_write(0, LAPIC_REGISTERS + 0xb0, 4, 0));
	assert_int_equal(cpu_take_interrupt(&cpus[0]), -1);
	assert_true(guest_write(0, LAPIC_REGISTERS + 0x80, 4, 0));
	assert_int_equal(cpu_take_interrupt(&cpus[0]), 0x50);
}

static bool stepped(void)
{
	return cpus[0].vcpu->rflags & RFLAGS_TF && cpus[0].vmcb->exceptions >> EXCEPTION_DB & 1;
}

/* Three: the IRET of the first one's handler is stepped over, for the second's has to be seen. So is that of a handler in the handler. */
MACHINE_TEST(three_at_once)
{
	start();
	guest_out(0, WATCH, 4, 1);
	cpu_interrupt(&cpus[0], 0x50);
	cpu_interrupt(&cpus[0], 0x70);
	cpu_interrupt(&cpus[0], 0xa0);
	assert_int_equal(cpu_take_interrupt(&cpus[0]), 0xa0);
	cpu_exit(&cpus[0], VMEXIT_IRET, 0, 0);
	assert_int_equal(cpu_take_interrupt(&cpus[0]), -1);
	assert_true(stepped());
	assert_false(cpus[0].vmcb->intercepts1 & VMCB_IRET);
	cpu_exit(&cpus[0], VMEXIT_DEBUG, 0, 0);
	assert_false(stepped());
	assert_true(cpus[0].vmcb->intercepts1 & VMCB_IRET);
	cpu_end_of_interrupt(&cpus[0]);
	cpu_exit(&cpus[0], VMEXIT_IRET, 0, 0);
	assert_int_equal(cpu_take_interrupt(&cpus[0]), 0x70);
	assert_true(stepped());
	cpu_exit(&cpus[0], VMEXIT_DEBUG, 0, 0);
	assert_true(cpus[0].vmcb->intercepts1 & VMCB_IRET);
	cpu_end_of_interrupt(&cpus[0]);
	cpu_exit(&cpus[0], VMEXIT_IRET, 0, 0);
	assert_int_equal(cpu_take_interrupt(&cpus[0]), 0x50);
	assert_false(stepped());
}

/* An exit in the middle of its delivery: given again, and never by event injection. */
MACHINE_TEST(delivery_cut_short)
{
	static const uint64_t reported[] = {
		EVENT_VALID | EVENT_INTERRUPT | 0x66, EVENT_VALID | EVENT_EXCEPTION | 0x66};

	start();
	for (unsigned i = 0; i < 2; i++) {
		guest_out(0, WATCH, 4, 1);
		any_exit(0);
		cpu_interrupt(&cpus[0], 0x66);
		assert_int_equal(cpu_take_interrupt(&cpus[0]), 0x66);
		guest_out(0, UNWATCH, 4, 1);
		cpus[0].vmcb->exit_int_info = reported[i];
		any_exit(0);
		assert_int_equal(cpus[0].event & EVENT_TYPE & ~EVENT_EXCEPTION, 0);
		assert_int_equal(cpu_take_interrupt(&cpus[0]), 0x66);
		cpu_end_of_interrupt(&cpus[0]);
	}
}

/* Some emulators report the cut delivery of a virtual interrupt, and let it pend as well: it is one. */
MACHINE_TEST(reported_and_still_pending)
{
	start();
	guest_out(0, WATCH, 4, 1);
	cpu_interrupt(&cpus[0], 0x66);
	cpus[0].vmcb->exit_int_info = EVENT_VALID | EVENT_EXCEPTION | 0x66;
	any_exit(0);
	assert_false(cpus[0].vmcb->intercepts1 & VMCB_IRET);
	assert_int_equal(cpu_take_interrupt(&cpus[0]), 0x66);
	any_exit(0);
	assert_int_equal(cpu_take_interrupt(&cpus[0]), -1);
}

/* A local APIC knows all from 16 on; what has the vector of a machine check is none while none is in progress. */
MACHINE_TEST(vectors_of_exceptions)
{
	start();
	guest_out(0, WATCH, 4, 1);
	for (unsigned vector = 16; vector < 32; vector++) {
		assert_true(cpu_interrupt(&cpus[0], (uint8_t)vector));
		assert_int_equal(cpu_take_interrupt(&cpus[0]), vector);
		assert_int_equal(guest_exception(0), -1);
		cpu_end_of_interrupt(&cpus[0]);
	}
}

MACHINE_TEST(machine_check)
{
	start();
	guest_out(0, WATCH, 4, 1);
	cpus[0].mcg_status = 1 << 2;
	cpu_interrupt(&cpus[0], 18);
	assert_int_equal(cpus[0].state, CPU_STOPPED);
	assert_non_null(strstr(machine_log(), "machine check"));
}

MACHINE_TEST(an_nmi_beside_it)
{
	start();
	guest_out(0, WATCH, 4, 1);
	any_exit(0);
	cpus[0].nmi_pending = 1;
	cpu_interrupt(&cpus[0], 0x45);
	assert_int_equal(guest_exception(0), EXCEPTION_NMI);
	assert_int_equal(cpu_take_interrupt(&cpus[0]), 0x45);
}

/* Whether the guest goes on behind its HLT. */
static bool halt(bool interrupts_on)
{
	struct vcpu *vcpu = vcpus[0];
	uint64_t rip = vcpu->rip;

	GUEST_CODE(0, 0xf4);
	vcpu->rflags = (vcpu->rflags & ~RFLAGS_IF) | (interrupts_on ? RFLAGS_IF : 0);
	cpu_exit(&cpus[0], VMEXIT_HLT, 0, 0);
	return vcpu->rip == rip + 1;
}

static bool watches_halt(void)
{
	return cpus[0].vmcb->intercepts1 & VMCB_HLT;
}

/* A guest that halts before it has taken what it was given wakes at once, whatever has become of the given one. */
MACHINE_TEST(halt_before_it_is_taken)
{
	start();
	guest_out(0, WATCH, 4, 1);
	assert_false(watches_halt());
	cpu_interrupt(&cpus[0], 0x48);
	assert_true(watches_halt());
	cpus[0].vmcb->interrupt_state = 1;
	assert_true(halt(true));
	assert_int_equal(cpus[0].vmcb->interrupt_state, 0);
	assert_int_equal(cpu_take_interrupt(&cpus[0]), 0x48);
	any_exit(0);
	assert_false(watches_halt());
}

/* With interrupts off it halts, which is the processor's to do; the next time we look again. */
MACHINE_TEST(halt_with_interrupts_off)
{
	start();
	guest_out(0, WATCH, 4, 1);
	cpu_interrupt(&cpus[0], 0x48);
	assert_false(halt(false));
	assert_false(watches_halt());
	any_exit(0);
	assert_true(watches_halt());
	assert_int_equal(cpu_take_interrupt(&cpus[0]), 0x48);
}

/* INIT: the local APIC forgets it, and so do we. */
MACHINE_TEST(init_forgets)
{
	start();
	guest_out(1, WATCH, 4, 2);
	interrupt_taken(vcpus[1], 0x77);
	assert_true(guest_write(0, LAPIC_REGISTERS + 0x310, 4, (uint64_t)cpus[1].apic_id << 24));
	assert_true(guest_write(0, LAPIC_REGISTERS + 0x300, 4, 0x4500));
	cpus_take_nmis();
	assert_int_equal(cpus[1].state, CPU_WAITING);
	assert_true(guest_write(0, LAPIC_REGISTERS + 0x300, 4, 0x4608));
	cpus_take_nmis();
	assert_int_equal(cpus[1].state, CPU_IN_GUEST);
	assert_int_equal(cpu_take_interrupt(&cpus[1]), -1);
	assert_true(intercepts(1));
}

/* ---- between CPUs ------------------------------------------------------------------------------------ */

/* One in the guest is made to leave it, once; when the call returns, the entry that watches has begun. */
MACHINE_TEST(another_cpu)
{
	start();
	guest_out(0, WATCH, 4, 6);
	assert_true(intercepts(1));
	assert_true(intercepts(2));
	assert_false(intercepts(0));
	assert_int_equal(cpus[0].sent_count, 2);
	/* They watch already: nobody is disturbed. */
	guest_out(0, WATCH, 4, 6);
	assert_int_equal(cpus[0].sent_count, 2);
	guest_out(0, UNWATCH, 4, 6);
	guest_out(0, UNWATCH, 4, 6);
	assert_int_equal(cpus[0].sent_count, 2);
	any_exit(1);
	assert_false(intercepts(1));
}

/* Nobody waits for a CPU that resets the machine, and may want the waiting one's lock for it. */
MACHINE_TEST(reset_before_an_entry)
{
	start();
	assert_true(guest_write(1, LAPIC_REGISTERS + 0x310, 4, (uint64_t)cpus[0].apic_id << 24));
	assert_true(guest_write(1, LAPIC_REGISTERS + 0x300, 4, 0x4500));
	cpus_take_nmis();
	assert_int_equal(cpus[0].state, CPU_STOPPED);
	assert_true(shut_down);
	assert_false(shut_down_in_guest);
}

/* Each CPU watches the others and itself, and stops again; whoever is in the guest then has the intercept. */
static void *turns(void *index)
{
	unsigned cpu = (unsigned)(uintptr_t)index;

	for (unsigned i = 0; i < 2000; i++) {
		guest_out(cpu, WATCH, 4, 7);
		if (!intercepts(cpu))
			platform_violation("cpu %u is in the guest and does not watch", cpu);
		guest_out(cpu, UNWATCH, 4, 7);
		while (__atomic_load_n(&cpus[cpu].nmi_pending, __ATOMIC_SEQ_CST))
			cpu_exit(&cpus[cpu], VMEXIT_NMI, 0, 0);
	}
	__atomic_add_fetch(&ended, 1, __ATOMIC_SEQ_CST);
	/* The others may still wait for this one to leave the guest. */
	while (__atomic_load_n(&ended, __ATOMIC_SEQ_CST) < 3)
		any_exit(cpu);
	return NULL;
}

MACHINE_TEST(all_at_once)
{
	pthread_t thread[3];

	start();
	cpus_threaded = true;
	for (uintptr_t i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, turns, (void *)i), 0);
	for (unsigned i = 0; i < 3; i++)
		pthread_join(thread[i], NULL);
	cpus_threaded = false;
	for (unsigned i = 0; i < 3; i++) {
		any_exit(i);
		assert_false(intercepts(i));
	}
}

/* ---- messages ---------------------------------------------------------------------------------------- */

MACHINE_TEST(messages)
{
	static const struct {
		uint64_t address;
		uint64_t cpus;
	} message[] = {
		{0xfee77000, 7}, {0xfeeff000, 7}, {0xfee0200c, 2}, {0xfee05004, 5}, {0xfee08004, 7},
	};

	start();
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(lapic_message_cpus(0xfee00000 | cpus[i].apic_id << 12), 1u << i);
		assert_int_equal(lapic_message_cpus(0xfee00008 | cpus[i].apic_id << 12), 1u << i);
		assert_true(guest_write(i, LAPIC_REGISTERS + 0xe0, 4, UINT32_MAX));
		assert_true(guest_write(i, LAPIC_REGISTERS + 0xd0, 4, 1ull << (24 + i)));
	}
	for (unsigned i = 0; i < sizeof(message) / sizeof(message[0]); i++)
		assert_int_equal(lapic_message_cpus(message[i].address), message[i].cpus);
}

/* Where the trap is lifted the registers are written unseen: they are looked at when an interrupt has come. */
MACHINE_TEST(messages_with_the_trap_lifted)
{
	const struct machine machine = {.cpus = 1, .fast_icr = true};

	assert_int_equal(machine_start(&machine), 0);
	cpus[0].vcpu->gpr[0] = HYPERCALL_MAGIC;
	cpus[0].vcpu->gpr[3] = HYPERCALL_BOOT_SERVICES_DONE;
	assert_true(guest_vmmcall(0));
	cpus[0].lapic[0xd0 / 16] = 0x04000000;
	assert_int_equal(vcpus[0]->logical_id, 0);
	assert_int_equal(lapic_message_cpus(0xfee04004), 1);
	guest_out(0, WATCH, 4, 1);
	assert_true(cpu_interrupt(&cpus[0], 0x40));
	assert_int_equal(vcpus[0]->logical_id, 0x04000000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_while_watched),
		cmocka_unit_test(exits_end),
		cmocka_unit_test(counted),
		cmocka_unit_test(nothing_was_pending),
		cmocka_unit_test(one_overtakes_another),
		cmocka_unit_test(end_that_exits),
		cmocka_unit_test(three_at_once),
		cmocka_unit_test(delivery_cut_short),
		cmocka_unit_test(reported_and_still_pending),
		cmocka_unit_test(vectors_of_exceptions),
		cmocka_unit_test(machine_check),
		cmocka_unit_test(an_nmi_beside_it),
		cmocka_unit_test(halt_before_it_is_taken),
		cmocka_unit_test(halt_with_interrupts_off),
		cmocka_unit_test(init_forgets),
		cmocka_unit_test(another_cpu),
		cmocka_unit_test(reset_before_an_entry),
		cmocka_unit_test(all_at_once),
		cmocka_unit_test(messages),
		cmocka_unit_test(messages_with_the_trap_lifted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
