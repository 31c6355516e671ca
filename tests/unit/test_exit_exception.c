/* SPDX-License-Identifier: Apache-2.0 */
/* #DB and #AC, which exit so that no delivery goes on without an end: the guest gets them as if they had not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "hv/core/event.h"
#include "hv/svm/vmcb.h"
#include "tests/core/machine.h"

#define EVENT(type, vector) (EVENT_VALID | (type) | (vector))
#define DR7_ARMED 0x401ull
#define BOTH	  (1u << EXCEPTION_DB | 1u << EXCEPTION_AC)

static struct vcpu *start(void)
{
	const struct machine machine = {.cpus = 2};

	assert_int_equal(machine_start(&machine), 0);
	return cpus[0].vcpu;
}

/* The guest raises it; `info` is the event that was being delivered, 0 when none. */
static void raise(uint64_t code, uint64_t info)
{
	cpus[0].vmcb->exit_int_info = info;
	cpu_exit(&cpus[0], code, 0, 0);
}

static void any_exit(void)
{
	cpu_exit(&cpus[0], VMEXIT_SMI, 0, 0);
}

MACHINE_TEST(test_intercepted)
{
	start();
	assert_int_equal(cpus[0].vmcb->exceptions & BOTH, BOTH);
	/* After INIT as well, on the CPU that it is sent to. */
	assert_true(guest_write(0, LAPIC_REGISTERS + 0x310, 4, cpus[1].apic_id << 24));
	assert_true(guest_write(0, LAPIC_REGISTERS + 0x300, 4, 0x4500));
	cpus_take_nmis();
	assert_int_equal(cpus[1].vmcb->exceptions & BOTH, BOTH);
}

/* APM volume 2, 15.12: what is saved is what the handler is to find. */
MACHINE_TEST(test_debug)
{
	struct vcpu *vcpu = start();
	uint64_t rip = vcpu->rip;

	cpus[0].vmcb->dr6 = 0xffff0ff1 | DR6_BS;
	cpus[0].vmcb->dr7 = DR7_ARMED;
	cpus[0].vmcb->interrupt_state = 1;
	vcpu->rflags |= RFLAGS_TF | RFLAGS_IF;
	raise(VMEXIT_DEBUG, 0);
	assert_int_equal(cpus[0].event, EVENT(EVENT_EXCEPTION, EXCEPTION_DB));
	assert_int_equal(cpus[0].vmcb->dr6, 0xffff0ff1 | DR6_BS);
	assert_int_equal(cpus[0].vmcb->dr7, DR7_ARMED);
	assert_int_equal(cpus[0].vmcb->interrupt_state, 1);
	assert_int_equal(vcpu->rip, rip);
	assert_int_equal(vcpu->rflags, RFLAGS_FIXED | RFLAGS_TF | RFLAGS_IF);
	/* Again, and nothing stays behind. */
	raise(VMEXIT_DEBUG, 0);
	assert_int_equal(cpus[0].event, EVENT(EVENT_EXCEPTION, EXCEPTION_DB));
	any_exit();
	assert_int_equal(guest_exception(0), -1);
	assert_int_equal(vcpu->rflags, RFLAGS_FIXED | RFLAGS_TF | RFLAGS_IF);
}

MACHINE_TEST(test_alignment)
{
	struct vcpu *vcpu = start();
	uint64_t rip = vcpu->rip;

	vcpu->rflags |= RFLAGS_AC;
	raise(VMEXIT_ALIGNMENT, 0);
	assert_int_equal(cpus[0].event, EVENT(EVENT_EXCEPTION, EXCEPTION_AC) | EVENT_HAS_ERROR);
	assert_int_equal(vcpu->rip, rip);
	assert_int_equal(vcpu->rflags, RFLAGS_FIXED | RFLAGS_AC | RFLAGS_RF);
	any_exit();
	assert_int_equal(guest_exception(0), -1);
}

