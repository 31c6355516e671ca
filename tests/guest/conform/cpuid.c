/* SPDX-License-Identifier: Apache-2.0 */
/* Every leaf and subleaf, on every CPU; what of them follows CR4; the instruction's own forms. */
#include "tests/guest/conform/conform.h"

#define SUBLEAVES     8
#define LEAF_STATE    0xd
#define STATE_LEAVES  64
#define BEYOND        4 /* leaves above the highest one */
#define MAX_LEAVES    0x40
#define MAX_ANSWERS   2048
#define CPUID_PKU     (1u << 3)

struct answer {
	uint32_t leaf, subleaf;
	struct cpuid_result r;
};

struct answers {
	uint32_t count;
	struct answer list[MAX_ANSWERS];
};

static void note(struct answers *all, uint32_t leaf, uint32_t subleaf, struct cpuid_result r)
{
	if (all->count < MAX_ANSWERS)
		all->list[all->count++] = (struct answer){leaf, subleaf, r};
}

/* A leaf without subleaves answers all the same. */
static void one_leaf(struct answers *all, uint32_t leaf)
{
	struct cpuid_result first = cpuid(leaf, 0);
	uint32_t subleaves = leaf == LEAF_STATE ? STATE_LEAVES : SUBLEAVES;

	note(all, leaf, 0, first);
	for (uint32_t subleaf = 1; subleaf < subleaves; subleaf++) {
		struct cpuid_result r = cpuid(leaf, subleaf);

		if (memcmp(&r, &first, sizeof(r)) && (r.eax | r.ebx | r.ecx | r.edx))
			note(all, leaf, subleaf, r);
	}
}

static void range(struct answers *all, uint32_t base)
{
	uint32_t highest = cpuid(base, 0).eax;

	if (highest < base || highest > base + MAX_LEAVES)
		highest = base;
	for (uint32_t leaf = base; leaf <= highest + BEYOND; leaf++)
		one_leaf(all, leaf);
}

static void all_leaves(void *argument)
{
	struct answers *all = argument;

	all->count = 0;
	range(all, 0);
	range(all, 0x40000000);
	range(all, 0x80000000);
	one_leaf(all, 0x8ffffffe);
	one_leaf(all, 0xc0000000);
	one_leaf(all, 0xffffffff);
}

static void answer_line(uint32_t cpu, const struct answer *a)
{
	fact("cpu %u leaf %x.%x = %08x %08x %08x %08x", cpu, a->leaf, a->subleaf, a->r.eax, a->r.ebx, a->r.ecx,
		a->r.edx);
}

/* Of the other CPUs what they answer differently: their own number stands in some leaves. */
static void every_cpu(void)
{
	struct answers *first = take_memory(sizeof(*first), 8), *other = take_memory(sizeof(*other), 8);

	all_leaves(first);
	for (uint32_t k = 0; k < first->count; k++)
		answer_line(0, &first->list[k]);
	for (uint32_t i = 1; i < machine.cpus; i++) {
		cpu_run(cpus[i], all_leaves, other);
		if (!cpu_wait(cpus[i], 10000000))
			guest_fail("cpu %u does not end its work", i);
		fact("cpu %u answers = %u", i, other->count);
		for (uint32_t k = 0; k < other->count; k++)
			if (k >= first->count || memcmp(&other->list[k], &first->list[k], sizeof(struct answer)))
				answer_line(i, &other->list[k]);
	}
}

static void follows_cr4(const char *name, uint64_t bit, uint32_t leaf)
{
	uint64_t cr4 = read_cr4();

	for (int on = 0; on < 2; on++) {
		struct run r;

		snippet_prepare(&r);
		r.gpr[0] = on ? cr4 | bit : cr4 & ~bit;
		bytes_run(&r, (const uint8_t[]){0x0f, 0x22, 0xe0}, 3); /* mov %rax, %cr4 */
		struct cpuid_result c = cpuid(leaf, 0);
		fact("%s %d leaf %x = %s, %08x %08x %08x %08x", name, on, leaf, ending(&r), c.eax, c.ebx, c.ecx, c.edx);
	}
	write_cr4(cr4);
}

SNIPPET(plain, "cpuid");
SNIPPET(with_66, "data16 cpuid");
SNIPPET(with_67, ".byte 0x67; cpuid");
SNIPPET(with_rep, "rep; cpuid");
SNIPPET(with_repne, "repne; cpuid");
SNIPPET(with_lock, ".byte 0xf0; cpuid");
SNIPPET(with_rex, "rex.WRXB cpuid");
SNIPPET(with_segment, ".byte 0x2e, 0x36, 0x64, 0x65; cpuid");
SNIPPET(fifteen, ".byte 0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66; cpuid");
SNIPPET(sixteen, ".byte 0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66; cpuid");

static const struct {
	const char *name;
	const struct snippet *code;
} encodings[] = {{"plain", &plain}, {"66", &with_66}, {"67", &with_67}, {"f3", &with_rep}, {"f2", &with_repne},
	{"lock", &with_lock}, {"rex", &with_rex}, {"segments", &with_segment}, {"15 bytes", &fifteen},
	{"16 bytes", &sixteen}};

/* Upper halves are cleared, other registers and flags stay. */
static void forms(const char *where, uint16_t cs, uint16_t ss)
{
	for (unsigned i = 0; i < sizeof(encodings) / sizeof(encodings[0]); i++) {
		struct run r;

		if (cs != SELECTOR_CODE64 && cs != SELECTOR_USER_CODE64 && encodings[i].code == &with_rex)
			continue;
		snippet_prepare(&r);
		r.cs = cs;
		r.ss = ss;
		for (unsigned reg = 0; reg < 16; reg++)
			if (reg != 4)
				r.gpr[reg] = 0xaaaaaaaa00000000 + reg;
		r.gpr[0] = 0xaaaaaaaa80000002;
		r.rflags |= FLAGS_COMPUTED;
		snippet_run(&r, encodings[i].code);
		fact("%s %s = %s, registers %lx, flags %lx", where, encodings[i].name, ending(&r),
			digest(r.gpr, sizeof(r.gpr)), r.rflags);
	}
}

void theme_cpuid(void)
{
	every_cpu();
	follows_cr4("osxsave", CR4_OSXSAVE, 1);
	if (cpuid(7, 0).ecx & CPUID_PKU)
		follows_cr4("pke", CR4_PKE, 7);
	follows_cr4("pge", 1 << 7, 1);
	stage_set(true);
	forms("64", SELECTOR_CODE64, SELECTOR_DATA);
	forms("32", SELECTOR_CODE32, SELECTOR_DATA);
	forms("user 64", SELECTOR_USER_CODE64, SELECTOR_USER_DATA);
	forms("user 32", SELECTOR_USER_CODE32, SELECTOR_USER_DATA);
}
