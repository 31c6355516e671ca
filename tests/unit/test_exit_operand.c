/* SPDX-License-Identifier: Apache-2.0 */
/* INS and OUTS exit before the processor has checked their operands: the faults that it would have raised. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "hv/core/event.h"
#include "hv/x86/decode.h"
#include "tests/core/machine.h"

#define BUFFER	(RAM + 0x20000)
#define TRAPPED 0x92u
#define TOP_TABLE (RAM + 0x8000) /* above the firmware's own */
#define NONE	(-1)
#define FLAT	UINT32_MAX

/* Attributes as in the control block: G or not is for the processor alone. */
#define DATA	     0x493u
#define READ_ONLY    0x491u
#define EXPAND_DOWN  0x497u
#define EXPAND_DOWN_16 0x097u
#define CODE	     0x49bu
#define EXECUTE_ONLY 0x499u
#define NOT_PRESENT  0x413u
#define SYSTEM	     0x082u

static const uint8_t override[6] = {0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65};

static struct vcpu *start(void)
{
	const struct machine machine = {.cpus = 1};

	assert_int_equal(machine_start(&machine), 0);
	platform.in[TRAPPED] = 0x76; /* without the bit that resets */
	return cpus[0].vcpu;
}

static struct vmcb_segment *segment(enum insn_segment which)
{
	struct vmcb *vmcb = cpus[0].vmcb;
	struct vmcb_segment *const all[6] = {&vmcb->es, &vmcb->cs, &vmcb->ss, &vmcb->ds, &cpus[0].fs, &cpus[0].gs};

	return all[which];
}

/* Compatibility mode: paging stays as it is. */
static void enter_32_bits(void)
{
	cpus[0].vmcb->cs.attributes = CODE;
	cpus[0].vmcb->cs.limit = FLAT;
}

/* INS to ES:RDI, or OUTS with an override from RSI; the exception, or NONE. */
static int access(enum insn_segment which, uint64_t offset, unsigned size, bool in)
{
	struct vcpu *vcpu = cpus[0].vcpu;
	uint64_t rip = vcpu->rip;
	uint8_t code[3] = {override[which], 0x66, (uint8_t)((in ? 0x6c : 0x6e) | (size > 1))};

	vcpu->gpr[6] = vcpu->gpr[7] = offset;
	guest_code(0, code, sizeof(code));
	platform.port_reads = 0;
	unsigned writes = platform.writes;

	cpu_exit(&cpus[0], VMEXIT_IOIO, TRAPPED << 16 | size << 4 | 4 | in, rip + sizeof(code));
	int exception = guest_exception(0);

	/* A fault leaves everything as it was. */
	assert_int_equal(vcpu->rip == rip, exception != NONE);
	assert_int_equal(vcpu->gpr[in ? 7 : 6] == offset, exception != NONE);
	assert_int_equal(in ? platform.port_reads : platform.writes - writes, exception == NONE ? size : 0); /* a hook of one port: by bytes */
	vcpu->rip = rip;
	return exception;
}

static const struct row {
	const char *name;
	enum insn_segment which;
	unsigned attributes;
	uint32_t limit;
	uint64_t offset;
	unsigned size;
	int out, in; /* in: of ES */
} rows[] = {
	{"flat", SEG_DS, DATA, FLAT, BUFFER, 2, NONE, NONE},
	{"null", SEG_DS, 0, 0, BUFFER, 1, EXCEPTION_GP, EXCEPTION_GP},
	{"null FS", SEG_FS, 0, 0, BUFFER, 1, EXCEPTION_GP, EXCEPTION_GP},
	{"null GS", SEG_GS, 0, FLAT, BUFFER, 1, EXCEPTION_GP, EXCEPTION_GP},
	{"null SS", SEG_SS, 0, 0, BUFFER, 1, EXCEPTION_SS, EXCEPTION_GP},
	{"FS", SEG_FS, DATA, FLAT, BUFFER, 2, NONE, NONE},
	{"not present", SEG_DS, NOT_PRESENT, FLAT, BUFFER, 1, EXCEPTION_GP, EXCEPTION_GP},
	{"no data at all", SEG_DS, SYSTEM, FLAT, BUFFER, 1, EXCEPTION_GP, EXCEPTION_GP},
	{"read-only", SEG_DS, READ_ONLY, FLAT, BUFFER, 1, NONE, EXCEPTION_GP},
	{"code", SEG_CS, CODE, FLAT, BUFFER, 1, NONE, EXCEPTION_GP},
	{"execute-only", SEG_DS, EXECUTE_ONLY, FLAT, BUFFER, 1, EXCEPTION_GP, EXCEPTION_GP},
	{"limit", SEG_DS, DATA, BUFFER, BUFFER, 1, NONE, NONE},
	{"limit, word", SEG_DS, DATA, BUFFER, BUFFER, 2, EXCEPTION_GP, EXCEPTION_GP},
	{"limit of SS", SEG_SS, DATA, BUFFER, BUFFER + 1, 1, EXCEPTION_SS, EXCEPTION_GP},
	{"limit of GS", SEG_GS, DATA, BUFFER - 1, BUFFER, 1, EXCEPTION_GP, EXCEPTION_GP},
	{"over the end", SEG_DS, DATA, FLAT, UINT32_MAX, 2, EXCEPTION_GP, EXCEPTION_GP},
	{"expand-down", SEG_DS, EXPAND_DOWN, BUFFER - 1, BUFFER, 2, NONE, NONE},
	{"expand-down, at the limit", SEG_DS, EXPAND_DOWN, BUFFER, BUFFER, 1, EXCEPTION_GP, EXCEPTION_GP},
	{"expand-down, over the end", SEG_DS, EXPAND_DOWN, 0, UINT32_MAX, 2, EXCEPTION_GP, EXCEPTION_GP},
	{"expand-down, 16 bits", SEG_DS, EXPAND_DOWN_16, 0, BUFFER, 1, EXCEPTION_GP, EXCEPTION_GP},
};