/* The delivery of #AC that raises #AC: an exit each time, in which what others ask for is done. */
MACHINE_TEST(test_endless_delivery)
{
	struct vcpu *vcpu = start();
	unsigned flushes = cpus[0].flushes;

	for (unsigned i = 0; i < 3; i++) {
		raise(VMEXIT_ALIGNMENT, EVENT(EVENT_EXCEPTION, EXCEPTION_AC) | EVENT_HAS_ERROR);
		assert_int_equal(guest_exception(0), EXCEPTION_AC);
	}
	vcpu->flush_wanted++;
	raise(VMEXIT_DEBUG, EVENT(EVENT_EXCEPTION, EXCEPTION_DB));
	assert_int_equal(guest_exception(0), EXCEPTION_DB);
	assert_int_equal(cpus[0].flushes, flushes + 1);
	assert_int_equal(vcpu->flush_done, vcpu->flush_wanted);
}

/* The handler of the exception first; then the guest takes the interrupt, which the local APIC has counted as taken. */
MACHINE_TEST(test_interrupt_cut_short)
{
	start();
	raise(VMEXIT_ALIGNMENT, EVENT(EVENT_INTERRUPT, 0x51));
	assert_int_equal(guest_exception(0), EXCEPTION_AC);
	assert_int_equal(cpu_take_interrupt(&cpus[0]), 0x51);
	assert_int_equal(cpu_take_interrupt(&cpus[0]), -1);
}

/* NMIs are blocked from the beginning of the delivery on, so it comes after the next IRET. */
MACHINE_TEST(test_nmi_cut_short)
{
	struct vcpu *vcpu = start();

	cpus[0].nmi_pending = 1;
	cpu_exit(&cpus[0], VMEXIT_NMI, 0, 0);
	assert_int_equal(guest_exception(0), EXCEPTION_NMI);
	raise(VMEXIT_ALIGNMENT, EVENT(EVENT_NMI, EXCEPTION_NMI));
	assert_int_equal(guest_exception(0), EXCEPTION_AC);
	any_exit();
	assert_int_equal(guest_exception(0), -1);
	cpu_exit(&cpus[0], VMEXIT_IRET, 0, 0);
	assert_int_equal(guest_exception(0), -1);
	vcpu->rip += 2;
	vcpu->rflags &= ~RFLAGS_TF;
	raise(VMEXIT_DEBUG, 0);
	assert_int_equal(guest_exception(0), EXCEPTION_NMI);
	/* That was all. */
	cpu_exit(&cpus[0], VMEXIT_IRET, 0, 0);
	vcpu->rip += 2;
	any_exit();
	assert_int_equal(guest_exception(0), -1);
}

/* What an instruction raises: it stands at rip, and raises it again. */
MACHINE_TEST(test_instruction_cut_short)
{
	static const uint64_t events[] = {EVENT(EVENT_SOFTWARE, 0x80), EVENT(EVENT_EXCEPTION, 3),
		EVENT(EVENT_EXCEPTION, EXCEPTION_PF) | EVENT_HAS_ERROR | 2ull << 32};
	struct vcpu *vcpu = start();
	uint64_t rip = vcpu->rip;

	for (unsigned i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
		raise(VMEXIT_ALIGNMENT, events[i]);
		assert_int_equal(cpus[0].event, EVENT(EVENT_EXCEPTION, EXCEPTION_AC) | EVENT_HAS_ERROR);
		assert_int_equal(vcpu->rip, rip);
		any_exit();
		assert_int_equal(guest_exception(0), -1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_intercepted),
		cmocka_unit_test(test_debug),
		cmocka_unit_test(test_alignment),
		cmocka_unit_test(test_endless_delivery),
		cmocka_unit_test(test_interrupt_cut_short),
		cmocka_unit_test(test_nmi_cut_short),
		cmocka_unit_test(test_instruction_cut_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
