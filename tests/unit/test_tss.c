/* SPDX-License-Identifier: Apache-2.0 */
/* Task states by the manuals' own layouts, and which segments a new task may have. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "hv/x86/tss.h"

/* SDM volume 3, figures 8-2 and 8-10. */
struct tss32 {
	uint32_t link, esp0, ss0, esp1, ss1, esp2, ss2, cr3, eip, eflags, eax, ecx, edx, ebx, esp, ebp, esi, edi, es, cs, ss,
		ds, fs, gs, ldt;
	uint16_t trap, io_map;
};
struct tss16 {
	uint16_t link, sp0, ss0, sp1, ss1, sp2, ss2, ip, flags, ax, cx, dx, bx, sp, bp, si, di, es, cs, ss, ds, ldt;
};
_Static_assert(sizeof(struct tss32) == TSS_WIDE_BYTES && sizeof(struct tss16) == TSS_NARROW_BYTES, "SDM 8.2, 8.6");

static const struct tss32 wide = {
	.link = 0x1111, .cr3 = 0x2222000, .eip = 0x33333333, .eflags = 0x202, .eax = 0xa0, .ecx = 0xa1, .edx = 0xa2, .ebx = 0xa3,
	.esp = 0xa4, .ebp = 0xa5, .esi = 0xa6, .edi = 0xa7, .es = 0xb0, .cs = 0xb1, .ss = 0xb2, .ds = 0xb3, .fs = 0xb4,
	.gs = 0xb5, .ldt = 0xc0, .trap = 1, .io_map = 104,
};
static const struct tss16 narrow = {
	.link = 0x1111, .ip = 0x3333, .flags = 0x202, .ax = 0xa0, .cx = 0xa1, .dx = 0xa2, .bx = 0xa3, .sp = 0xa4, .bp = 0xa5,
	.si = 0xa6, .di = 0xa7, .es = 0xb0, .cs = 0xb1, .ss = 0xb2, .ds = 0xb3, .ldt = 0xc0,
};

static void check(const struct task_state *state, unsigned segments)
{
	assert_int_equal(state->flags, 0x202);
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(state->gpr[i], 0xa0 + i);
	for (unsigned i = 0; i < TASK_SEGMENTS; i++)
		assert_int_equal(state->segment[i], i < segments ? 0xb0 + i : 0);
	assert_int_equal(state->ldt, 0xc0);
}

static void test_read(void **unused)
{
	struct task_state state;

	(void)unused;
	tss_read((const uint8_t *)&wide, true, &state);
	check(&state, 6);
	assert_int_equal(state.ip, 0x33333333);
	assert_int_equal(state.cr3, 0x2222000);
	assert_true(state.trap);
	tss_read((const uint8_t *)&narrow, false, &state);
	check(&state, 4);
	assert_int_equal(state.ip, 0x3333);
	assert_false(state.trap);
}

/* What is saved is read again; what belongs to the other fields is not in it. */
static void test_save(void **unused)
{
	struct task_state state;
	struct tss32 wide_image = {0};
	struct tss16 narrow_image = {0};
	unsigned bytes;

	(void)unused;
	tss_read((const uint8_t *)&wide, true, &state);
	assert_int_equal(tss_save((uint8_t *)&wide_image, true, &state, &bytes), offsetof(struct tss32, eip));
	assert_int_equal(bytes, offsetof(struct tss32, ldt) - offsetof(struct tss32, eip));
	assert_memory_equal(&wide_image.eip, &wide.eip, bytes);
	assert_int_equal(wide_image.cr3 | wide_image.ldt | wide_image.link, 0);
	tss_read((const uint8_t *)&narrow, false, &state);
	assert_int_equal(tss_save((uint8_t *)&narrow_image, false, &state, &bytes), offsetof(struct tss16, ip));
	assert_int_equal(bytes, offsetof(struct tss16, ldt) - offsetof(struct tss16, ip));
	assert_memory_equal(&narrow_image.ip, &narrow.ip, bytes);
}

static void test_segments(void **unused)
{
	static const struct {
		enum task_segment which;
		uint16_t selector, attributes;
		unsigned cpl, fault;
	} all[] = {
		{TASK_CS, 0x08, 0xc09b, 0, 0},
		{TASK_CS, 0x0b, 0xc0fb, 3, 0},
		{TASK_CS, 0x0b, 0xc09b, 3, EXCEPTION_TS}, /* another level's */
		{TASK_CS, 0x0b, 0xc09f, 3, 0},            /* conforming */
		{TASK_CS, 0x08, 0xc0ff, 0, EXCEPTION_TS},
		{TASK_CS, 0x08, 0xc093, 0, EXCEPTION_TS}, /* data */
		{TASK_CS, 0x08, 0xc01b, 0, EXCEPTION_NP},
		{TASK_CS, 0x08, 0x008b, 0, EXCEPTION_TS}, /* a system's */
		{TASK_SS, 0x10, 0xc093, 0, 0},
		{TASK_SS, 0x10, 0xc013, 0, EXCEPTION_SS},
		{TASK_SS, 0x10, 0xc091, 0, EXCEPTION_TS}, /* read-only */
		{TASK_SS, 0x10, 0xc09b, 0, EXCEPTION_TS},
		{TASK_SS, 0x13, 0xc093, 0, EXCEPTION_TS},
		{TASK_SS, 0x13, 0xc0f3, 3, 0},
		{TASK_SS, 0x13, 0xc093, 3, EXCEPTION_TS},
		{TASK_DS, 0x10, 0xc093, 0, 0},
		{TASK_DS, 0x10, 0xc0f3, 0, 0},
		{TASK_DS, 0x10, 0xc093, 3, EXCEPTION_TS},
		{TASK_DS, 0x13, 0xc093, 0, EXCEPTION_TS},
		{TASK_GS, 0x10, 0xc013, 0, EXCEPTION_NP},
		{TASK_FS, 0x08, 0xc099, 0, EXCEPTION_TS}, /* execute-only */
		{TASK_ES, 0x08, 0xc09b, 0, 0},
		{TASK_ES, 0x0b, 0xc09f, 3, 0}, /* conforming and readable */
	};

	(void)unused;
	for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (tss_segment_fault(all[i].which, all[i].selector, all[i].attributes, all[i].cpl) != all[i].fault)
			fail_msg("row %u", i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_save),
		cmocka_unit_test(test_segments),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
