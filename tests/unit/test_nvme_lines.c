/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CPUs that use queues of their own write no cache line together: neither the
 * mediator does on their behalf, nor what stands around it in the native harness.
 * Counted by the lines that each thread has read and written (tests/lines).
 */
#include "storage/nvme/internal.h"
#include "tests/lines/recorder.h"
#include "tests/model/nvme_lanes.h"
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define LANE_BLOCKS 64u
#define DEPTH	    32u
#define WARM	    200u
#define COUNTED	    1500u

struct worker {
	struct lane *lane;
	struct recorder recorder;
	pthread_t thread;
	pthread_barrier_t *start;
	unsigned depth;
	uint64_t seed;
};

static uint64_t next(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005ull + 1442695040888963407ull;
	return *seed >> 33;
}

/* `count` reads and writes of any block, `depth` at a time. */
static void work(struct worker *worker, unsigned count)
{
	uint16_t cid[LANE_ENTRIES];

	for (unsigned done = 0; done < count; done += worker->depth) {
		for (unsigned i = 0; i < worker->depth; i++) {
			uint64_t any = next(&worker->seed);

			lane_submit(worker->lane, (uint16_t)i, any & 1, any / 2 % LANE_BLOCKS,
				worker->lane->memory + (size_t)i * LANE_BYTES);
			lane_ring(worker->lane);
		}
		for (unsigned reaped = 0; reaped < worker->depth;)
			reaped += lane_reap(worker->lane, cid);
	}
}

static void *run(void *context)
{
	struct worker *worker = context;

	work(worker, WARM);
	pthread_barrier_wait(worker->start);
	recorder_use(&worker->recorder);
	work(worker, COUNTED);
	recorder_use(NULL);
	return NULL;
}

/* Each lane by a thread of its own; then every two of them are compared. */
static unsigned shared_lines(struct lanes *lanes, struct worker *worker, unsigned depth)
{
	pthread_barrier_t start;
	unsigned shared = 0;

	pthread_barrier_init(&start, NULL, lanes->count);
	for (unsigned i = 0; i < lanes->count; i++) {
		worker[i] = (struct worker){.lane = &lanes->lane[i], .start = &start, .depth = depth, .seed = i + 1};
		recorder_init(&worker[i].recorder);
		assert_int_equal(pthread_create(&worker[i].thread, NULL, run, &worker[i]), 0);
	}
	for (unsigned i = 0; i < lanes->count; i++)
		pthread_join(worker[i].thread, NULL);
	for (unsigned i = 0; i < lanes->count; i++)
		for (unsigned j = 0; j < lanes->count; j++)
			if (i != j)
				shared += recorder_shared(&worker[i].recorder, &worker[j].recorder, true);
	pthread_barrier_destroy(&start);
	return shared;
}

static struct lanes *start(enum lanes_mode mode, unsigned count, bool registers)
{
	const struct lanes_options options = {.mode = mode,
		.lanes = count,
		.lane_blocks = LANE_BLOCKS,
		.memory_bytes = DEPTH * LANE_BYTES,
		.registers = registers};
	struct lanes *lanes = aligned_alloc(64, sizeof(*lanes));

	assert_true(lanes_init(lanes, &options));
	assert_int_equal(lanes->d.in_memory, mode == LANES_ENCRYPTED && !registers);
	return lanes;
}

static void stop(struct lanes *lanes)
{
	for (unsigned i = 0; i < lanes->count; i++) {
		assert_int_equal(lanes->lane[i].failed, 0);
		assert_int_equal(lanes->lane[i].watches, 0);
	}
	assert_int_equal(lanes->m.bus.faults, 0);
	lanes_free(lanes);
	free(lanes);
}

/* What the mediator writes is seen: this CPU's lock and slots, and not the other's. */
static void check_recorded(const struct nvme *nvme, const struct worker *worker, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		for (unsigned queue = 1; queue <= count; queue++) {
			assert_int_equal(recorder_has_written(&worker[i].recorder, &nvme->cq[queue].lock), queue == i + 1);
			assert_int_equal(recorder_has_written(&worker[i].recorder, nvme->sq[queue].slot), queue == i + 1);
		}
}

