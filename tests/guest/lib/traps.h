/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exceptions and interrupts: all are counted in struct cpu, may be claimed by a
 * handler, and end what run() executes otherwise. One that nobody expects ends
 * the program.
 */
#ifndef TESTS_GUEST_LIB_TRAPS_H
#define TESTS_GUEST_LIB_TRAPS_H

#include "tests/guest/lib/cpus.h"

#define VECTOR_RUN_DONE 0x40 /* INT of it ends what run() executes as successful */
#define VECTOR_WAKE     0xf0 /* sent to a CPU that waits for work */
#define VECTOR_SPURIOUS 0xff

struct trap_frame {
	uint64_t gpr[16]; /* encoding order; [4] is rsp too */
	uint64_t vector, error;
	uint64_t rip, cs, rflags, rsp, ss;
};

/* Returns whether the interrupted code goes on, with the frame's registers; else it ends, as without a handler. */
typedef bool trap_handler(struct trap_frame *frame);
extern trap_handler *volatile trap_handlers[256];

/*
 * Code to execute and what came of it. In: gpr, rip, rflags, cs, ss. Out: the
 * same at the exception or interrupt `vector` that ended it (VECTOR_RUN_DONE: it
 * came to its INT), with error code, CR2 and DR6.
 */
struct run {
	uint64_t gpr[16];
	uint64_t rip, rflags, cs, ss;
	uint64_t vector, error, cr2, dr6;
};

/* 64-bit code at CPL 0 with interrupts off, registers zero, rsp at the top of the CPU's stack for such code. */
void run_prepare(struct run *run, const void *code);
void run(struct run *run);

/* One instruction each; the vector that came, or VECTOR_RUN_DONE. `error` may be NULL. */
uint64_t try_rdmsr(uint32_t index, uint64_t *value, uint64_t *error);
uint64_t try_wrmsr(uint32_t index, uint64_t value, uint64_t *error);
/* Any instruction of up to 15 bytes with the registers of `run`: prepared by run_prepare(run, NULL). */
void run_bytes(struct run *run, const uint8_t *bytes, unsigned count);

/* trap_entry.S */
void run_enter(const struct run *run, uint64_t *rsp);
extern const uint8_t run_left[] __attribute__((visibility("hidden")));
extern const uint8_t trap_stubs[] __attribute__((visibility("hidden")));
void trap_dispatch(struct trap_frame *frame);

/* Loads the table of the library on this CPU (a test may have loaded its own). */
void traps_load(void);

#endif
