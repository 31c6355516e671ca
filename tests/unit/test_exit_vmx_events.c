/* SPDX-License-Identifier: Apache-2.0 */
/* What the Intel backend gives its guest at an entry, and the exits that it asks for; NMIs that the host meets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "hv/core/interrupts.h"
#include "tests/core/vmx_alone.h"

#define VECTOR 0x66u

static int start(void **state)
{
	(void)state;
	vmx_alone_start();
	return 0;
}

static void test_cut_short(void **unused)
{
	static const struct {
		uint64_t vectoring, again;
	} all[] = {
		{EVENT_VALID | EVENT_EXCEPTION | EVENT_HAS_ERROR | 14, EVENT_VALID | EVENT_EXCEPTION | EVENT_HAS_ERROR | 14 | EVENT_ERROR(7)},
		{EVENT_VALID | EVENT_EXCEPTION | 1, EVENT_VALID | EVENT_EXCEPTION | 1},
		{EVENT_VALID | EVENT_NMI | 2 | 1u << 12, EVENT_VALID | EVENT_NMI | 2},
		{EVENT_VALID | EVENT_SOFTWARE | 0x80, 0},
		{EVENT_VALID | 5u << 8 | 1, 0}, /* INT1 */
		{EVENT_VALID | 6u << 8 | 3, 0}, /* INT3 */
		{EVENT_EXCEPTION | 14, 0},
		{0, 0},
	};

	(void)unused;
	for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		vmx_alone.vectoring = all[i].vectoring;
		vmx_alone_run(VMX_EXIT_EPT_VIOLATION);
		assert_int_equal(vmx_alone.vcpu.event, all[i].again);
		/* An NMI has begun to block: it is to be delivered all the same. */
		if (all[i].vectoring & EVENT_NMI)
			vmwrite(VMCS_INTERRUPTIBILITY, BLOCKED_BY_NMI);
		vmx_alone.vectoring = 0;
		vmx_alone_run(VMX_EXIT_CPUID);
		assert_int_equal(vmx_alone.event, (uint32_t)all[i].again);
		assert_int_equal(vmx_alone.vcpu.event, 0);
		vmwrite(VMCS_INTERRUPTIBILITY, 0);
	}
	assert_int_equal(vmread(VMCS_ENTRY_ERROR), 7);
	assert_false(interrupts_waiting(&vmx_alone.vcpu));
	vmx_alone.vectoring = EVENT_VALID | EVENT_INTERRUPT | VECTOR;
	vmx_alone_run(VMX_EXIT_EPT_VIOLATION);
	assert_int_equal(vmx_alone.vcpu.event, 0);
	assert_true(interrupts_waiting(&vmx_alone.vcpu));
}

static void test_interrupt_is_given_when_it_can_be(void **unused)
{
	(void)unused;
	vmx_backend.watch_interrupts(&vmx_alone.vcpu, true);
	vmx_backend.pend_interrupt(&vmx_alone.vcpu, VECTOR);
	vmx_alone_run(VMX_EXIT_CPUID); /* interrupts are off */
	assert_true(vmx_alone.interrupt_window && vmx_alone.interrupts);
	assert_int_equal(vmx_alone.event, 0);
	assert_int_equal(vmx_backend.pending_interrupt(&vmx_alone.vcpu), VECTOR);

	vmwrite(VMCS_GUEST_RFLAGS, vmx_alone.vcpu.rflags |= RFLAGS_IF);
	vmwrite(VMCS_INTERRUPTIBILITY, BLOCKED_BY_STI);
	vmx_alone_run(VMX_EXIT_CPUID);
	assert_int_equal(vmx_alone.event, 0);

	vmwrite(VMCS_INTERRUPTIBILITY, 0);
	vmx_alone.vcpu.event = EVENT_VALID | EVENT_EXCEPTION | EXCEPTION_UD; /* comes first */
	vmx_alone_run(VMX_EXIT_CPUID);
	assert_int_equal(vmx_alone.event, EVENT_VALID | EVENT_EXCEPTION | EXCEPTION_UD);
	assert_true(vmx_alone.interrupt_window);

	vmx_backend.watch_interrupts(&vmx_alone.vcpu, false);
	vmwrite(VMCS_ACTIVITY, ACTIVITY_HALTED);
	vmx_alone_run(VMX_EXIT_INTERRUPT_WINDOW);
	assert_int_equal(vmx_alone.event, EVENT_VALID | EVENT_INTERRUPT | VECTOR);
	assert_false(vmx_alone.interrupt_window || vmx_alone.interrupts);
	assert_int_equal(vmx_backend.pending_interrupt(&vmx_alone.vcpu), -1);
	vmx_alone_run(VMX_EXIT_CPUID);
	assert_int_equal(vmx_alone.event, 0);
}

