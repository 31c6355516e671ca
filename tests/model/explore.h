/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exhaustive exploration of a small system whose whole state lies in named
 * regions of memory. Depth first; a state is known again by its hash; between
 * transitions the regions are put back. Every state and every edge is visited
 * once, then each state must be able to reach a goal: else somebody hangs there.
 */
#ifndef TESTS_MODEL_EXPLORE_H
#define TESTS_MODEL_EXPLORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EXPLORE_REGIONS 24

struct explore {
	/* The system's memory; what it holds at explore_run() is the first state. */
	struct {
		void *memory;
		size_t bytes;
	} region[EXPLORE_REGIONS];
	unsigned regions;
	void *context;
	/* Makes the transition `number` (0, 1, ...) of the present state; does nothing unless it is made. */
	enum explore_step {
		EXPLORE_MADE,
		EXPLORE_SKIP, /* there is none of this number here, or it is one that was tried */
		EXPLORE_END,  /* none of this number or beyond */
	} (*step)(void *context, unsigned number);
	/* Called in each new state; what it changes is put back. NULL, or what is wrong there. */
	const char *(*check)(void *context);
	bool (*goal)(void *context);
	/* For a trace: what the transition was. */
	const char *(*name)(void *context, unsigned number);
	/* Results: */
	uint64_t states, edges;
	const char *failure; /* NULL when everything holds; the trace has been printed */
};

/* Gives up with a failure beyond `most_states`. */
void explore_run(struct explore *explore, uint64_t most_states);

#endif
