/* SPDX-License-Identifier: Apache-2.0 */
/* Model-specific registers: what reads give, which of the same values can be written back, which bits are refused. */
#include "tests/guest/conform/conform.h"

/* What counts while one looks. */
static bool counts(uint32_t index)
{
	return index == 0x10 || index == 0xe7 || index == 0xe8 || index == 0x839 || index == 0x6e0 || index == 0xc0000104;
}

struct answer {
	uint64_t vector, value, error;
};

static bool same(const struct answer *a, const struct answer *b)
{
	return a->vector == b->vector && a->value == b->value && a->error == b->error;
}

static void range_line(uint32_t first, uint32_t last, const struct answer *a)
{
	if (a->vector == VECTOR_RUN_DONE)
		fact("read %x-%x = %lx", first, last, a->value);
	else
		fact("read %x-%x = vector %lx(%lx)", first, last, a->vector, a->error);
}

/* Neighbours that answer alike share a line; blocks are told apart. */
static void read_range(uint32_t first, uint32_t last)
{
	struct answer run_of = {0};
	uint32_t begin = first;

	for (uint32_t index = first;; index++) {
		struct answer now = {0};

		if (index <= last) {
			now.vector = try_rdmsr(index, &now.value, &now.error);
			if (counts(index) || now.vector != VECTOR_RUN_DONE)
				now.value = 0;
			else
				now.error = 0;
		}
		if (index > first && (index > last || !same(&now, &run_of) || index % 0x400 == 0)) {
			range_line(begin, index - 1, &run_of);
			begin = index;
		}
		if (index > last)
			return;
		run_of = now;
	}
}

/* Those that no write endangers; each has the bits that may be tried, one by one. */
static const struct {
	uint32_t index;
	const char *name;
	uint64_t bits;
} writable[] = {
	{0x1b, "APIC_BASE", ~(1ull << 11)},
	{0x3a, "FEATURE_CONTROL", 0},
	{0x174, "SYSENTER_CS", ~0ull},
	{0x175, "SYSENTER_ESP", ~0ull},
	{0x176, "SYSENTER_EIP", ~0ull},
	{0x1a0, "MISC_ENABLE", 0},
	{0x1d9, "DEBUGCTL", ~3ull},
	{0x200, "MTRR_BASE0", ~0ull},
	{0x201, "MTRR_MASK0", ~(1ull << 11)},
	{0x20e, "MTRR_BASE7", ~0ull},
	{0x20f, "MTRR_MASK7", ~(1ull << 11)},
	{0x250, "MTRR_FIX64K", ~0ull},
	{0x26f, "MTRR_FIX4K7", ~0ull},
	{0x277, "PAT", ~0ull},
	{0x2ff, "MTRR_DEFAULT", ~(3ull << 10)},
	{0x6e0, "TSC_DEADLINE", 0},
	{0xda0, "XSS", ~0ull},
	{0xc0000080, "EFER", ~(EFER_LME)},
	{0xc0000081, "STAR", ~0ull},
	{0xc0000082, "LSTAR", ~0ull},
	{0xc0000083, "CSTAR", ~0ull},
	{0xc0000084, "SFMASK", ~0ull},
	{0xc0000100, "FS_BASE", ~0ull},
	{0xc0000101, "GS_BASE", ~0ull},
	{0xc0000102, "KERNEL_GS_BASE", ~0ull},
	{0xc0000103, "TSC_AUX", ~0ull},
	{0xc0010010, "SYSCFG", 0},
	{0xc0010015, "HWCR", 0},
	{0xc0010114, "VM_CR", 0},
};

/* One bit at a time turned over: refused, kept, or ignored. A character each, from bit 63 down. */
static void bits_line(unsigned i, uint64_t before)
{
	char answers[65];
	uint32_t index = writable[i].index;

	for (unsigned bit = 0; bit < 64; bit++) {
		uint64_t wanted = before ^ 1ull << bit, after = 0;
		char *answer = &answers[63 - bit];

		if (!(writable[i].bits >> bit & 1)) {
			*answer = '.';
			continue;
		}
		if (try_wrmsr(index, wanted, NULL) != VECTOR_RUN_DONE) {
			*answer = '#';
			continue;
		}
		try_rdmsr(index, &after, NULL);
		*answer = after == wanted ? 'k' : after == before ? 'i' : 'o';
		wrmsr(index, before);
	}
	answers[64] = 0;
	fact("bits %s = %s", writable[i].name, answers);
}

