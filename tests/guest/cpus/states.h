/* SPDX-License-Identifier: Apache-2.0 */
/* What a CPU may be doing when an INIT reaches it. */
#ifndef TESTS_GUEST_CPUS_STATES_H
#define TESTS_GUEST_CPUS_STATES_H

#include "tests/guest/lib/cpus.h"

enum state {
	STATE_RUNS,
	STATE_HALTS,        /* interrupts on */
	STATE_HALTS_MASKED, /* interrupts off */
	STATE_WAITS,        /* for a SIPI */
	/* From here on in exits, one after the other. */
	STATE_CPUID,
	STATE_PORT,
	STATE_MSR,
	STATE_APIC,
	STATE_DEVICE_READ,
	STATE_DEVICE_WRITE,
	STATE_HYPERCALL, /* last: only beneath */
	STATES
};
extern const char *const state_names[STATES];

/* Steps that the CPU has made; stands still in the first states but STATE_RUNS. */
extern volatile uint64_t progress[MACHINE_MAX_CPUS];

/* Before the first: finds the device; where there is none, memory stands for it. */
void states_begin(void);
/* Brings a CPU that has no work into the state, or on the way to it: the CPU ends in it only by INIT. */
void state_enter(struct cpu *cpu, enum state state);

/* line.c: whether an interrupt line that sends INIT stops `cpu`, which has no work before, and has some afterwards. */
bool line_inits(struct cpu *cpu);

#endif
