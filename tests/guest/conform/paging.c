/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Accessed and dirty bits at every level, for RAM and for trapped registers, where the
 * hypervisor's own walk must set them as the processor does; reserved bits, NX, SMEP
 * and SMAP, write protection, global pages.
 */
#include "tests/guest/conform/conform.h"

#define BRANCH    0x8000000000ull /* slot 1 of the root: tables of this theme's own */
#define PAGE      4096ull
#define CPUID_SMEP (1u << 7)
#define CPUID_SMAP (1u << 20)
#define LEVELS    4

static uint64_t *tables[LEVELS]; /* root, then down */

/* One page at BRANCH, with its own tables, all bits clear. */
static void branch(uint64_t physical, uint64_t upper_flags, uint64_t flags)
{
	tables[0] = (uint64_t *)paging_root();
	for (unsigned i = 1; i < LEVELS; i++) {
		if (!tables[i])
			tables[i] = take_memory(PAGE, PAGE);
		memset(tables[i], 0, PAGE);
	}
	tables[0][1] = (uint64_t)tables[1] | upper_flags;
	tables[1][0] = (uint64_t)tables[2] | upper_flags;
	tables[2][0] = (uint64_t)tables[3] | upper_flags;
	tables[3][0] = physical | flags;
	write_cr3(read_cr3());
}

static const char *marks(void)
{
	const uint64_t *e[LEVELS] = {&tables[0][1], &tables[1][0], &tables[2][0], &tables[3][0]};
	char out[2 * LEVELS + 1];

	for (unsigned i = 0; i < LEVELS; i++) {
		out[2 * i] = *e[i] & PAGE_ACCESSED ? 'a' : '-';
		out[2 * i + 1] = *e[i] & PAGE_DIRTY ? 'd' : '-';
	}
	out[2 * LEVELS] = 0;
	return text("%s", out);
}

#define ACCESSES(X)                                                                                          \
	X(load, "mov (%rbx), %eax") X(store, "mov %eax, (%rbx)") X(add, "addl $1, (%rbx)") X(cmp, "cmpl $1, (%rbx)") \
	X(locked, "lock orl $0, (%rbx)") X(xchg, "xchg %eax, (%rbx)") X(cmpxchg, "xor %eax, %eax; cmpxchg %ecx, (%rbx)") \
	X(cmpxchg_equal, "mov (%rbx), %eax; cmpxchg %eax, (%rbx)") X(bt, "btl $1, (%rbx)") X(bts, "btsl $1, (%rbx)") \
	X(stos, "mov %rbx, %rdi; stosl") X(lods, "mov %rbx, %rsi; lodsl") X(movs_to, "mov %rsi, %rdi; mov %rbx, %rdi; movsl") \
	X(movs_from, "mov %rsi, %rdi; mov %rbx, %rsi; movsl") X(rep_none, "mov %rbx, %rdi; xor %ecx, %ecx; rep stosl") \
	X(test_, "testl $1, (%rbx)") X(movzx, "movzbl (%rbx), %eax") X(movnti, "movnti %eax, (%rbx)")        \
	X(prefetch, "prefetcht0 (%rbx)") X(nop, "nopl (%rbx)") X(fetch, "mov %rbx, %rax; call *%rax")        \
	X(out_from, "mov %rbx, %rsi; mov $0xcf8, %edx; outsl") X(in_to, "mov %rbx, %rdi; mov $0xcf8, %edx; insl") \
	X(out_own, "mov %rbx, %rsi; mov $0x80, %edx; outsb") X(in_own, "mov %rbx, %rdi; mov $0x21, %edx; insb")

ACCESSES(PROBE_CODE)
static const struct probe accesses[] = {ACCESSES(PROBE_ROW)};

static void one(const char *where, const char *rights, const struct probe *probe, uint64_t at, bool user)
{
	struct run r;

	if (user)
		snippet_prepare_user(&r);
	else
		snippet_prepare(&r);
	r.gpr[3] = at;
	r.gpr[6] = RAM + 0x800;
	r.rflags |= user ? 0x3000 : 0; /* ports are open */
	snippet_run(&r, probe->code);
	/* Whether the tables above are marked by an access that is refused is the processor's to choose. */
	fact("%s %s %s = %s %s", where, rights, probe->name, ending(&r), r.vector == VECTOR_RUN_DONE ? marks() : "");
}