static void one_write(unsigned i)
{
	uint64_t before, after, error = 0;
	uint32_t index = writable[i].index;

	if (try_rdmsr(index, &before, NULL) != VECTOR_RUN_DONE)
		return;
	uint64_t vector = try_wrmsr(index, before, &error);

	try_rdmsr(index, &after, NULL);
	fact("same %s = vector %lx, %s", writable[i].name, vector, after == before ? "kept" : text("%lx", after));
	if (vector == VECTOR_RUN_DONE && writable[i].bits)
		bits_line(i, before);
}

static void write_line(const char *name, uint32_t index, uint64_t value)
{
	uint64_t before = 0, after = 0, error = 0, vector;

	if (try_rdmsr(index, &before, NULL) != VECTOR_RUN_DONE)
		return;
	vector = try_wrmsr(index, value, &error);
	try_rdmsr(index, &after, NULL);
	if (vector == VECTOR_RUN_DONE)
		error = 0;
	try_wrmsr(index, before, NULL);
	fact("%s, %lx to %x = vector %lx(%lx), now %lx", name, value, index, vector, error, counts(index) ? 0 : after);
}

SNIPPET(read_it, "rdmsr");
SNIPPET(write_it, "wrmsr");
SNIPPET(read_66, "data16 rdmsr");
SNIPPET(read_rep, "rep; rdmsr");
SNIPPET(read_lock, ".byte 0xf0; rdmsr");
SNIPPET(write_rep, "rep; wrmsr");

/* What the instructions do to the rest of the registers, and who may use them. */
static void forms(const char *where, uint16_t cs, uint16_t ss)
{
	static const struct {
		const char *name;
		const struct snippet *code;
	} all[] = {{"rdmsr", &read_it}, {"wrmsr", &write_it}, {"66 rdmsr", &read_66}, {"f3 rdmsr", &read_rep},
		{"lock rdmsr", &read_lock}, {"f3 wrmsr", &write_rep}};
	static const uint32_t indices[] = {MSR_EFER, MSR_PAT, MSR_APIC_BASE};

	for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		for (unsigned m = 0; m < sizeof(indices) / sizeof(indices[0]); m++) {
			uint64_t now = rdmsr(indices[m]);
			struct run r;

			snippet_prepare(&r);
			r.cs = cs;
			r.ss = ss;
			r.rflags |= FLAGS_COMPUTED;
			r.gpr[0] = 0xbbbbbbbb00000000 | (uint32_t)now;
			r.gpr[1] = 0xcccccccc00000000 | indices[m];
			r.gpr[2] = 0xdddddddd00000000 | now >> 32;
			snippet_run(&r, all[i].code);
			fact("%s %s %x = %s, rax %lx rcx %lx rdx %lx flags %lx", where, all[i].name, indices[m], ending(&r),
				r.gpr[0], r.gpr[1], r.gpr[2], r.rflags);
		}
}

void theme_msrs(void)
{
	read_range(0, 0x1fff);
	read_range(0x2000, 0x200f);
	read_range(0x40000000, 0x400000ff);
	read_range(0xbffffff0, 0xc0001fff);
	read_range(0xc0010000, 0xc0010113);
	for (uint32_t index = 0xc0010114; index <= 0xc0010118; index++)
		read_range(index, index); /* AMD's virtualisation and SMM control */
	read_range(0xc0010119, 0xc0011fff);
	read_range(0xc0012000, 0xc001200f);
	read_range(0xfffffff0, 0xfffffffe);
	for (unsigned i = 0; i < sizeof(writable) / sizeof(writable[0]); i++)
		one_write(i);
	for (uint64_t type = 0; type < 16; type++)
		write_line(text("PAT type %lu", type), MSR_PAT, 0x0007040600070400 | type);
	for (uint64_t type = 0; type < 10; type++)
		write_line(text("MTRR type %lu", type), 0x20e, type);
	write_line("non-canonical", 0xc0000102, 0x0000800000000000);
	write_line("non-canonical", 0xc0000082, 0x1234567800000000);
	write_line("non-canonical", 0xc0000101, 0xffff7fffffffffff);
	write_line("read-only", 0xfe, 0);
	write_line("TSC adjust", 0x3b, 0);
	write_line("microcode", 0x8b, 0);
	stage_set(true);
	forms("64", SELECTOR_CODE64, SELECTOR_DATA);
	forms("32", SELECTOR_CODE32, SELECTOR_DATA);
	forms("user", SELECTOR_USER_CODE64, SELECTOR_USER_DATA);
}
