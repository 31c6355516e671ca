/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end, for broken invariants of our own only: the other CPUs are stopped, keys
 * are wiped, the reason is logged with a number that names the place, and what is
 * known of the CPU (crash_dump.h). Then the machine is reset, so that the next start
 * finds the log, or halts, as the policy says. No guest input leads here.
 */
#ifndef HV_CORE_PANIC_H
#define HV_CORE_PANIC_H

#include <stdbool.h>

enum panic_number {
	PANIC_HOST_EXCEPTION = 1, /* a fault inside the hypervisor */
	PANIC_STACK = 2,          /* a host stack has overflowed */
	PANIC_BACKEND = 3,        /* a processor that has passed every check refuses its extension */
};

/* `halt`: the machine stands still after a panic. Init only. */
void panic_init(bool halt);

void panic(enum panic_number number, const char *format, ...)
	__attribute__((noreturn, format(printf, 2, 3)));

#endif
