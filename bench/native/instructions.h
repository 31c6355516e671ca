/* SPDX-License-Identifier: Apache-2.0 */
/* Instructions that the calling thread retires in user mode, by the processor's counters. */
#ifndef BENCH_NATIVE_INSTRUCTIONS_H
#define BENCH_NATIVE_INSTRUCTIONS_H

#include <stdint.h>

struct instructions {
	int file; /* of perf_event_open(2); negative: there are no counters here */
};

void instructions_begin(struct instructions *instructions);
/* How many since then; 0 where they cannot be counted. */
uint64_t instructions_end(struct instructions *instructions);

#endif
