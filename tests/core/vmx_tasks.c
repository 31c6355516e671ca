/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/core/vmx_tasks.h"
#include <string.h>

uint32_t *tasks_word(uint64_t task, unsigned offset)
{
	return (uint32_t *)(task + offset);
}

uint64_t tasks_descriptor(uint64_t base, unsigned type, unsigned limit)
{
	return limit | (base & 0xffffff) << 16 | (uint64_t)(0x80 | type) << 40 | base >> 24 << 56;
}

void tasks_set(uint32_t field, uint64_t value)
{
	model_vmx_set_field(&cpus[0], field, value);
}

uint64_t tasks_get(uint32_t field)
{
	return model_vmx_field(&cpus[0], field);
}

void tasks_set_segment(enum vmcs_segment which, uint16_t selector, uint32_t rights, uint64_t base, uint32_t limit)
{
	tasks_set(VMCS_GUEST_SELECTOR + 2 * which, selector);
	tasks_set(VMCS_GUEST_RIGHTS + 2 * which, rights);
	tasks_set(VMCS_GUEST_BASE + 2 * which, base);
	tasks_set(VMCS_GUEST_LIMIT + 2 * which, limit);
}

void tasks_machine(void)
{
	const struct machine machine = {.cpus = 1, .vmx = true};

	if (machine_start(&machine))
		platform_violation("the machine does not start");
}

void tasks_start(void)
{
	memset((void *)GDT, 0, 0x2000);
	tasks_gdt[CODE / 8] = 0x00cf9b000000ffffull;
	tasks_gdt[DATA / 8] = 0x00cf93000000ffffull;
	tasks_gdt[A / 8] = tasks_descriptor(TASK_A, 0xb, 103);
	tasks_gdt[B / 8] = tasks_descriptor(TASK_B, 0x9, 103);
	tasks_gdt[GONE / 8] = 0x00cf13000000ffffull;
	*tasks_word(TASK_B, 0x20) = 0x1234;
	*tasks_word(TASK_B, 0x24) = 2;
	*tasks_word(TASK_B, 0x38) = STACK;
	*tasks_word(TASK_B, 0x3c) = 0xb0b;
	*tasks_word(TASK_B, 0x4c) = CODE;
	for (unsigned at = 0x48; at <= 0x5c; at += 4)
		if (at != 0x4c)
			*tasks_word(TASK_B, at) = DATA;
	tasks_set(VMCS_GUEST_CR0, CR0_PE | CR0_ET | CR0_NE);
	tasks_set(VMCS_GUEST_EFER, 0);
	tasks_set(VMCS_ENTRY, tasks_get(VMCS_ENTRY) & ~(uint64_t)ENTRY_CONTROL_GUEST_64);
	tasks_set(VMCS_GUEST_GDTR_BASE, GDT);
	tasks_set(VMCS_GUEST_GDTR_LIMIT, 0x2f);
	tasks_set_segment(VMCS_CS, CODE, 0xc09b, 0, UINT32_MAX);
	tasks_set_segment(VMCS_SS, DATA, 0xc093, 0, UINT32_MAX);
	tasks_set_segment(VMCS_LDTR, 0, RIGHTS_UNUSABLE, 0, 0);
	tasks_set_segment(VMCS_TR, A, 0x8b, TASK_A, 103);
	cpus[0].vcpu->rip = 0x5000;
	cpus[0].vcpu->rflags = RFLAGS_FIXED | RFLAGS_IF;
	cpus[0].vcpu->gpr[3] = 0xa0a;
}

void tasks_switch(unsigned by, uint16_t to)
{
	tasks_set(VMCS_GUEST_PHYSICAL, 0);
	cpu_exit(&cpus[0], VMX_EXIT_TASK_SWITCH, (uint64_t)by << 30 | to, cpus[0].vcpu->rip + 2);
}

#define CHECK(holds)                                                                                         \
	do {                                                                                                 \
		if (!(holds))                                                                                \
			return #holds;                                                                       \
	} while (0)

const char *tasks_not_in_b(void)
{
	const struct vcpu *vcpu = cpus[0].vcpu;

	CHECK(guest_exception(0) == -1);
	CHECK(vcpu->rip == 0x1234 && vcpu->gpr[4] == STACK && vcpu->gpr[5] == 0xb0b);
	CHECK(tasks_get(VMCS_GUEST_SELECTOR + 2 * VMCS_TR) == B && tasks_get(VMCS_GUEST_BASE + 2 * VMCS_TR) == TASK_B);
	CHECK(tasks_get(VMCS_GUEST_RIGHTS + 2 * VMCS_TR) == 0x8b);
	CHECK(tasks_get(VMCS_GUEST_CR0) & CR0_TS);
	CHECK(tasks_get(VMCS_GUEST_RIGHTS + 2 * VMCS_GS) == 0xc093);
	return NULL;
}
