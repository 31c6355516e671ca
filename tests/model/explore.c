/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/model/explore.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GRAIN	  1024u
#define MAX_DEPTH 400

/* The grains of the regions that differ from the first state. */
struct image {
	unsigned count;
	uint32_t *index;
	uint8_t *bytes;
};

struct state {
	uint32_t parent; /* and by which transition, for the trace */
	uint32_t by;
	bool goal, alive;
};

struct run {
	struct explore *explore;
	uint8_t *first;
	size_t total;
	uint64_t *table; /* hash of each known state, with its number beside it */
	uint32_t *number;
	size_t slots;
	struct state *state;
	uint32_t (*edge)[2];
	size_t edge_room;
};

static void *need(void *memory)
{
	if (!memory) {
		fprintf(stderr, "explore: out of memory\n");
		exit(2);
	}
	return memory;
}

/* Calls `each` for every grain: its place in the system and in the first image. */
static void grains(struct run *run,
	void (*each)(void *context, uint32_t index, uint8_t *now, uint8_t *first, size_t n), void *context)
{
	size_t base = 0;
	uint32_t index = 0;

	for (unsigned r = 0; r < run->explore->regions; r++) {
		uint8_t *memory = run->explore->region[r].memory;
		size_t bytes = run->explore->region[r].bytes;

		for (size_t at = 0; at < bytes; at += GRAIN, index++)
			each(context, index, memory + at, run->first + base + at,
				bytes - at < GRAIN ? bytes - at : GRAIN);
		base += bytes;
	}
}

static void take_grain(void *context, uint32_t index, uint8_t *now, uint8_t *first, size_t n)
{
	struct image *image = context;

	if (!memcmp(now, first, n))
		return;
	if (image->count % 64 == 0) {
		image->index = need(realloc(image->index, (image->count + 64) * sizeof(*image->index)));
		image->bytes = need(realloc(image->bytes, (image->count + 64) * (size_t)GRAIN));
	}
	image->index[image->count] = index;
	memcpy(image->bytes + image->count * (size_t)GRAIN, now, n);
	image->count++;
}

struct restoring {
	const struct image *image;
	unsigned at;
};

static void put_grain(void *context, uint32_t index, uint8_t *now, uint8_t *first, size_t n)
{
	struct restoring *restoring = context;

	if (restoring->at < restoring->image->count && restoring->image->index[restoring->at] == index)
		memcpy(now, restoring->image->bytes + restoring->at++ * (size_t)GRAIN, n);
	else if (memcmp(now, first, n))
		memcpy(now, first, n);
}

static struct image take(struct run *run)
{
	struct image image = {0};

	grains(run, take_grain, &image);
	return image;
}

static void put(struct run *run, const struct image *image)
{
	struct restoring restoring = {image, 0};

	grains(run, put_grain, &restoring);
}

static void drop(struct image *image)
{
	free(image->index);
	free(image->bytes);
}

static void hash_grain(void *context, uint32_t index, uint8_t *now, uint8_t *first, size_t n)
{
	uint64_t h = *(uint64_t *)context;

	if (!memcmp(now, first, n))
		return;
	h = (h ^ index) * 0xff51afd7ed558ccdull;
	for (size_t at = 0; at < n; at += 8) {
		uint64_t word = 0;

		memcpy(&word, now + at, n - at < 8 ? n - at : 8);
		h = (h ^ word) * 0xff51afd7ed558ccdull;
		h ^= h >> 32;
	}
	*(uint64_t *)context = h;
}

/* Of the present state. */
static uint64_t hash(struct run *run)
{
	uint64_t h = 0x9e3779b97f4a7c15ull;

	grains(run, hash_grain, &h);
	return h ? h : 1;
}

/* The state's number; *fresh when it was not known. */
static uint32_t number_of(struct run *run, uint64_t h, bool *fresh)
{
	size_t slot = h % run->slots;

	while (run->table[slot] && run->table[slot] != h)
		slot = (slot + 1) % run->slots;
	*fresh = !run->table[slot];
	if (*fresh) {
		run->table[slot] = h;
		run->number[slot] = (uint32_t)run->explore->states++;
	}
	return run->number[slot];
}