MACHINE_TEST(test_protected)
{
	start();
	enter_32_bits();
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *row = &rows[i];
		struct vmcb_segment before = *segment(row->which), es = *segment(SEG_ES);
		const struct vmcb_segment changed = {8, (uint16_t)row->attributes, row->limit, 0};

		/* The code that runs has a segment of its own kind. */
		if (row->which != SEG_CS)
			*segment(row->which) = changed;
		int out = access(row->which, row->offset, row->size, false);

		*segment(row->which) = before;
		*segment(SEG_ES) = changed;
		int in = access(SEG_ES, row->offset, row->size, true);

		*segment(SEG_ES) = es;
		if (out != row->out || in != row->in)
			fail_msg("%s: OUTS %d, INS %d", row->name, out, in);
	}
	/* The error code is there, and 0. */
	*segment(SEG_DS) = (struct vmcb_segment){0};
	access(SEG_DS, BUFFER, 1, false);
	assert_int_equal(cpus[0].event, EVENT_VALID | EVENT_EXCEPTION | EVENT_HAS_ERROR | EXCEPTION_GP);
}

/* The base of FS is as the processor has it, and the sum has 32 bits. */
MACHINE_TEST(test_base)
{
	start();
	enter_32_bits();
	cpus[0].fs = (struct vmcb_segment){8, DATA, FLAT, 0xfffff000};
	*(uint8_t *)BUFFER = 0x30;
	assert_int_equal(access(SEG_FS, BUFFER + 0x1000, 1, false), NONE);
	assert_int_equal(platform_port_writes(TRAPPED, 1, 0x30), 1);
}

/* Real mode looks at the limit alone, and pushes no error code. */
MACHINE_TEST(test_real_mode)
{
	struct vcpu *vcpu = start();

	cpus[0].vmcb->cr0 &= ~(CR0_PG | CR0_PE);
	cpus[0].vmcb->efer &= ~(EFER_LMA | EFER_LME);
	cpus[0].vmcb->cs.attributes = 0x9b;
	vcpu->rip = LOW_RAM + 0x2000;
	cpus[0].vmcb->es = cpus[0].vmcb->ds = (struct vmcb_segment){LOW_RAM >> 4, READ_ONLY, 0xffff, LOW_RAM};
	assert_int_equal(access(SEG_DS, 0xfffe, 2, false), NONE);
	assert_int_equal(access(SEG_ES, 0xfffe, 2, true), NONE);
	assert_int_equal(access(SEG_DS, 0xffff, 2, false), EXCEPTION_GP);
	assert_int_equal(cpus[0].event, EVENT_VALID | EVENT_EXCEPTION | EXCEPTION_GP);
	cpus[0].vmcb->ss = cpus[0].vmcb->ds;
	assert_int_equal(access(SEG_SS, 0xffff, 2, false), EXCEPTION_SS);
}

/* 64-bit mode: segments count for nothing, but addresses have to be canonical. */
MACHINE_TEST(test_long_mode)
{
	const uint64_t hole = 1ull << 47, five_levels = 1ull << 56;

	start();
	cpus[0].vmcb->ds = cpus[0].vmcb->es = cpus[0].vmcb->ss = (struct vmcb_segment){0};
	cpus[0].fs = (struct vmcb_segment){0};
	assert_int_equal(access(SEG_DS, BUFFER, 2, false), NONE);
	assert_int_equal(access(SEG_ES, BUFFER, 2, true), NONE);
	assert_int_equal(access(SEG_FS, BUFFER, 2, false), NONE);
	assert_int_equal(access(SEG_DS, hole, 1, false), EXCEPTION_GP);
	assert_int_equal(access(SEG_ES, hole - 1, 2, true), EXCEPTION_GP);
	assert_int_equal(access(SEG_SS, hole, 1, false), EXCEPTION_GP); /* the override counts for nothing either */
	assert_int_equal(access(SEG_DS, -hole - 1, 1, false), EXCEPTION_GP);
	assert_int_equal(access(SEG_DS, -hole, 1, false), EXCEPTION_PF);
	cpus[0].fs.base = hole;
	assert_int_equal(access(SEG_FS, 0, 1, false), EXCEPTION_GP);
	/* Five levels have more of them. */
	cpus[0].vmcb->cr4 |= CR4_LA57;
	cpus[0].vmcb->cr3 = TOP_TABLE;
	*(uint64_t *)TOP_TABLE = RAM | 7;
	assert_int_equal(access(SEG_DS, hole, 1, false), EXCEPTION_PF);
	assert_int_equal(access(SEG_DS, five_levels - 1, 1, false), EXCEPTION_PF);
	assert_int_equal(access(SEG_DS, five_levels, 1, false), EXCEPTION_GP);
	assert_int_equal(access(SEG_DS, -five_levels - 1, 1, false), EXCEPTION_GP);
}

/* Nothing to do touches nothing. */
MACHINE_TEST(test_count_zero)
{
	struct vcpu *vcpu = start();

	enter_32_bits();
	*segment(SEG_DS) = (struct vmcb_segment){0};
	vcpu->gpr[1] = 0;
	GUEST_CODE(0, 0xf3, 0x6e);
	cpu_exit(&cpus[0], VMEXIT_IOIO, TRAPPED << 16 | 1 << 4 | 4 | 8, vcpu->rip + 2);
	assert_int_equal(guest_exception(0), NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_protected),
		cmocka_unit_test(test_base),
		cmocka_unit_test(test_real_mode),
		cmocka_unit_test(test_long_mode),
		cmocka_unit_test(test_count_zero),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
