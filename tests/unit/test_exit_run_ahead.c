/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Run-ahead from port to port: a driver's functions as Linux has them, with return and indirect-branch thunks, whose
 * accesses cost one exit; and what it leaves to the guest. On both vendors' processors.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "hv/core/ioport.h"
#include "hv/core/interrupts.h"
#include "tests/core/machine.h"

#define RSP	4
#define RBX	3
#define RDX	2
#define PORTS	0x1f0u /* of the hook */
#define OTHER	0x300u /* nobody's */
#define SINGLE	0x310u /* a hook's whose accesses come alone */
#define CODE	(RAM + 0x30000)
#define STACK	(RAM + 0x38000)
#define USER	4u /* page table entry: U/S */

/* Code that is copied to CODE: `name` and `name`_end. It begins with the access that exits, and ends at PAUSE. */
#define GUEST_ROUTINE(name, text)                                                                                  \
	__asm__(".pushsection .rodata\n" #name ":\n" text "pause\n" #name "_end:\n.popsection\n");                      \
	extern const uint8_t name[], name##_end[]

/* Device, Status, four registers, Command, Status: what Linux writes, as its functions do. RBX: the first port. */
GUEST_ROUTINE(command,
	"out %al, (%dx)\n"
	"push %rbp\n push %r12\n"
	"mov %rbx, %rbp\n"
	"lea 7(%rbp), %edi\n call 11f\n"
	"test $0x88, %al\n jne 9f\n"
	"mov $2, %r12d\n"
	"1: lea (%rbp, %r12), %esi\n mov %r12d, %edi\n shl $4, %edi\n call 10f\n"
	"inc %r12d\n cmp $6, %r12d\n jne 1b\n"
	"mov $0xc8, %edi\n lea 7(%rbp), %rsi\n lea 10f(%rip), %rax\n call 12f\n"
	"lea 0x206(%rbp), %edi\n call 11f\n"
	"movzx %al, %r8d\n"
	"9: pop %r12\n pop %rbp\n jmp 20f\n"
	/* iowrite8, ioread8, the thunks */
	"10: cmp $0x3ffff, %rsi\n ja 9b\n mov %edi, %eax\n mov %esi, %edx\n out %al, (%dx)\n jmp 13f\n"
	"11: mov %edi, %edx\n in (%dx), %al\n movzx %al, %eax\n jmp 13f\n"
	"12: call 2f\n 3: pause\n jmp 3b\n 2: mov %rax, (%rsp)\n"
	"13: ret\n int3\n"
	"20: nop\n");

/* Both ways, all widths. */
GUEST_ROUTINE(widths,
	"out %al, (%dx)\n"
	"mov $-1, %rax\n in (%dx), %al\n mov %rax, %r8\n"
	"mov $-1, %rax\n in (%dx), %ax\n mov %rax, %r9\n"
	"mov $-1, %rax\n in (%dx), %eax\n mov %rax, %r10\n"
	"mov $0x11223344, %eax\n out %al, (%dx)\n out %ax, (%dx)\n out %eax, (%dx)\n");

/* It writes NOPs over an instruction that would end the run. */
GUEST_ROUTINE(own_code, "out %al, (%dx)\n movw $0x9090, 1f(%rip)\n 1: pause\n out %al, (%dx)\n");

GUEST_ROUTINE(endless, "out %al, (%dx)\n 1: jmp 1b\n");
GUEST_ROUTINE(polling, "out %al, (%dx)\n 1: in (%dx), %al\n jmp 1b\n");
GUEST_ROUTINE(one_push, "out %al, (%dx)\n push %rax\n out %al, (%dx)\n");
GUEST_ROUTINE(again, "out %al, (%dx)\n mov %ecx, %edx\n out %al, (%dx)\n");

static struct access {
	uint16_t port;
	uint8_t size;
	bool in;
	uint32_t value;
} done[64];
static unsigned done_count;
static void (*at_access)(void);

static void note(uint16_t port, unsigned size, bool in, uint32_t value)
{
	if (at_access)
		at_access();
	assert_true(done_count < 64);
	done[done_count++] = (struct access){port, (uint8_t)size, in, value};
}

static uint32_t hook_in(void *context, uint16_t port, unsigned size)
{
	(void)context;
	note(port, size, true, 0);
	return 0xa5a5a550u & (UINT32_MAX >> (32 - 8 * size));
}

static void hook_out(void *context, uint16_t port, unsigned size, uint32_t value)
{
	(void)context;
	note(port, size, false, value);
}

static const struct ioport_hook hooks[] = {
	{.name = "command", .first = PORTS, .last = PORTS + 7, .several = true, .in = hook_in, .out = hook_out},
	{.name = "control", .first = PORTS + 0x206, .last = PORTS + 0x206, .several = true, .in = hook_in, .out = hook_out},
	{.name = "single", .first = SINGLE, .last = SINGLE, .in = hook_in, .out = hook_out},
};

static struct vcpu *start(bool vmx)
{
	const struct machine machine = {.cpus = 2, .vmx = vmx};

	assert_int_equal(machine_start(&machine), 0);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(ioport_add(&hooks[i]), 0);
	/* The guest's only table of the top level: the supervisor's pages. */
	*(uint64_t *)RAM &= ~(uint64_t)USER;
	return cpus[0].vcpu;
}

static void place(struct vcpu *vcpu, const uint8_t *from, const uint8_t *end)
{
	memcpy((void *)CODE, from, (size_t)(end - from));
	vcpu->rip = CODE;
	vcpu->gpr[RSP] = STACK;
	vcpu->gpr[RBX] = PORTS;
	vcpu->gpr[RDX] = PORTS + 6;
	vcpu->gpr[0] = 0xe0;
	done_count = 0;
}

/* The first access exits; how many the hook has seen at the next entry. */
static unsigned go(const uint8_t *from, const uint8_t *end)
{
	struct vcpu *vcpu = cpus[0].vcpu;

	place(vcpu, from, end);
	cpu_exit(&cpus[0], VMEXIT_IOIO, (uint64_t)(PORTS + 6) << 16 | 1 << 4, CODE + 1);
	return done_count;
}

#define GO(name) go(name, name##_end)
/* Where its last PAUSE is. */
#define END_OF(name) (CODE + (uint64_t)(name##_end - name) - 2)

static void expect_access(unsigned number, unsigned port, bool in, uint32_t value)
{
	assert_int_equal(done[number].port, port);
	assert_int_equal(done[number].in, in);
	assert_int_equal(done[number].value, value);
}

static void runs_to_the_end(bool vmx)
{
	struct vcpu *vcpu = start(vmx);
	uint64_t reached = vcpu->counter_extra[EXTRA_RUN_AHEAD], exits = vcpu->counter[EXIT_IO];

	vcpu->gpr[5] = 0x1234567812345678;
	assert_int_equal(GO(command), 8);
	expect_access(0, PORTS + 6, false, 0xe0);
	expect_access(1, PORTS + 7, true, 0);
	for (unsigned i = 2; i < 6; i++)
		expect_access(i, PORTS + i, false, i << 4);
	expect_access(6, PORTS + 7, false, 0xc8);
	expect_access(7, PORTS + 0x206, true, 0);
	assert_int_equal(vcpu->rip, END_OF(command));
	assert_int_equal(vcpu->gpr[RSP], STACK);
	assert_int_equal(vcpu->gpr[5], 0x1234567812345678);
	assert_int_equal(vcpu->gpr[8], 0x50);
	assert_int_equal(vcpu->counter[EXIT_IO] - exits, 1);
	assert_int_equal(vcpu->counter_extra[EXTRA_RUN_AHEAD] - reached, 7);
}

MACHINE_TEST(test_command)
{
	runs_to_the_end(false);
}

MACHINE_TEST(test_command_vmx)
{
	runs_to_the_end(true);
}

MACHINE_TEST(test_widths)
{
	static const uint8_t sizes[] = {1, 1, 2, 4, 1, 2, 4};
	struct vcpu *vcpu = start(false);

	place(vcpu, widths, widths_end);
	vcpu->gpr[RDX] = PORTS;
	cpu_exit(&cpus[0], VMEXIT_IOIO, (uint64_t)PORTS << 16 | 1 << 4, CODE + 1);
	assert_int_equal(done_count, 7);
	for (unsigned i = 0; i < 7; i++)
		assert_int_equal(done[i].size, sizes[i]);
	assert_int_equal(vcpu->gpr[8], 0xffffffffffffff50);
	assert_int_equal(vcpu->gpr[9], 0xffffffffffffa550);
	assert_int_equal(vcpu->gpr[10], 0xa5a5a550);
	assert_int_equal(done[4].value, 0x44);
	assert_int_equal(done[5].value, 0x3344);
	assert_int_equal(done[6].value, 0x11223344);
}

/* Instructions are those that stand there when their turn comes. */
MACHINE_TEST(test_own_code)
{
	start(false);
	assert_int_equal(GO(own_code), 2);
	assert_int_equal(cpus[0].vcpu->rip, END_OF(own_code));
}

/* A loop comes to an end, be it one that waits, and whatever is not done is the guest's. */
MACHINE_TEST(test_loops)
{
	struct vcpu *vcpu = start(false);
	uint64_t missed = vcpu->counter_extra[EXTRA_RUN_AHEAD_MISSED];

	assert_int_equal(GO(endless), 1);
	assert_int_equal(vcpu->rip, CODE + 1);
	assert_int_equal(vcpu->counter_extra[EXTRA_RUN_AHEAD_MISSED] - missed, 1);
	assert_in_range(GO(polling), 10, 40);
}

static void interrupt_waits(void)
{
	if (done_count == 1)
		cpus[0].vcpu->nmi_pending = true;
}

/* What is to be told of the instructions, and who is not to be kept waiting. */
MACHINE_TEST(test_not_permitted)
{
	struct vcpu *vcpu = start(false);

	vcpu->gpr[1] = PORTS;
	assert_int_equal(GO(again), 2);
	vcpu->rflags |= RFLAGS_TF;
	assert_int_equal(GO(again), 1);
	vcpu->rflags &= ~RFLAGS_TF;
	cpus[0].vmcb->dr7 |= 1;
	assert_int_equal(GO(again), 1);
	cpus[0].vmcb->dr7 &= ~1ull;
	cpus[0].vmcb->cr4 |= CR4_CET;
	assert_int_equal(GO(again), 1);
	cpus[0].vmcb->cr4 &= ~CR4_CET;
	cpus[0].vmcb->cpl = 3;
	assert_int_equal(GO(again), 1);
	cpus[0].vmcb->cpl = 0;
	at_access = interrupt_waits;
	assert_int_equal(GO(command), 2);
	at_access = NULL;
	vcpu->nmi_pending = false;
	assert_int_equal(GO(command), 8);
}

static unsigned next_port(unsigned port)
{
	cpus[0].vcpu->gpr[1] = port;
	return GO(again);
}

/* Ports that do not exit are the guest's to access, those of other hooks as well, though they would. */
MACHINE_TEST(test_other_ports)
{
	struct vcpu *vcpu = start(false);

	assert_int_equal(ioport_add(&hooks[2]), 0);
	assert_int_equal(next_port(PORTS + 7), 2);
	assert_int_equal(next_port(OTHER), 1);
	assert_int_equal(vcpu->rip, END_OF(again) - 1);
	assert_int_equal(next_port(SINGLE), 1);
	assert_int_equal(vcpu->rip, END_OF(again) - 1);
	/* Nor does an access of theirs begin one. */
	place(vcpu, again, again_end);
	vcpu->gpr[1] = PORTS;
	cpu_exit(&cpus[0], VMEXIT_IOIO, (uint64_t)SINGLE << 16 | 1 << 4, CODE + 1);
	assert_int_equal(done_count, 1);
}

static unsigned with_stack(uint64_t stack)
{
	place(cpus[0].vcpu, one_push, one_push_end);
	cpus[0].vcpu->gpr[RSP] = stack;
	cpu_exit(&cpus[0], VMEXIT_IOIO, (uint64_t)(PORTS + 6) << 16 | 1 << 4, CODE + 1);
	return done_count;
}

/* Where nothing may be stored, or it is not one piece of memory, PUSH is the guest's. */
MACHINE_TEST(test_stacks)
{
	struct vcpu *vcpu = start(false);
	const uint64_t ours = ((uint64_t)vcpu & ~4095ull) + 4096;
	const uint64_t bad[] = {0x0000800000000000, 0, 0xfee00020, STACK + 4, ours};

	assert_int_equal(with_stack(STACK), 2);
	assert_int_equal(*(uint64_t *)(STACK - 8), 0xe0);
	for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		assert_int_equal(with_stack(bad[i]), 1);
		assert_int_equal(vcpu->rip, CODE + 1);
		assert_int_equal(vcpu->gpr[RSP], bad[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_command),
		cmocka_unit_test(test_command_vmx),
		cmocka_unit_test(test_widths),
		cmocka_unit_test(test_own_code),
		cmocka_unit_test(test_loops),
		cmocka_unit_test(test_not_permitted),
		cmocka_unit_test(test_other_ports),
		cmocka_unit_test(test_stacks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
