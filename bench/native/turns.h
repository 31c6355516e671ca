/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two threads by turns: one alone, both, the other alone, both, some milliseconds
 * each, while the one whose turn it is not waits without a use of memory. What
 * comes and goes on the machine meanwhile meets all turns alike, so the work of
 * both can be held against the work of one though it never is quiet.
 */
#ifndef BENCH_NATIVE_TURNS_H
#define BENCH_NATIVE_TURNS_H

#include <stdint.h>
#include <stdio.h>

#define TURNS_ROUNDS 512 /* of many turns: what is later is not counted */

struct turns {
	unsigned rounds;
	struct turns_round {
		uint64_t number; /* the same for both threads */
		uint64_t alone, both;
	} round[TURNS_ROUNDS];
};

/* Waits until it is the turn of thread 0 or 1, and counts one piece of work of it. */
void turns_take(struct turns *turns, unsigned thread);
/* Writes `NAME turns: NUMBER/ALONE/BOTH ...` and ends the line. */
void turns_tell(const struct turns *turns, const char *name, FILE *to);

#endif