/* One that waits behind it is told of when the handler returns. */
static void test_window_behind_an_interrupt(void **unused)
{
	(void)unused;
	vmx_alone.vcpu.rflags |= RFLAGS_IF;
	vmx_backend.pend_interrupt(&vmx_alone.vcpu, VECTOR);
	vmx_backend.watch_return(&vmx_alone.vcpu);
	vmx_alone_run(VMX_EXIT_CPUID);
	assert_int_equal(vmx_alone.event, EVENT_VALID | EVENT_INTERRUPT | VECTOR);
	assert_true(vmx_alone.interrupt_window);
	vmx_alone_run(VMX_EXIT_CPUID);
	assert_false(vmx_alone.interrupt_window);
}

static void test_nmi_windows(void **unused)
{
	(void)unused;
	assert_true(vmx_backend.takes_nmi(&vmx_alone.vcpu));
	vmwrite(VMCS_INTERRUPTIBILITY, BLOCKED_BY_NMI);
	assert_false(vmx_backend.takes_nmi(&vmx_alone.vcpu));
	vmx_alone_run(VMX_EXIT_NMI_WINDOW);
	assert_true(vmx_alone.nmi_window);
	vmx_alone_run(VMX_EXIT_CPUID);
	assert_false(vmx_alone.nmi_window);

	vmwrite(VMCS_INTERRUPTIBILITY, BLOCKED_BY_MOV_SS);
	assert_false(vmx_backend.takes_nmi(&vmx_alone.vcpu));
	vmx_alone_run(VMX_EXIT_CPUID);
	assert_true(vmx_alone.nmi_window);

	/* With STI the window is open on some processors, and no NMI can be given. */
	vmwrite(VMCS_INTERRUPTIBILITY, BLOCKED_BY_STI);
	vmx_alone.vcpu.rflags |= RFLAGS_IF;
	assert_false(vmx_backend.takes_nmi(&vmx_alone.vcpu));
	vmx_alone_run(VMX_EXIT_CPUID);
	assert_false(vmx_alone.nmi_window);
	assert_true(vmx_alone.interrupt_window);

	vmwrite(VMCS_INTERRUPTIBILITY, 0);
	vmx_alone.vcpu.event = EVENT_VALID | EVENT_EXCEPTION | EXCEPTION_UD;
	assert_false(vmx_backend.takes_nmi(&vmx_alone.vcpu));
	vmx_alone_run(VMX_EXIT_CPUID);
	assert_true(vmx_alone.nmi_window);
}

/*
 * A halted processor takes no exception; error codes have 16 bits, and none in real
 * mode; a step that is pending where the guest steps and something blocks.
 */
static void test_entry_checks(void **unused)
{
	(void)unused;
	vmwrite(VMCS_ACTIVITY, ACTIVITY_HALTED);
	inject_exception(&vmx_alone.vcpu, EXCEPTION_GP, true, 0x12345);
	vmx_alone_run(VMX_EXIT_CPUID);
	assert_int_equal(vmx_alone.event, EVENT_VALID | EVENT_EXCEPTION | EVENT_HAS_ERROR | EXCEPTION_GP);

	vmx_backend.reset(&vmx_alone.vcpu);
	vmx_backend.startup(&vmx_alone.vcpu, 0x9a);
	assert_int_equal(vmread(VMCS_GUEST_BASE + 2 * VMCS_CS), 0x9a000);
	assert_int_equal(vmread(VMCS_GUEST_SELECTOR + 2 * VMCS_CS), 0x9a00);
	vmx_alone.vcpu.rflags &= ~RFLAGS_RF;
	inject_exception(&vmx_alone.vcpu, EXCEPTION_DB, false, 0);
	vmx_alone_run(VMX_EXIT_CPUID);
	assert_false(vmread(VMCS_GUEST_RFLAGS) & RFLAGS_RF); /* a trap */
	inject_exception(&vmx_alone.vcpu, EXCEPTION_GP, true, 0);
	vmx_alone_run(VMX_EXIT_CPUID);
	assert_true(vmread(VMCS_GUEST_RFLAGS) & RFLAGS_RF);
	assert_int_equal(vmx_alone.event, EVENT_VALID | EVENT_EXCEPTION | EXCEPTION_GP);

	vmx_alone.vcpu.rflags |= RFLAGS_TF;
	vmwrite(VMCS_INTERRUPTIBILITY, BLOCKED_BY_MOV_SS);
	vmx_alone_run(VMX_EXIT_CPUID);
	vmx_alone.vcpu.rflags &= ~RFLAGS_TF;
	vmx_alone_run(VMX_EXIT_CPUID);
	vmx_backend.retired(&vmx_alone.vcpu);
	assert_int_equal(vmread(VMCS_INTERRUPTIBILITY), 0);
}

