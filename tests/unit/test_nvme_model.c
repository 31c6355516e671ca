/* SPDX-License-Identifier: Apache-2.0 */
/* The model NVMe controller and the guest's driver, with no mediator between them: what the other tests rely on. */
#include "tests/model/guest_nvme.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

struct fixture {
	struct nvme_machine m;
	struct driver d;
	uint64_t buffer; /* 1 MiB and a page */
};

#define BUFFER ((1u << 20) + 4096)

static void start(struct fixture *f, struct nvme_machine_options machine, const struct driver_options *options)
{
	machine.bare = true;
	nvme_machine_init(&f->m, &machine);
	assert_true(driver_start(&f->d, &f->m, options));
	f->buffer = nvme_machine_ram(&f->m, BUFFER, 4096);
}

static void stop(struct fixture *f)
{
	assert_int_equal(f->m.bus.faults, 0);
	assert_int_equal(f->d.strange, 0);
	nvme_machine_free(&f->m);
}

static void expect_pattern(struct fixture *f, uint32_t nsid, uint64_t lba, uint32_t count, uint64_t address)
{
	struct layout layout = nvme_machine_layout(&f->m, nsid);
	uint8_t expected[4096];

	for (uint32_t i = 0; i < count; i++) {
		layout_pattern(&layout, lba + i, expected);
		assert_memory_equal(nvme_machine_pointer(&f->m, address + i * layout.lba_size), expected, layout.lba_size);
	}
}

/* Sizes up to 1 MiB at offsets in a page, through queues of every kind. */
static void transfers(void **state)
{
	static const struct driver_options drivers[] = {{.queues = 2}, {.queues = 4, .completion = 2, .lists = true},
		{.queues = 3, .completion = 2, .vectors = 1, .entries = 8}, {.polling = true}, {.queues = 2, .shared_with_admin = true}};
	static const uint32_t counts[] = {1, 2, 8, 9, 15, 64, 2048};

	(void)state;
	for (unsigned i = 0; i < 10; i++) {
		struct fixture f;

		start(&f, (struct nvme_machine_options){.io_queues = 4, .pin = i >= 5, .stride = i % 3}, &drivers[i % 5]);
		for (unsigned j = 0; j < 7; j++)
			for (uint32_t offset = 0; offset < 4096; offset += 1364) {
				unsigned queue = 1 + j % f.d.queues;

				assert_int_equal(driver_read(&f.d, queue, 1, 17 + j, counts[j], f.buffer + offset), 0);
				expect_pattern(&f, 1, 17 + j, counts[j], f.buffer + offset);
				assert_int_equal(driver_write(&f.d, queue, 2, 99, counts[j], f.buffer + offset), 0);
				assert_memory_equal(f.m.ns[1].medium + 99 * 512,
					nvme_machine_pointer(&f.m, f.buffer + offset), counts[j] * 512);
			}
		stop(&f);
	}
}

static struct nvme_command read_of(struct fixture *f, uint16_t cid, uint64_t lba)
{
	struct nvme_command command = driver_transfer(false, 1, lba, 8);

	command.cid = cid;
	command.prp1 = f->buffer + cid * 4096u;
	return command;
}

/* Data come when they are moved, completions when they are posted, messages when they arrive. */
static void one_step_at_a_time(void **state)
{
	struct fixture f;
	int place[3];

	(void)state;
	start(&f, (struct nvme_machine_options){0}, &(struct driver_options){0});
	for (uint16_t i = 0; i < 3; i++) {
		struct nvme_command command = read_of(&f, i, 8 * i);

		assert_true(driver_enter(&f.d, 1, &command));
	}
	assert_int_equal(controller_fetch(&f.m.controller, 1), -1); /* not rung */
	driver_ring(&f.d, 0, 1);
	for (int i = 0; i < 3; i++)
		place[i] = controller_fetch(&f.m.controller, 1);
	controller_move(&f.m.controller, (unsigned)place[2]);
	expect_pattern(&f, 1, 16, 8, f.buffer + 2 * 4096);
	assert_int_equal(*(uint8_t *)nvme_machine_pointer(&f.m, f.buffer + 3), 0);
	assert_false(driver_consume(&f.d, 1));
	assert_true(controller_post(&f.m.controller, (unsigned)place[2]));
	assert_true(controller_post(&f.m.controller, (unsigned)place[0]));
	assert_true(nvme_machine_arrive(&f.m, 1, 0));
	assert_false(nvme_machine_arrive(&f.m, 1, 0));
	assert_true(nvme_machine_take(&f.m, 0));
	assert_true(controller_post(&f.m.controller, (unsigned)place[1]));
	assert_true(nvme_machine_arrive(&f.m, 1, 0));
	assert_false(nvme_machine_take(&f.m, 0)); /* the first is in service */
	assert_true(nvme_machine_handle(&f.m, 0));
	for (int i = 0; i < 3; i++)
		assert_true(f.d.request[1][i].done);
	assert_true(nvme_machine_take(&f.m, 0));
	assert_true(nvme_machine_handle(&f.m, 0)); /* finds nothing */
	assert_int_equal(f.d.completions, 3 + 9);
	stop(&f);
}

/* A queue that is full holds its completions; the pin is a level that INTMS masks. */
static void full_queue_and_pin(void **state)
{
	struct fixture f;

	(void)state;
	start(&f, (struct nvme_machine_options){.pin = true},
		&(struct driver_options){.queues = 2, .completion = 1, .entries = 4});
	for (uint16_t i = 0; i < 6; i++) {
		struct nvme_command command = read_of(&f, i, i);

		assert_true(driver_enter(&f.d, 1 + i / 3, &command));
	}
	driver_ring(&f.d, 0, 1);
	driver_ring(&f.d, 0, 2);
	controller_run(&f.m.controller);
	assert_int_not_equal(f.m.controller.full, 0);
	assert_true(controller_pin(&f.m.controller));
	nvme_machine_write(&f.m, 0, NVME_INTMS, 4, 1);
	assert_false(controller_pin(&f.m.controller));
	nvme_machine_write(&f.m, 0, NVME_INTMC, 4, 1);
	assert_int_equal(driver_poll(&f.d, 0, 1), 3);
	assert_false(controller_pin(&f.m.controller));
	nvme_machine_finish(&f.m);
	assert_false(driver_busy(&f.d));
	assert_false(controller_pin(&f.m.controller));
	stop(&f);
}

static void coalesced(void **state)
{
	struct nvme_command set = {.opcode = 9, .cdw10 = 8, .cdw11 = 2};
	struct fixture f;

	(void)state;
	start(&f, (struct nvme_machine_options){0}, &(struct driver_options){0});
	assert_int_equal(driver_do(&f.d, 0, &set, NULL), 0);
	for (uint16_t i = 0; i < 4; i++) {
		struct nvme_command command = read_of(&f, i, i);

		assert_true(driver_enter(&f.d, 1, &command));
		driver_ring(&f.d, 0, 1);
		assert_true(controller_post(&f.m.controller, (unsigned)controller_fetch(&f.m.controller, 1)));
		assert_int_equal(nvme_machine_arrive(&f.m, 1, 0), i == 2);
	}
	controller_elapse(&f.m.controller);
	assert_true(nvme_machine_arrive(&f.m, 1, 0));
	assert_false(nvme_machine_arrive(&f.m, 1, 0));
	nvme_machine_interrupts(&f.m);
	assert_false(driver_busy(&f.d));
	stop(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(transfers),
		cmocka_unit_test(one_step_at_a_time),
		cmocka_unit_test(full_queue_and_pin),
		cmocka_unit_test(coalesced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