static void no_shared_lines(void **state)
{
	static const struct {
		unsigned lanes, depth;
		bool registers;
	} row[] = {{2, 1, false}, {2, DEPTH, false}, {2, 1, true}, {2, DEPTH, true}, {LANES, DEPTH, false}};
	struct worker worker[LANES];

	(void)state;
	for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct lanes *lanes = start(LANES_ENCRYPTED, row[i].lanes, row[i].registers);

		assert_int_equal(shared_lines(lanes, worker, row[i].depth), 0);
		check_recorded(lanes->m.nvme, worker, lanes->count);
		for (unsigned lane = 0; lane < lanes->count; lane++) {
			assert_true(worker[lane].recorder.written > 1000);
			recorder_free(&worker[lane].recorder);
		}
		stop(lanes);
	}
}

/* The harness by itself, so that it is not what limits two threads. */
static void no_shared_lines_bare(void **state)
{
	struct worker worker[LANES];
	struct lanes *lanes = start(LANES_BARE, 2, true);

	(void)state;
	assert_int_equal(shared_lines(lanes, worker, DEPTH), 0);
	for (unsigned i = 0; i < 2; i++)
		recorder_free(&worker[i].recorder);
	stop(lanes);
}

static void fill(uint8_t *data, unsigned salt)
{
	for (unsigned i = 0; i < LANE_BYTES; i++)
		data[i] = (uint8_t)(i * 31 + (i >> 8) * 7 + salt);
}

static void transfer(struct lane *lane, bool write, uint64_t block, uint8_t *data)
{
	uint16_t cid[LANE_ENTRIES];

	lane_submit(lane, 5, write, block, data);
	lane_ring(lane);
	assert_int_equal(lane_reap(lane, cid), 1);
	assert_int_equal(cid[0], 5);
}

/* What is measured is the whole work: data is on the medium as it should be, in its lane's place, and comes back. */
static void data_is_right(void **state)
{
	(void)state;
	for (enum lanes_mode mode = LANES_BARE; mode <= LANES_ENCRYPTED; mode++) {
		struct lanes *lanes = start(mode, 2, false);

		for (uint64_t block = 0; block < LANE_BLOCKS; block += 9)
			for (unsigned i = 0; i < 2; i++) {
				struct lane *lane = &lanes->lane[i];
				uint8_t *other = lane->memory + LANE_BYTES, plain[LANE_BYTES];

				fill(lane->memory, (unsigned)block * 2 + i);
				transfer(lane, true, block, lane->memory);
				transfer(lane, false, block, other);
				assert_memory_equal(other, lane->memory, LANE_BYTES);
				lane_plain(lane, block, plain);
				assert_int_equal(!memcmp(plain, other, LANE_BYTES), mode != LANES_CIPHER);
			}
		stop(lanes);
	}
}

/* The recorder: one line of four is written by both threads, one is written here and read there. */
static void recorder_counts(void **state)
{
	static uint8_t memory[4 * RECORDER_LINE] __attribute__((aligned(RECORDER_LINE)));
	struct recorder one, other;

	(void)state;
	recorder_init(&one);
	recorder_init(&other);
	recorder_use(&one);
	recorder_note(memory, 1, true, NULL + 1);
	recorder_note(memory + 2 * RECORDER_LINE - 1, 2, true, NULL + 1);
	recorder_use(&other);
	recorder_note(memory + RECORDER_LINE, 8, true, NULL + 1);
	recorder_note(memory + 2 * RECORDER_LINE, 8, false, NULL + 1);
	recorder_note(memory + 3 * RECORDER_LINE, 8, true, NULL + 1);
	recorder_use(NULL);
	assert_int_equal(one.written, 3);
	assert_int_equal(recorder_shared(&one, &other, false), 1);
	assert_int_equal(recorder_shared(&one, &other, true), 2);
	assert_int_equal(recorder_shared(&other, &one, true), 1);
	recorder_free(&one);
	recorder_free(&other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(recorder_counts),
		cmocka_unit_test(data_is_right),
		cmocka_unit_test(no_shared_lines_bare),
		cmocka_unit_test(no_shared_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
