/* SPDX-License-Identifier: Apache-2.0 */
#include "hv/x86/walk.h"
#include "hv/x86/registers.h"

#define ENTRY_PRESENT  (1ull << 0)
#define ENTRY_WRITE    (1ull << 1)
#define ENTRY_USER     (1ull << 2)
#define ENTRY_ACCESSED (1ull << 5)
#define ENTRY_DIRTY    (1ull << 6)
#define ENTRY_LARGE    (1ull << 7)
#define ENTRY_NX       (1ull << 63)

/* APM 2, 8.4.2. */
#define FAULT_PRESENT  (1u << 0)
#define FAULT_WRITE    (1u << 1)
#define FAULT_USER     (1u << 2)
#define FAULT_RESERVED (1u << 3)
#define FAULT_FETCH    (1u << 4)

#define LEVELS_MAX 5
#define ATTEMPTS   8

enum format { FORMAT_32, FORMAT_PAE, FORMAT_LONG };

struct step {
	uint64_t gpa, entry; /* where the entry is, and what was read there */
};

struct walk {
	const struct walk_cpu *cpu;
	const struct walk_memory *memory;
	enum format format;
	unsigned levels, entry_bytes, index_bits;
	bool nx; /* entries have an NX bit, and it is enabled */
	struct step path[LEVELS_MAX];
	unsigned steps;
	unsigned shift; /* log2 of the size of the page found */
};

static uint64_t bits(unsigned high, unsigned low)
{
	return (~0ull >> (63 - high)) & (~0ull << low);
}

/* Level 1 is the table of 4 KiB pages. */
static bool is_large(const struct walk *w, unsigned level, uint64_t entry)
{
	if (!(entry & ENTRY_LARGE))
		return false;
	if (level == 2)
		return w->format != FORMAT_32 || (w->cpu->cr4 & CR4_PSE);
	return level == 3 && w->format == FORMAT_LONG;
}

/* APM 2, 5.2 to 5.4: what must be zero in a present entry. */
static uint64_t reserved_bits(const struct walk *w, unsigned level, bool large)
{
	uint64_t reserved = 0;

	if (w->format == FORMAT_32)
		return large ? bits(21, 21) : 0;
	if (w->format == FORMAT_PAE)
		reserved |= level == 3 ? bits(63, 52) | bits(8, 5) | bits(2, 1) : bits(62, 52);
	if (!w->nx)
		reserved |= ENTRY_NX;
	if (w->format == FORMAT_LONG && level >= 4)
		reserved |= ENTRY_LARGE;
	if (w->cpu->physical_bits && w->cpu->physical_bits < 52)
		reserved |= bits(51, w->cpu->physical_bits);
	if (large)
		reserved |= level == 3 ? bits(29, 13) : bits(20, 13);
	return reserved;
}

/* 4 MiB pages keep address bits 39:32 in entry bits 20:13 (PSE-36). */
static uint64_t page_address(const struct walk *w, uint64_t entry)
{
	if (w->format == FORMAT_32 && w->shift == 22)
		return (entry & bits(31, 22)) | (entry & bits(20, 13)) << 19;
	return entry & bits(51, w->shift);
}

static uint64_t root(const struct walk *w)
{
	switch (w->format) {
	case FORMAT_32:
		return w->cpu->cr3 & bits(31, 12);
	case FORMAT_PAE:
		return w->cpu->cr3 & bits(31, 5);
	default:
		return w->cpu->cr3 & bits(51, 12);
	}
}

/* Reads the entries down to the page's: 0, -1, or the fault's PRESENT and RESERVED bits with 1. */
static int descend(struct walk *w, uint64_t linear, uint32_t *fault)
{
	uint64_t table = root(w);

	w->steps = 0;
	for (unsigned level = w->levels;; level--) {
		struct step *step = &w->path[w->steps++];
		w->shift = 12 + w->index_bits * (level - 1);
		unsigned index_bits = w->format == FORMAT_PAE && level == 3 ? 2 : w->index_bits;
		uint64_t index = (linear >> w->shift) & bits(index_bits - 1, 0);

		step->gpa = table + index * w->entry_bytes;
		if (w->memory->load(w->memory->context, step->gpa, w->entry_bytes, &step->entry))
			return -1;
		*fault = 0;
		if (!(step->entry & ENTRY_PRESENT))
			return 1;
		*fault = FAULT_PRESENT | FAULT_RESERVED;
		bool large = is_large(w, level, step->entry);
		if (step->entry & reserved_bits(w, level, large))
			return 1;
		if (large || level == 1)
			return 0;
		table = step->entry & bits(51, 12);
	}
}

