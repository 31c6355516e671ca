/* SPDX-License-Identifier: Apache-2.0 */
/* Task switches of a 32-bit guest that cannot be carried out, and those whose new task faults. SDM volume 3, 8.3. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/core/vmx_tasks.h"

/* What the new task's segments raise, it raises in the new task. */
MACHINE_TEST(test_faults)
{
	static const struct {
		unsigned offset;
		uint16_t selector;
		int vector;
	} all[] = {
		{0x54, GONE, EXCEPTION_NP}, {0x50, GONE, EXCEPTION_SS}, {0x4c, DATA, EXCEPTION_TS}, {0x50, CODE, EXCEPTION_TS},
		{0x48, 0x30, EXCEPTION_TS}, /* beyond the limit */
		{0x48, 0x14, EXCEPTION_TS}, /* of an LDT that is not there */
		{0x4c, 0, EXCEPTION_TS}, {0x60, DATA, EXCEPTION_TS},
	};

	tasks_machine();
	for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		tasks_start();
		*tasks_word(TASK_B, all[i].offset) = all[i].selector;
		tasks_switch(BY_JMP, B);
		assert_int_equal(guest_exception(0), all[i].vector);
		assert_int_equal(guest_error(0), all[i].selector & ~3u);
		assert_int_equal(cpus[0].vcpu->rip, 0x1234);
		assert_int_equal(tasks_get(VMCS_GUEST_SELECTOR + 2 * VMCS_TR), B);
	}
	/* A task that wants to be debugged. */
	tasks_start();
	*tasks_word(TASK_B, 0x64) = 1;
	tasks_set(VMCS_GUEST_DR7, 0x455);
	tasks_switch(BY_JMP, B);
	assert_int_equal(guest_exception(0), EXCEPTION_DB);
	assert_true(model_vmx.dr6 & 1u << 15);
	assert_int_equal(tasks_get(VMCS_GUEST_DR7), 0x400);
}

/* Nothing has changed where a task state cannot be reached. */
MACHINE_TEST(test_unreachable)
{
	tasks_machine();
	tasks_start();
	tasks_gdt[B / 8] = tasks_descriptor(OWN_MEMORY, 0x9, 103);
	tasks_switch(BY_JMP, B);
	assert_int_equal(guest_exception(0), EXCEPTION_GP);
	assert_int_equal(cpus[0].vcpu->rip, 0x5000);
	assert_int_equal(tasks_get(VMCS_GUEST_SELECTOR + 2 * VMCS_TR), A);
	assert_true(tasks_gdt[A / 8] & BUSY);

	tasks_start();
	tasks_set_segment(VMCS_TR, A, 0x8b, OWN_MEMORY, 103);
	tasks_switch(BY_JMP, B);
	assert_int_equal(guest_exception(0), EXCEPTION_GP);
	assert_int_equal(tasks_get(VMCS_GUEST_SELECTOR + 2 * VMCS_TR), A);
	assert_false(tasks_gdt[B / 8] & BUSY);
}

/* The processor has seen a descriptor that another CPU has changed since. */
MACHINE_TEST(test_changed_descriptor)
{
	static const struct {
		unsigned type, limit;
		unsigned by;
	} all[] = {
		{0xb, 103, BY_JMP}, {0x3, 103, BY_CALL}, {0x9, 102, BY_JMP}, {0x1, 42, BY_JMP}, {0x2, 103, BY_JMP}, {0xc, 103, BY_JMP},
		{0x19, 103, BY_JMP}, {0x9, 103, BY_IRET},
	};

	tasks_machine();
	for (unsigned i = 0; i <= sizeof(all) / sizeof(all[0]); i++) {
		tasks_start();
		if (i < sizeof(all) / sizeof(all[0]))
			tasks_gdt[B / 8] = tasks_descriptor(TASK_B, all[i].type, all[i].limit);
		else
			tasks_gdt[B / 8] &= ~(1ull << 47); /* not present */
		tasks_switch(i < sizeof(all) / sizeof(all[0]) ? all[i].by : BY_JMP, B);
		assert_int_equal(guest_exception(0), EXCEPTION_TS);
		assert_int_equal(guest_error(0), B);
		assert_int_equal(cpus[0].vcpu->rip, 0x5000);
		assert_int_equal(*tasks_word(TASK_A, 0x20), 0); /* nor saved */
	}
}

MACHINE_TEST(test_directories)
{
	static const uint64_t bad[] = {2, 4, 0x20, 0x100, 1ull << 39, 1ull << 63};
	uint64_t *directory = (uint64_t *)PDPT;

	tasks_machine();
	tasks_start();
	for (unsigned i = 0; i < 512; i++)
		((uint64_t *)PD)[i] = i << 21 | 0x83;
	directory[0] = PD | 1;
	directory[1] = directory[2] = 0x1e6; /* not present: any bits */
	tasks_set(VMCS_GUEST_CR0, tasks_get(VMCS_GUEST_CR0) | CR0_PG);
	tasks_set(VMCS_GUEST_CR4, CR4_VMXE | CR4_PAE);
	tasks_set(VMCS_GUEST_CR3, PDPT);
	for (unsigned i = 0; i < 4; i++)
		tasks_set(VMCS_GUEST_PDPTE + 2 * i, i ? 0 : PD | 1);
	*tasks_word(TASK_B, 0x1c) = PDPT;
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		directory[3] = bad[i] | 1;
		tasks_switch(BY_JMP, B);
		assert_int_equal(guest_exception(0), EXCEPTION_TS);
		assert_int_equal(tasks_get(VMCS_GUEST_SELECTOR + 2 * VMCS_TR), A);
	}
	directory[3] = PD | 0xe19;
	tasks_switch(BY_JMP, B);
	assert_null(tasks_not_in_b());
	assert_int_equal(tasks_get(VMCS_GUEST_PDPTE + 6), PD | 0xe19);
	assert_int_equal(tasks_get(VMCS_GUEST_CR3), PDPT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_unreachable),
		cmocka_unit_test(test_changed_descriptor),
		cmocka_unit_test(test_directories),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