/* An NMI that the host has met is counted in the window, once, and ends an entry as if it had come in the guest. */
static void test_noted_nmis(void **unused)
{
	(void)unused;
	vmx_alone.vcpu.event = EVENT_VALID | EVENT_EXCEPTION | EXCEPTION_UD;
	assert_int_equal(vmx_backend.host_nmi(&vmx_alone.vcpu, 0x1234), 0x1234);
	vmx_alone_run(VMX_EXIT_CPUID);
	assert_int_equal(vmx_alone.entries, 0);
	assert_int_equal(vmx_alone.vcpu.exit.reason, EXIT_NMI);
	assert_int_equal(vmx_alone.vcpu.event, EVENT_VALID | EVENT_EXCEPTION | EXCEPTION_UD);
	assert_int_equal(vmx_alone.vcpu.host_nmis, 0);
	vmx_backend.window(&vmx_alone.vcpu, WINDOW_PASS);
	assert_int_equal(vmx_alone.vcpu.host_nmis, 1);
	vmx_backend.window(&vmx_alone.vcpu, WINDOW_PASS);
	assert_int_equal(vmx_alone.vcpu.host_nmis, 1);
	vmx_alone_run(VMX_EXIT_EXCEPTION);
	assert_int_equal(vmx_alone.entries, 1);
	assert_int_equal(vmx_alone.event, EVENT_VALID | EVENT_EXCEPTION | EXCEPTION_UD);
	assert_int_equal(vmx_alone.vcpu.exit.reason, EXIT_NMI);
	assert_int_equal(model_vmx.unblocked, 1);
	vmx_backend.window(&vmx_alone.vcpu, WINDOW_HALT); /* the model lets nobody sleep for good */
	assert_int_equal(vmx_alone.vcpu.host_nmis, 2);
}

static void test_where_an_nmi_goes_on(void **unused)
{
	uint64_t look = (uint64_t)vmx_enter_look, halt = (uint64_t)vmx_halt_look;

	(void)unused;
	assert_int_equal(vmx_backend.host_nmi(&vmx_alone.vcpu, look - 1), look - 1);
	assert_int_equal(vmx_backend.host_nmi(&vmx_alone.vcpu, look), (uint64_t)vmx_enter_noted);
	assert_int_equal(vmx_backend.host_nmi(&vmx_alone.vcpu, (uint64_t)vmx_enter_looked - 1), (uint64_t)vmx_enter_noted);
	assert_int_equal(vmx_backend.host_nmi(&vmx_alone.vcpu, halt), (uint64_t)vmx_halted);
	assert_int_equal(vmx_backend.host_nmi(&vmx_alone.vcpu, (uint64_t)vmx_halted + 1), (uint64_t)vmx_halted + 1);
}

#define DEBUG	  (EVENT_VALID | EVENT_EXCEPTION | EXCEPTION_DB)
#define ALIGNMENT (EVENT_VALID | EVENT_EXCEPTION | EVENT_HAS_ERROR | EXCEPTION_AC)

/* It exits before the registers tell of it: the handler finds them as if it had not. SDM volume 3, 28.1. */
static void test_debug_exception(void **unused)
{
	(void)unused;
	model_vmx.dr6 = 0xffff0ff2;
	vmwrite(VMCS_GUEST_DR7, 0x2401);
	vmwrite(VMCS_INTERRUPTIBILITY, BLOCKED_BY_MOV_SS);
	vmx_alone.interruption = DEBUG;
	vmx_alone.qualification = 0x4001;
	vmx_alone_run(VMX_EXIT_EXCEPTION);
	assert_int_equal(vmx_alone.vcpu.exit.reason, EXIT_EXCEPTION);
	assert_int_equal(vmx_alone.vcpu.event, DEBUG);
	assert_int_equal(model_vmx.dr6, 0xffff4ff1);
	assert_int_equal(vmread(VMCS_GUEST_DR7), 0x401);
	assert_int_equal(vmread(VMCS_INTERRUPTIBILITY), 0);
	assert_int_equal(vmx_alone.vcpu.rip, VMX_ALONE_RIP);
	assert_int_equal(model_vmx.unblocked, 0); /* no NMI */
	vmx_alone_run(VMX_EXIT_CPUID);
	assert_int_equal(vmx_alone.event, DEBUG);
}