/* APM 2, 5.6: rights are what all levels grant. A set NX bit counts: were it not enabled, it would be
 * reserved. */
static bool allowed(const struct walk *w, enum walk_access access)
{
	const struct walk_cpu *cpu = w->cpu;
	uint64_t granted = ENTRY_WRITE | ENTRY_USER, denied = 0;
	bool user = cpu->cpl == 3;

	for (unsigned i = 0; i < w->steps; i++) {
		if (w->format == FORMAT_PAE && i == 0)
			continue; /* the PAE root grants everything */
		granted &= w->path[i].entry;
		denied |= w->path[i].entry & ENTRY_NX;
	}
	bool user_page = granted & ENTRY_USER;
	if (user && !user_page)
		return false;
	if (access == WALK_FETCH)
		return !denied && !(!user && user_page && (cpu->cr4 & CR4_SMEP));
	if (!user && user_page && (cpu->cr4 & CR4_SMAP) && !(cpu->rflags & RFLAGS_AC))
		return false;
	return access == WALK_READ || (granted & ENTRY_WRITE) || (!user && !(cpu->cr0 & CR0_WP));
}

/* 0, 1 when an entry has changed since it was read, -1. */
static int mark(const struct walk *w, enum walk_access access)
{
	for (unsigned i = 0; i < w->steps; i++) {
		const struct step *step = &w->path[i];
		uint64_t marked = step->entry | ENTRY_ACCESSED;

		if (w->format == FORMAT_PAE && i == 0)
			continue; /* it has neither bit */
		if (access == WALK_WRITE && i == w->steps - 1)
			marked |= ENTRY_DIRTY;
		if (marked == step->entry)
			continue;
		int err =
			w->memory->update(w->memory->context, step->gpa, w->entry_bytes, step->entry, marked);
		if (err)
			return err == 1 ? 1 : -1;
	}
	return 0;
}

static void choose_format(struct walk *w)
{
	const struct walk_cpu *cpu = w->cpu;

	if (cpu->efer & EFER_LMA) {
		w->format = FORMAT_LONG;
		w->levels = cpu->cr4 & CR4_LA57 ? 5 : 4;
	} else if (cpu->cr4 & CR4_PAE) {
		w->format = FORMAT_PAE;
		w->levels = 3;
	} else {
		w->format = FORMAT_32;
		w->levels = 2;
	}
	w->entry_bytes = w->format == FORMAT_32 ? 4 : 8;
	w->index_bits = w->format == FORMAT_32 ? 10 : 9;
	w->nx = w->format != FORMAT_32 && (cpu->efer & EFER_NXE);
}

/* The error code's bits that tell of the access. FETCH is reported only where fetches can be refused. */
static uint32_t fault_access(const struct walk *w, enum walk_access access)
{
	uint32_t error = w->cpu->cpl == 3 ? FAULT_USER : 0;

	if (access == WALK_WRITE)
		error |= FAULT_WRITE;
	if (access == WALK_FETCH && (w->nx || (w->cpu->cr4 & CR4_SMEP)))
		error |= FAULT_FETCH;
	return error;
}

int walk_translate(const struct walk_cpu *cpu, const struct walk_memory *memory, uint64_t linear,
	enum walk_access access, struct walk_result *result)
{
	struct walk w = {.cpu = cpu, .memory = memory};
	uint32_t fault = 0;
	int err = 1;

	*result = (struct walk_result){.page_bytes = 4096};
	if (!(cpu->efer & EFER_LMA))
		linear &= bits(31, 0);
	if (!(cpu->cr0 & CR0_PG)) {
		result->gpa = linear;
		return 0;
	}
	choose_format(&w);
	for (unsigned attempt = 0; err == 1 && attempt < ATTEMPTS; attempt++) {
		err = descend(&w, linear, &fault);
		if (err)
			break;
		fault = FAULT_PRESENT;
		if (!allowed(&w, access)) {
			err = 1;
			break;
		}
		err = mark(&w, access);
	}
	if (err) {
		result->fault_error = fault | fault_access(&w, access);
		return err;
	}
	result->page_bytes = 1ull << w.shift;
	result->gpa = page_address(&w, w.path[w.steps - 1].entry) | (linear & (result->page_bytes - 1));
	return 0;
}
