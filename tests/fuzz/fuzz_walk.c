/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any page tables: the walk ends where a slow one written from the manual's pictures
 * ends, with the same fault, and leaves the same accessed and dirty bits.
 * Input: mode bits, kind of access, address, root, then entries; the tables' memory
 * is small and repeats through the address space.
 */
#include "hv/x86/registers.h"
#include "hv/x86/walk.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

#define WORDS	   64u
#define NO_MEMORY  (1ull << 46) /* tables there cannot be read */
#define LEVELS_MAX 5

struct tables {
	uint64_t word[WORDS];
};

static void check(bool holds)
{
	if (!holds)
		abort();
}

static uint8_t *at(struct tables *tables, uint64_t gpa)
{
	return (uint8_t *)tables->word + gpa % sizeof(tables->word);
}

static int load(void *context, uint64_t gpa, unsigned size, uint64_t *value)
{
	check(gpa % size == 0 && (size == 4 || size == 8));
	if (gpa & NO_MEMORY)
		return -1;
	*value = 0;
	memcpy(value, at(context, gpa), size);
	return 0;
}

static int update(void *context, uint64_t gpa, unsigned size, uint64_t expected, uint64_t value)
{
	uint64_t now;

	check(!load(context, gpa, size, &now));
	check((expected ^ value) == ((expected ^ value) & 0x60) && (value & expected) == expected);
	if (now != expected)
		return 1;
	memcpy(at(context, gpa), &value, size);
	return 0;
}

/* ---- the slow one ------------------------------------------------------------------------------------ */

enum { P = 0, RW = 1, US = 2, A = 5, D = 6, PS = 7, NX = 63 };

struct picture {
	unsigned levels, shift[LEVELS_MAX], width[LEVELS_MAX], entry_bytes;
};

static const struct picture legacy = {2, {22, 12}, {10, 10}, 4};
static const struct picture pae = {3, {30, 21, 12}, {2, 9, 9}, 8};
static const struct picture four = {4, {39, 30, 21, 12}, {9, 9, 9, 9}, 8};
static const struct picture five = {5, {48, 39, 30, 21, 12}, {9, 9, 9, 9, 9}, 8};

static bool bit(uint64_t value, unsigned number)
{
	return value >> number & 1;
}

static const struct picture *picture_of(const struct walk_cpu *cpu)
{
	if (cpu->efer & EFER_LMA)
		return cpu->cr4 & CR4_LA57 ? &five : &four;
	return cpu->cr4 & CR4_PAE ? &pae : &legacy;
}

static bool ends_here(const struct walk_cpu *cpu, const struct picture *p, unsigned i, uint64_t entry)
{
	if (p->shift[i] == 12)
		return true;
	if (!bit(entry, PS))
		return false;
	return (p == &legacy && (cpu->cr4 & CR4_PSE)) || (p != &legacy && p->shift[i] == 21) ||
	       ((p == &four || p == &five) && p->shift[i] == 30);
}

/* Bit by bit, what may not be set. */
static bool is_malformed(const struct walk_cpu *cpu, const struct picture *p, unsigned i, uint64_t entry, bool ends)
{
	bool top_of_pae = p == &pae && i == 0;

	for (unsigned n = 0; n < 8 * p->entry_bytes; n++) {
		bool legal = true;

		if (n == NX)
			legal = p != &legacy && (cpu->efer & EFER_NXE) && !top_of_pae;
		else if (n >= 52 && p == &pae)
			legal = false;
		else if (top_of_pae && (n == 1 || n == 2 || (n >= 5 && n <= 8)))
			legal = false;
		else if (n == PS && p != &legacy && p->shift[i] >= 39)
			legal = false;
		else if (ends && p == &legacy && p->shift[i] == 22)
			legal = n != 21;
		else if (ends && p->shift[i] > 12)
			legal = n <= 12 || n >= p->shift[i];
		if (!legal && bit(entry, n))
			return true;
	}
	return false;
}

