/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The walk of a guest's page tables, AMD64 APM volume 2 chapter 5: no paging,
 * 32-bit (with PSE), PAE, 4-level and 5-level. It sets accessed and dirty bits
 * as the processor would, but only when the access is allowed.
 *
 * Not looked at: whether `linear` is canonical (above its 48 or 57 bits it is
 * ignored), protection keys, shadow stacks.
 */
#ifndef HV_X86_WALK_H
#define HV_X86_WALK_H

#include <stdbool.h>
#include <stdint.h>

struct walk_cpu {
	uint64_t cr0, cr3, cr4, efer, rflags;
	uint8_t physical_bits; /* of an address: those above are reserved in entries of 8 bytes; 0: none are */
	uint8_t cpl; /* 3: a user access. Accesses the processor makes for itself (descriptors) come with 0 */
};

enum walk_access { WALK_READ, WALK_WRITE, WALK_FETCH };

struct walk_memory {
	void *context;
	/* Guest-physical access to a table entry of `size` 4 or 8 bytes; 0 on success. */
	int (*load)(void *context, uint64_t gpa, unsigned size, uint64_t *value);
	/* Atomic compare-and-set; 0 on success, 1 when the entry has changed meanwhile, other values fail. */
	int (*update)(void *context, uint64_t gpa, unsigned size, uint64_t expected, uint64_t value);
};

struct walk_result {
	uint64_t gpa;
	uint64_t page_bytes;  /* size of the mapping found; 4 KiB without paging */
	uint32_t fault_error; /* page-fault error code when the walk fails with 1 */
};

/*
 * 0 with result->gpa set; 1: page fault with result->fault_error; -1: a table lies where
 * there is no memory. Where other CPUs change the entries again and again under the walk
 * it gives up with a page fault, which the guest finds spurious and retries.
 */
int walk_translate(const struct walk_cpu *cpu, const struct walk_memory *memory, uint64_t linear,
	enum walk_access access, struct walk_result *result);

#endif
