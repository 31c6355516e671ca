/* SPDX-License-Identifier: Apache-2.0 */
/* Task switches of a 32-bit guest, which the Intel backend carries out. SDM volume 3, 8.3. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/core/vmx_tasks.h"

MACHINE_TEST(test_jump)
{
	tasks_machine();
	tasks_start();
	tasks_switch(BY_JMP, B);
	assert_null(tasks_not_in_b());
	assert_int_equal(*tasks_word(TASK_A, 0x20), 0x5002);
	assert_int_equal(*tasks_word(TASK_A, 0x24), RFLAGS_FIXED | RFLAGS_IF);
	assert_int_equal(*tasks_word(TASK_A, 0x34), 0xa0a);
	assert_int_equal(*tasks_word(TASK_A, 0x4c), CODE);
	assert_false(tasks_gdt[A / 8] & BUSY);
	assert_true(tasks_gdt[B / 8] & BUSY);
	assert_int_equal(cpus[0].vcpu->rflags, RFLAGS_FIXED);
	assert_int_equal(*tasks_word(TASK_B, 0), 0);
}

/* There and back. */
MACHINE_TEST(test_call_and_return)
{
	tasks_machine();
	tasks_start();
	tasks_switch(BY_CALL, B);
	assert_null(tasks_not_in_b());
	assert_true(tasks_gdt[A / 8] & BUSY && tasks_gdt[B / 8] & BUSY);
	assert_int_equal(*tasks_word(TASK_B, 0), A);
	assert_int_equal(cpus[0].vcpu->rflags, RFLAGS_FIXED | NESTED);
	*tasks_word(TASK_A, 0x58) = 0; /* FS and the rest are null */
	tasks_switch(BY_IRET, A);
	assert_int_equal(guest_exception(0), -1);
	assert_int_equal(cpus[0].vcpu->rip, 0x5002);
	assert_int_equal(cpus[0].vcpu->gpr[3], 0xa0a);
	assert_int_equal(*tasks_word(TASK_B, 0x24), RFLAGS_FIXED);
	assert_true(tasks_gdt[A / 8] & BUSY);
	assert_false(tasks_gdt[B / 8] & BUSY);
}

/* An exception comes back to where it was, and brings its code; what asks for an interrupt comes back behind itself. */
MACHINE_TEST(test_gates)
{
	tasks_machine();
	tasks_start();
	tasks_set(VMCS_VECTORING, EVENT_VALID | EVENT_EXCEPTION | EVENT_HAS_ERROR | EXCEPTION_PF);
	tasks_set(VMCS_VECTORING_ERROR, 6);
	tasks_switch(BY_GATE, B);
	assert_int_equal(*tasks_word(TASK_A, 0x20), 0x5000);
	assert_int_equal(cpus[0].vcpu->gpr[4], STACK - 4);
	assert_int_equal(*tasks_word(STACK - 4, 0), 6);
	assert_int_equal(cpus[0].vcpu->rflags, RFLAGS_FIXED | NESTED);
	assert_int_equal(guest_exception(0), -1);

	tasks_start();
	tasks_set(VMCS_VECTORING, EVENT_VALID | EVENT_SOFTWARE | 0x41);
	tasks_switch(BY_GATE, B);
	assert_null(tasks_not_in_b());
	assert_int_equal(*tasks_word(TASK_A, 0x20), 0x5002);

	tasks_start();
	tasks_set(VMCS_VECTORING, EVENT_VALID | EVENT_INTERRUPT | 0x41); /* it is delivered, and not given again */
	tasks_switch(BY_GATE, B);
	assert_null(tasks_not_in_b());
	assert_int_equal(*tasks_word(TASK_A, 0x20), 0x5000);
	assert_int_equal(vmx_backend.pending_interrupt(cpus[0].vcpu), -1);
}

/* An entry refuses a limit of pages without its bit. */
MACHINE_TEST(test_large_task)
{
	tasks_machine();
	tasks_start();
	tasks_gdt[B / 8] = tasks_descriptor(TASK_B, 0x9, 0xffff) | GRANULAR | 0xfull << 48 | 1ull << 52;
	tasks_switch(BY_JMP, B);
	assert_int_equal(guest_exception(0), -1);
	assert_int_equal(tasks_get(VMCS_GUEST_LIMIT + 2 * VMCS_TR), UINT32_MAX);
	assert_int_equal(tasks_get(VMCS_GUEST_RIGHTS + 2 * VMCS_TR), 0x808b);
}

/* A task that steps over a breakpoint it has had. */
MACHINE_TEST(test_resume_flag)
{
	tasks_machine();
	tasks_start();
	*tasks_word(TASK_B, 0x24) = RFLAGS_FIXED | RFLAGS_RF;
	tasks_switch(BY_JMP, B);
	assert_null(tasks_not_in_b());
	assert_true(cpus[0].vcpu->rflags & RFLAGS_RF);
}

/* An NMI that has a task is in its handler until that returns. */
MACHINE_TEST(test_nmi)
{
	tasks_machine();
	tasks_start();
	tasks_set(VMCS_VECTORING, EVENT_VALID | EVENT_NMI | EXCEPTION_NMI);
	tasks_switch(BY_GATE, B);
	assert_null(tasks_not_in_b());
	assert_int_equal(tasks_get(VMCS_INTERRUPTIBILITY), BLOCKED_BY_NMI);
	tasks_switch(BY_IRET, A);
	assert_int_equal(guest_exception(0), -1);
	assert_int_equal(tasks_get(VMCS_INTERRUPTIBILITY), 0);
}

MACHINE_TEST(test_virtual_8086_and_narrow)
{
	tasks_machine();
	tasks_start();
	*tasks_word(TASK_B, 0x24) = RFLAGS_VM | 2;
	*tasks_word(TASK_B, 0x4c) = 0x1000;
	tasks_switch(BY_JMP, B);
	assert_int_equal(guest_exception(0), -1);
	assert_int_equal(tasks_get(VMCS_GUEST_BASE + 2 * VMCS_CS), 0x10000);
	assert_int_equal(tasks_get(VMCS_GUEST_RIGHTS + 2 * VMCS_SS), 0xf3);
	assert_int_equal(vmx_backend.cpl(cpus[0].vcpu), 3);

	tasks_start();
	tasks_gdt[B / 8] = tasks_descriptor(TASK_B, 0x1, 43);
	memset((void *)TASK_B, 0, 44);
	*(uint16_t *)(TASK_B + 0x0e) = 0x77;
	*(uint16_t *)(TASK_B + 0x10) = 2;
	*(uint16_t *)(TASK_B + 0x24) = CODE;
	*(uint16_t *)(TASK_B + 0x26) = DATA;
	tasks_switch(BY_JMP, B);
	assert_int_equal(guest_exception(0), -1);
	assert_int_equal(cpus[0].vcpu->rip, 0x77);
	assert_int_equal(tasks_get(VMCS_GUEST_RIGHTS + 2 * VMCS_TR), 0x83);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_jump),
		cmocka_unit_test(test_call_and_return),
		cmocka_unit_test(test_gates),
		cmocka_unit_test(test_large_task),
		cmocka_unit_test(test_resume_flag),
		cmocka_unit_test(test_nmi),
		cmocka_unit_test(test_virtual_8086_and_narrow),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