/* 0, 1 with *error, -1; 2: an entry serves two levels, where the order of the marks would tell. */
static int slow_walk(const struct walk_cpu *cpu, struct tables *tables, uint64_t linear, enum walk_access access, uint64_t *gpa,
	uint64_t *page, uint32_t *error)
{
	const struct picture *p = picture_of(cpu);
	bool writable = true, user = true, executable = true, is_user = cpu->cpl == 3, found = false;
	uint64_t place[LEVELS_MAX], table, entry = 0;
	unsigned n = 0;

	if (!(cpu->efer & EFER_LMA))
		linear = (uint32_t)linear;
	if (!(cpu->cr0 & CR0_PG)) {
		*gpa = linear;
		*page = 4096;
		return 0;
	}
	*error = (access == WALK_WRITE ? 2 : 0) | (is_user ? 4 : 0);
	if (access == WALK_FETCH && ((p != &legacy && (cpu->efer & EFER_NXE)) || (cpu->cr4 & CR4_SMEP)))
		*error |= 16;
	table = p == &pae ? cpu->cr3 & 0xffffffe0 : p == &legacy ? cpu->cr3 & 0xfffff000 : cpu->cr3 & 0xffffffffff000;
	for (; !found; n++) {
		place[n] = table + p->entry_bytes * (linear >> p->shift[n] & ((1u << p->width[n]) - 1));
		if (load(tables, place[n], p->entry_bytes, &entry))
			return -1;
		if (!bit(entry, P))
			return 1;
		found = ends_here(cpu, p, n, entry);
		if (is_malformed(cpu, p, n, entry, found)) {
			*error |= 9;
			return 1;
		}
		if (p != &pae || n) {
			writable &= bit(entry, RW);
			user &= bit(entry, US);
			executable &= p == &legacy || !bit(entry, NX);
		}
		table = entry & 0xffffffffff000;
	}
	*error |= 1;
	if (is_user && !user)
		return 1;
	if (access == WALK_FETCH && (!executable || (!is_user && user && (cpu->cr4 & CR4_SMEP))))
		return 1;
	if (access != WALK_FETCH && !is_user && user && (cpu->cr4 & CR4_SMAP) && !(cpu->rflags & RFLAGS_AC))
		return 1;
	if (access == WALK_WRITE && !writable && (is_user || (cpu->cr0 & CR0_WP)))
		return 1;
	for (unsigned i = 0; i < n; i++)
		for (unsigned j = 0; j < i; j++)
			if ((place[i] ^ place[j]) % sizeof(tables->word) < 8)
				return 2;
	for (unsigned i = p == &pae; i < n; i++)
		*at(tables, place[i]) |= (uint8_t)(1u << A | (access == WALK_WRITE && i == n - 1 ? 1u << D : 0));
	*page = 1ull << p->shift[n - 1];
	*gpa = (entry & 0xffffffffff000 & ~(*page - 1)) | (linear & (*page - 1));
	if (p == &legacy && p->shift[n - 1] == 22)
		*gpa = (entry & 0xffc00000) | (linear & 0x3fffff) | (entry >> 13 & 0xff) << 32;
	return 0;
}

/* ---- the input --------------------------------------------------------------------------------------- */

struct input {
	uint8_t mode, access;
	uint64_t linear, cr3;
} __attribute__((packed));

static struct walk_cpu cpu_of(const struct input *in)
{
	return (struct walk_cpu){
		.cr0 = (in->access & 0x10 ? 0 : CR0_PG) | (in->mode & 1 ? CR0_WP : 0) | CR0_PE,
		.cr3 = in->cr3,
		.cr4 = (in->mode & 2 ? CR4_PAE : 0) | (in->mode & 4 ? CR4_PSE : 0) | (in->mode & 8 ? CR4_LA57 : 0) |
		       (in->mode & 16 ? CR4_SMEP : 0) | (in->mode & 32 ? CR4_SMAP : 0),
		.efer = (in->mode & 64 ? EFER_LMA | EFER_LME : 0) | (in->mode & 128 ? EFER_NXE : 0),
		.rflags = in->access & 4 ? RFLAGS_AC : 0,
		.cpl = in->access & 8 ? 3 : 0,
	};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct input in;
	struct tables fast = {{0}}, slow;
	struct walk_result result;
	uint64_t gpa = 0, page = 0;
	uint32_t error = 0;

	if (bytes < sizeof(in) + 8)
		return 0;
	memcpy(&in, data, sizeof(in));
	data += sizeof(in);
	bytes -= sizeof(in);
	for (unsigned i = 0; i < sizeof(fast); i++)
		((uint8_t *)&fast)[i] = data[i % (bytes & ~(size_t)7)];
	slow = fast;
	const struct walk_memory memory = {&fast, load, update};
	const struct walk_cpu cpu = cpu_of(&in);
	enum walk_access access = (enum walk_access)((in.access & 3) % 3);
	int theirs = slow_walk(&cpu, &slow, in.linear, access, &gpa, &page, &error);
	int ours = walk_translate(&cpu, &memory, in.linear, access, &result);

	if (theirs == 2)
		return 0;
	check(ours == theirs);
	check(!memcmp(&fast, &slow, sizeof(fast)));
	if (ours == 0)
		check(result.gpa == gpa && result.page_bytes == page);
	else if (ours == 1)
		check(result.fault_error == error);
	return 0;
}