/* What may be done with a page of these rights, and what it marks. */
static void all(const char *where, const char *rights, uint64_t physical, uint64_t offset, uint64_t upper, uint64_t flags, bool user)
{
	for (unsigned i = 0; i < sizeof(accesses) / sizeof(accesses[0]); i++) {
		if (physical >= 0x80000000 && !strcmp(accesses[i].name, "fetch"))
			continue; /* registers are no code */
		if (physical == LAPIC_PAGE && !strcmp(accesses[i].name, "in_own"))
			continue; /* which are written by 32 bits; Bochs stops at others */
		stage_set(true);
		stage_memory(STAGE_RAM)[offset] = 0xc3;
		branch(physical, upper, flags);
		one(where, rights, &accesses[i], BRANCH + offset, user);
	}
}

static void every_right(const char *name, uint64_t physical, uint64_t offset)
{
	const uint64_t none = PAGE_PRESENT, w = PAGE_PRESENT | PAGE_WRITE, u = PAGE_PRESENT | PAGE_USER;

	all(name, "all", physical, offset, PAGE_ALL, PAGE_ALL, false);
	all(name, "all, user", physical, offset, PAGE_ALL, PAGE_ALL, true);
	all(name, "read-only", physical, offset, PAGE_ALL, u, false);
	all(name, "read-only, user", physical, offset, PAGE_ALL, u, true);
	all(name, "read-only above", physical, offset, u, PAGE_ALL, false);
	all(name, "kernel", physical, offset, w, w, true);
	all(name, "kernel above", physical, offset, w, PAGE_ALL, true);
	all(name, "no execute", physical, offset, PAGE_ALL, PAGE_ALL | PAGE_NX, false);
	all(name, "missing", physical, offset, PAGE_ALL, 0, false);
	all(name, "missing above", physical, offset, 0, PAGE_ALL, false);
	all(name, "reserved", physical, offset, PAGE_ALL, PAGE_ALL | 1ull << 51, false);
	write_cr0(read_cr0() & ~CR0_WP);
	all(name, "read-only, WP 0", physical, offset, PAGE_ALL, u, false);
	all(name, "read-only, WP 0, user", physical, offset, PAGE_ALL, u, true);
	write_cr0(read_cr0() | CR0_WP);
	all(name, "kernel read-only", physical, offset, none, none, false);
}

SNIPPET(user_load, "mov (%rbx), %eax");
SNIPPET(user_load_ac, "stac; mov (%rbx), %eax; clac");
SNIPPET(user_fetch, "mov %rbx, %rax; call *%rax");

/* The stage is for the kernel alone here; the page at BRANCH is the user's. */
static void supervisor_modes(const char *name, uint64_t physical, uint64_t offset)
{
	static const struct probe probes[] = {{"load", &user_load}, {"load, AC", &user_load_ac}, {"fetch", &user_fetch}};
	const uint32_t features = cpuid(7, 0).ebx;

	for (unsigned bits = 0; bits < 4; bits++)
		for (unsigned i = 0; i < 3; i++) {
			const uint64_t wanted = (bits & 1 ? CR4_SMEP : 0) | (bits & 2 ? CR4_SMAP : 0);
			const uint64_t there = (features & CPUID_SMEP ? CR4_SMEP : 0) | (features & CPUID_SMAP ? CR4_SMAP : 0);

			if (wanted & ~there || (i == 2 && physical >= 0x80000000))
				continue;
			stage_set(false);
			stage_memory(STAGE_RAM)[offset] = 0xc3;
			branch(physical, PAGE_ALL, PAGE_ALL);
			write_cr4(read_cr4() | wanted);
			one(name, text("SMEP %u SMAP %u", bits & 1, bits >> 1), &probes[i], BRANCH + offset, false);
			write_cr4(read_cr4() & ~(CR4_SMEP | CR4_SMAP));
		}
}

void theme_paging(void)
{
	uint64_t device = *window_entry(STAGE_DEVICE) & PAGE_ADDRESS, ram = (uint64_t)stage_memory(STAGE_RAM);

	every_right("ram", ram, 0x104);
	every_right("device", device, 0x104);
	every_right("lapic", LAPIC_PAGE, LAPIC_TPR);
	supervisor_modes("ram", ram, 0x104);
	supervisor_modes("device", device, 0x104);
	tables[0][1] = 0;
	write_cr3(read_cr3());
	lapic_begin();
}