static void print_trace(struct run *run, uint32_t state)
{
	struct explore *e = run->explore;
	unsigned step[MAX_DEPTH], count = 0;
	struct image none = {0};

	while (state && count < MAX_DEPTH) {
		step[count++] = run->state[state].by;
		state = run->state[state].parent;
	}
	fprintf(stderr, "explore: %s; the way there:\n", e->failure);
	put(run, &none);
	while (count--) {
		fprintf(stderr, "  %s\n", e->name(e->context, step[count]));
		e->step(e->context, step[count]);
	}
}

static void fail(struct run *run, const char *what, uint32_t state)
{
	run->explore->failure = what;
	print_trace(run, state);
}

static void add_edge(struct run *run, uint32_t from, uint32_t to)
{
	struct explore *e = run->explore;

	if (e->edges == run->edge_room) {
		run->edge_room = run->edge_room * 2 + 1024;
		run->edge = need(realloc(run->edge, run->edge_room * sizeof(*run->edge)));
	}
	run->edge[e->edges][0] = from;
	run->edge[e->edges++][1] = to;
}

/* Enters the present state, if it is new, and all that follows from it. */
static void visit(struct run *run, uint32_t self, const struct image *image, unsigned depth, uint64_t most)
{
	struct explore *e = run->explore;
	const char *wrong = e->check(e->context);

	if (wrong) {
		fail(run, wrong, self);
		return;
	}
	put(run, image);
	run->state[self].goal = e->goal(e->context);
	for (unsigned i = 0;; i++) {
		enum explore_step made = e->step(e->context, i);
		struct image next;
		uint32_t to;
		bool fresh;

		if (made == EXPLORE_END)
			break;
		if (made == EXPLORE_SKIP)
			continue;
		to = number_of(run, hash(run), &fresh);
		add_edge(run, self, to);
		if (fresh && (e->states >= most || depth == MAX_DEPTH)) {
			e->failure = "too many states";
		} else if (fresh) {
			run->state[to] = (struct state){.parent = self, .by = i};
			next = take(run);
			visit(run, to, &next, depth + 1, most);
			drop(&next);
		}
		if (e->failure)
			return;
		put(run, image);
	}
	put(run, image);
}

/* Backwards from the goals; what is not reached hangs. */
static void find_hang(struct run *run)
{
	struct explore *e = run->explore;
	bool more = true;

	for (uint64_t i = 0; i < e->states; i++)
		run->state[i].alive = run->state[i].goal;
	while (more) {
		more = false;
		for (uint64_t i = e->edges; i-- > 0;)
			if (run->state[run->edge[i][1]].alive && !run->state[run->edge[i][0]].alive)
				more = run->state[run->edge[i][0]].alive = true;
	}
	for (uint64_t i = 0; i < e->states && !e->failure; i++)
		if (!run->state[i].alive)
			fail(run, "no way from here to the end: a hang", (uint32_t)i);
}

void explore_run(struct explore *e, uint64_t most_states)
{
	struct run run = {.explore = e, .slots = most_states * 2 + 1};
	struct image none = {0};
	size_t at = 0;
	bool fresh;

	e->states = e->edges = 0;
	e->failure = NULL;
	for (unsigned r = 0; r < e->regions; r++)
		run.total += e->region[r].bytes;
	run.first = need(malloc(run.total));
	for (unsigned r = 0; r < e->regions; at += e->region[r++].bytes)
		memcpy(run.first + at, e->region[r].memory, e->region[r].bytes);
	run.table = need(calloc(run.slots, sizeof(*run.table)));
	run.number = need(calloc(run.slots, sizeof(*run.number)));
	run.state = need(calloc(most_states + 1, sizeof(*run.state)));
	number_of(&run, hash(&run), &fresh);
	visit(&run, 0, &none, 0, most_states);
	if (!e->failure)
		find_hang(&run);
	put(&run, &none);
	free(run.first);
	free(run.table);
	free(run.number);
	free(run.state);
	free(run.edge);
}
