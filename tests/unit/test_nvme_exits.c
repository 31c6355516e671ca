/* SPDX-License-Identifier: Apache-2.0 */
/* What the NVMe mediator costs: exits per command, at registers and at interrupts. */
#include "tests/model/nvme_fixture.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define ROUNDS 64u
#define DEPTH  32u

static void start(struct nvme_fixture *f, bool in_memory)
{
	const struct driver_options options = {
		.queues = 1, .entries = 128, .doorbells = in_memory ? DRIVER_MEMORY : DRIVER_REGISTERS};

	assert_true(nvme_fixture_start(f, NULL, &options));
	assert_int_equal(f->d.in_memory, in_memory);
	nvme_machine_forget_exits(&f->m);
}

static void stop(struct nvme_fixture *f)
{
	const char *wrong = nvme_fixture_stop(f);

	if (wrong)
		fail_msg("%s", wrong);
}

static void enter(struct nvme_fixture *f, uint16_t cid, bool write)
{
	struct nvme_command command = driver_transfer(write, 1, LAYOUT_A_FIRST + 8 * cid, 8);

	command.cid = cid;
	command.prp1 = f->buffer + 4096u * cid;
	assert_true(driver_enter(&f->d, 1, &command));
}

/* In hundredths. */
static uint64_t report(struct nvme_fixture *f, const char *what, bool in_memory, uint64_t commands)
{
	uint64_t hundredths = nvme_machine_exits(&f->m) * 100 / commands;

	printf("%s, doorbells in %s: %llu.%02llu exits per command\n", what, in_memory ? "memory" : "registers",
		(unsigned long long)hundredths / 100, (unsigned long long)hundredths % 100);
	return hundredths;
}

/* A doorbell, an interrupt, and the acknowledgement where that is a register. */
static void one_at_a_time(void **state)
{
	(void)state;
	for (unsigned mode = 0; mode < 4; mode++) {
		bool in_memory = mode & 1, write = mode & 2;
		struct nvme_fixture f;

		start(&f, in_memory);
		for (unsigned i = 0; i < ROUNDS; i++) {
			enter(&f, 0, write);
			driver_ring(&f.d, 0, 1);
			nvme_machine_finish(&f.m);
			assert_true(f.d.request[1][0].done);
		}
		assert_in_range(
			report(&f, write ? "a write at a time" : "a read at a time", in_memory, ROUNDS), 0, in_memory ? 205 : 305);
		stop(&f);
	}
}

/* Together: rung once, completed together, one interrupt. */
static void a_batch(void **state)
{
	(void)state;
	for (unsigned in_memory = 0; in_memory < 2; in_memory++) {
		struct nvme_fixture f;

		start(&f, in_memory);
		for (unsigned i = 0; i < ROUNDS; i++) {
			for (uint16_t cid = 0; cid < DEPTH; cid++)
				enter(&f, cid, false);
			driver_ring(&f.d, 0, 1);
			nvme_machine_finish(&f.m);
			assert_false(driver_busy(&f.d));
		}
		assert_in_range(report(&f, "32 together", in_memory, ROUNDS * DEPTH), 0, 12);
		stop(&f);
	}
}

/*
 * Depth 32 as Linux keeps it: each completion is an interrupt of its own, and the
 * command that takes its place is entered at once.
 */
static void depth_32_one_by_one(void **state)
{
	(void)state;
	for (unsigned in_memory = 0; in_memory < 2; in_memory++) {
		struct nvme_fixture f;
		uint64_t rings;

		start(&f, in_memory);
		for (uint16_t cid = 0; cid < DEPTH; cid++) {
			enter(&f, cid, false);
			driver_ring(&f.d, 0, 1);
		}
		nvme_machine_forget_exits(&f.m);
		rings = f.d.rings;
		for (unsigned i = 0; i < ROUNDS * DEPTH; i++) {
			uint16_t cid = (uint16_t)(i % DEPTH);

			while (controller_fetch(&f.m.controller, 1) >= 0)
				;
			for (unsigned place = 0; place < CONTROLLER_COMMANDS; place++)
				if (f.m.controller.command[place].stage == CONTROLLER_FETCHED &&
					f.m.controller.command[place].command.prp1 == f.buffer + 4096u * cid)
					assert_true(controller_post(&f.m.controller, place));
			nvme_machine_interrupts(&f.m);
			assert_true(f.d.request[1][cid].done);
			enter(&f, cid, false);
			driver_ring(&f.d, 0, 1);
		}
		assert_in_range(report(&f, "depth 32, an interrupt each", in_memory, ROUNDS * DEPTH), 0, in_memory ? 105 : 305);
		if (in_memory)
			assert_int_equal(f.d.rings, rings); /* no doorbell register at all */
		nvme_machine_finish(&f.m);
		stop(&f);
	}
}