/* INT1 exits in its place, and tells no causes. */
static void test_int1(void **unused)
{
	(void)unused;
	model_vmx.dr6 = 0xffff0ff0;
	vmx_alone.interruption = EVENT_VALID | 5u << 8 | EXCEPTION_DB;
	vmx_alone_run(VMX_EXIT_EXCEPTION);
	assert_int_equal(vmx_alone.vcpu.event, DEBUG);
	assert_int_equal(vmx_alone.vcpu.rip, VMX_ALONE_RIP + 2);
	assert_int_equal(model_vmx.dr6, 0xffff0ff0);
}

/* The delivery of one that raises #AC, and so on: an exit each time; an NMI among them comes again. */
static void test_endless_delivery(void **unused)
{
	(void)unused;
	vmx_alone.interruption = ALIGNMENT;
	vmx_alone.vectoring = ALIGNMENT;
	for (unsigned i = 0; i < 3; i++) {
		vmx_alone_run(VMX_EXIT_EXCEPTION);
		assert_int_equal(vmx_alone.vcpu.event, ALIGNMENT);
	}
	assert_int_equal(vmread(VMCS_ENTRY_ERROR), 0);
	assert_false(vmx_alone.vcpu.nmi_pending);
	vmx_alone.vectoring = EVENT_VALID | EVENT_NMI | EXCEPTION_NMI;
	vmx_alone_run(VMX_EXIT_EXCEPTION);
	assert_int_equal(vmx_alone.vcpu.event, ALIGNMENT);
	assert_true(vmx_alone.vcpu.nmi_pending);
	/* An IRET that raises it has opened NMIs, and runs again. */
	vmx_alone.vectoring = 0;
	vmx_alone.interruption = ALIGNMENT | INTERRUPTION_NMI_UNBLOCKED;
	vmx_alone_run(VMX_EXIT_EXCEPTION);
	assert_true(vmread(VMCS_INTERRUPTIBILITY) & BLOCKED_BY_NMI);
}

static void test_real_start_up(void **unused)
{
	(void)unused;
	vmx_backend.reset(&vmx_alone.vcpu);
	vmx_alone.reason = VMX_EXIT_SIPI;
	vmx_alone.qualification = 0x9a;
	assert_int_equal(vmx_backend.await_sipi(&vmx_alone.vcpu), 0x9a);
	assert_int_equal(vmx_alone.activity, ACTIVITY_WAIT_FOR_SIPI);
	vmx_backend.startup(&vmx_alone.vcpu, 0x9a);
	vmx_alone_run(VMX_EXIT_CPUID);
	assert_int_equal(vmx_alone.activity, ACTIVITY_ACTIVE);

	/* An NMI has come before the wait: it is counted, and does not hold up the next one. */
	vmx_backend.host_nmi(&vmx_alone.vcpu, 0);
	vmx_alone.reason = VMX_EXIT_SIPI;
	assert_int_equal(vmx_backend.await_sipi(&vmx_alone.vcpu), -1);
	vmx_backend.window(&vmx_alone.vcpu, WINDOW_PASS);
	assert_int_equal(vmx_alone.vcpu.host_nmis, 1);
	assert_int_equal(vmx_backend.await_sipi(&vmx_alone.vcpu), 0x9a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_cut_short, start),
		cmocka_unit_test_setup(test_interrupt_is_given_when_it_can_be, start),
		cmocka_unit_test_setup(test_window_behind_an_interrupt, start),
		cmocka_unit_test_setup(test_nmi_windows, start),
		cmocka_unit_test_setup(test_entry_checks, start),
		cmocka_unit_test_setup(test_noted_nmis, start),
		cmocka_unit_test_setup(test_where_an_nmi_goes_on, start),
		cmocka_unit_test_setup(test_debug_exception, start),
		cmocka_unit_test_setup(test_int1, start),
		cmocka_unit_test_setup(test_endless_delivery, start),
		cmocka_unit_test_setup(test_real_start_up, start),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
