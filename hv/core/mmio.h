/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hooks on guest-physical pages: the page loses rights in every vcpu's nested
 * page table, and the accesses that then fault are emulated and handed to the
 * hook's owner.
 */
#ifndef HV_CORE_MMIO_H
#define HV_CORE_MMIO_H

#include "hv/core/vcpu.h"

struct mmio_hook {
	const char *name;
	void *context;
	/* An access of `size` 1, 2, 4 or 8 bytes inside the hook. Any CPU, no lock held. */
	uint64_t (*read)(void *context, uint64_t offset, unsigned size);
	void (*write)(void *context, uint64_t offset, unsigned size, uint64_t value);
	/*
	 * Optional: whether a guest that has just written at `offset` is likely to access
	 * the hook again a few instructions later (hv/core/run_ahead.h).
	 */
	bool (*more)(void *context, uint64_t offset);
	/* Kept by mmio_place and mmio_remove: */
	uint64_t gpa, bytes; /* 4 KiB multiples; bytes 0 while it stands nowhere */
	uint64_t revealed;   /* by vcpu index: whose view shows the copy */
};

/* Adds a hook that stands nowhere yet; it is kept for good. Init only. 0, or -1 when the table is full. */
int mmio_add(struct mmio_hook *hook);

/*
 * Moves a hook to [gpa, gpa+bytes), leaving `access` (NPT_*) to the guest there,
 * and gives the old place back. Refused (-1, with a log line) when the range is
 * not page-aligned, touches RAM, our memory or another hook; the hook then stands
 * nowhere. Returns when no CPU uses an old translation.
 */
int mmio_place(struct mmio_hook *hook, uint64_t gpa, uint64_t bytes, unsigned access);
void mmio_remove(struct mmio_hook *hook);

/*
 * Shows `copy` (pages of ours) read-only in place of the hook to the calling
 * CPU's guest, until mmio_conceal.
 */
void mmio_reveal(struct mmio_hook *hook, const void *copy);
/* Takes the copy away from the calling CPU, or from all; synchronous. */
void mmio_conceal(struct mmio_hook *hook, bool all_cpus);

/* Makes our memory read as zeroes in every view. Init only; 0 or -1. */
int mmio_hide_own_memory(void);

/*
 * Device memory above what was mapped at start is mapped when it is first used:
 * true when `gpa` was of that kind and now is mapped for this vcpu. That takes at
 * most MMIO_MISSING_TABLES of the nested page tables, so that a guest which touches
 * many places leaves those that hooks need; beyond that, and beyond the processor's
 * physical addresses, nobody answers.
 */
#define MMIO_MISSING_TABLES 8u
bool mmio_map_missing(struct vcpu *vcpu, uint64_t gpa);

/* Handles EXIT_NESTED_FAULT. */
void mmio_fault(struct vcpu *vcpu);

/*
 * Where the operand of an instruction that the processor has not checked lies: `offset` in a segment. 0, or nonzero with
 * the #GP or #SS injected that the segment raises. The segment is the one that the instruction names.
 */
int guest_operand(struct vcpu *vcpu, enum insn_segment which, uint64_t offset, unsigned size, bool write, uint64_t *linear);
/* The same, with nothing injected: false where the segment does not allow all of it. */
bool guest_operand_allowed(
	struct vcpu *vcpu, enum insn_segment which, uint64_t offset, unsigned size, bool write, uint64_t *linear);

/* Guest linear memory, for string port I/O and the emulator; 0, or nonzero with the fault injected. */
int guest_load(void *vcpu, uint64_t linear, unsigned size, uint64_t *value);
int guest_store(void *vcpu, uint64_t linear, unsigned size, uint64_t value);

/* Whether such a store is allowed, before what it stores is read from a device: 0, or nonzero as above. */
int guest_probe_store(struct vcpu *vcpu, uint64_t linear, unsigned size);

/* As the processor itself accesses descriptors and task states: at any privilege, in memory that is not trapped. */
int guest_system_copy(struct vcpu *vcpu, uint64_t linear, void *bytes, unsigned count, bool store);
/* `bytes` that lie in one page of guest linear memory; 0, or nonzero as above. */
int guest_load_block(struct vcpu *vcpu, uint64_t linear, unsigned bytes, void *data);
int guest_store_block(struct vcpu *vcpu, uint64_t linear, unsigned bytes, const void *data);

/* The same for a guest-physical address inside one page: a hook, RAM or a device. Our own memory is not there. */
uint64_t guest_mapped_load(uint64_t gpa, unsigned size);
void guest_mapped_store(uint64_t gpa, unsigned size, uint64_t value);

/* Reads the bytes of the instruction at rip; returns how many could be read (0: a fault was injected). */
unsigned guest_fetch(struct vcpu *vcpu, uint8_t bytes[INSN_MAX_BYTES]);

/*
 * Translates an address for a supervisor's access without injecting anything. False where the
 * processor would fault, at user pages, and in code of privilege level 3. Sets accessed and dirty
 * bits as the access would.
 */
bool guest_peek(struct vcpu *vcpu, uint64_t linear, enum walk_access access, uint64_t *gpa);

#endif