/* Nothing in flight: interrupts go to the guest as they are, however many come. */
static void nothing_in_flight(void **state)
{
	struct nvme_fixture f;

	(void)state;
	start(&f, true);
	for (unsigned i = 0; i < ROUNDS; i++) {
		f.m.controller.message[1] = true;
		nvme_machine_interrupts(&f.m);
		nvme_machine_tick(&f.m, 0);
		nvme_machine_tick(&f.m, 1);
	}
	assert_int_equal(nvme_machine_exits(&f.m), 0);
	stop(&f);
}

/* A poller's commands are done when its doorbell's exit ends: it looks at memory alone. */
static void a_poller(void **state)
{
	const struct driver_options options = {.queues = 1, .polling = true};
	struct nvme_fixture f;

	(void)state;
	assert_true(nvme_fixture_start(&f, NULL, &options));
	nvme_machine_forget_exits(&f.m);
	for (unsigned i = 0; i < ROUNDS; i++) {
		enter(&f, 0, i % 2);
		driver_ring(&f.d, 1, 1);
		assert_int_equal(driver_poll(&f.d, 1, 1), 1);
		assert_true(f.d.request[1][0].done);
	}
	assert_in_range(report(&f, "polled", false, ROUNDS), 0, 200);
	stop(&f);
}

static void work(struct nvme_machine *m)
{
	while (controller_step(&m->controller))
		;
}

/* Done before the exit of the doorbell ends: its interrupt is none, and no CPU is left watched. */
static void a_fast_device(void **state)
{
	(void)state;
	for (unsigned mode = 0; mode < 4; mode++) {
		bool in_memory = mode & 1, write = mode & 2;
		struct nvme_fixture f;

		start(&f, in_memory);
		f.m.leisure = 10;
		f.m.asked = work;
		for (unsigned i = 0; i < ROUNDS; i++) {
			enter(&f, 0, write);
			driver_ring(&f.d, 0, 1);
			assert_int_equal(nvme_machine_watched(&f.m), 0);
			nvme_machine_finish(&f.m);
			assert_true(f.d.request[1][0].done);
		}
		assert_in_range(report(&f, write ? "a write to a fast device" : "a read from a fast device", in_memory, ROUNDS),
			0, in_memory ? 105 : 205);
		f.m.asked = NULL;
		stop(&f);
	}
}

/* Nobody lingers for long at one that is slow: at 1 of 128 doorbells in the end. Then it becomes fast. */
static void a_slow_device(void **state)
{
	struct nvme_fixture f;

	(void)state;
	start(&f, true);
	f.m.leisure = 10;
	for (unsigned i = 0; i < ROUNDS * DEPTH; i++) {
		if (i == ROUNDS * DEPTH / 2)
			f.m.lingers = 0;
		enter(&f, 0, i % 2);
		driver_ring(&f.d, 0, 1);
		nvme_machine_finish(&f.m);
		assert_true(f.d.request[1][0].done);
	}
	assert_in_range(f.m.lingers, 10, ROUNDS * DEPTH / 2 / 128 * 10);
	f.m.asked = work;
	for (unsigned i = 0; i < 4 * 128; i++) {
		if (i == 128)
			nvme_machine_forget_exits(&f.m);
		enter(&f, 0, i % 2);
		driver_ring(&f.d, 0, 1);
		nvme_machine_finish(&f.m);
	}
	assert_in_range(report(&f, "a device that has become fast", true, 3 * 128), 0, 105);
	f.m.asked = NULL;
	stop(&f);
}

/* A controller that has gone away while it is waited for, and one that never answers: bounded. */
static void a_wait_ends(void **state)
{
	for (unsigned gone = 0; gone < 2; gone++) {
		const struct driver_options options = {.queues = 1, .polling = true};
		struct nvme_fixture f;
		const char *wrong;

		(void)state;
		assert_true(nvme_fixture_start(&f, NULL, &options));
		f.m.patience = 1000;
		if (gone)
			f.m.controller.gone = true;
		else
			controller_fail(&f.m.controller);
		enter(&f, 0, false);
		driver_ring(&f.d, 0, 1);
		assert_int_equal(driver_poll(&f.d, 0, 1), 0);
		assert_int_equal(f.m.waits, 1000);
		if (!gone)
			assert_true(nvme_machine_read(&f.m, 0, NVME_CSTS, 4) & NVME_CSTS_CFS);
		else
			assert_int_equal(nvme_machine_read(&f.m, 0, NVME_CSTS, 4), UINT32_MAX);
		wrong = nvme_fixture_drop(&f);
		if (wrong)
			fail_msg("%s", wrong);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_at_a_time),
		cmocka_unit_test(a_batch),
		cmocka_unit_test(depth_32_one_by_one),
		cmocka_unit_test(nothing_in_flight),
		cmocka_unit_test(a_poller),
		cmocka_unit_test(a_fast_device),
		cmocka_unit_test(a_slow_device),
		cmocka_unit_test(a_wait_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
