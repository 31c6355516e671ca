/* SPDX-License-Identifier: Apache-2.0 */
/* The admin queue through the NVMe mediator: what the guest is told, its queues, events, aborts, resets. */
#include "tests/model/nvme_fixture.h"
#include "storage/nvme/commands.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { IDENTIFY = 6, ABORT = 8, SET_FEATURES = 9, GET_FEATURES = 0x0a, EVENT_REQUEST = 0x0c };

static void start(struct nvme_fixture *f)
{
	assert_true(nvme_fixture_start(f, NULL, NULL));
}

static void stop(struct nvme_fixture *f)
{
	const char *wrong = nvme_fixture_stop(f);

	if (wrong)
		fail_msg("%s", wrong);
}

static uint16_t code(uint16_t status)
{
	return status & (uint16_t)~NVME_DO_NOT_RETRY;
}

static uint16_t admin(struct nvme_fixture *f, struct nvme_command command)
{
	return code(driver_do(&f->d, 0, &command, NULL));
}

static uint16_t identify(struct nvme_fixture *f, uint8_t structure, uint32_t nsid, uint64_t address)
{
	struct nvme_command command = {.opcode = IDENTIFY, .nsid = nsid, .cdw10 = structure};

	driver_linear(&f->m, &command, address, 4096, f->d.list);
	return admin(f, command);
}

/* Nothing of what the model controller has and a guest must not have. */
static void what_is_told(void **state)
{
	uint8_t own[4096];
	struct nvme_fixture f;

	(void)state;
	start(&f);
	for (uint32_t offset = 0; offset < 4096; offset += 2044) { /* on one page, and on two */
		uint8_t *data = f.memory + offset;

		memset(f.memory, 0xee, 3 * 4096);
		assert_int_equal(identify(&f, 1, 0, f.buffer + offset), 0);
		controller_identify(&f.m.controller, own);
		assert_memory_equal(data, own, 64); /* its names */
		assert_int_equal(data[256] & ~0x10, 0);  /* OACS: Device Self-test alone, */
		assert_int_equal(data[257], 1);		 /* and Doorbell Buffer Config */
		assert_int_equal(data[520] & 0x2b, 0);	 /* ONCS: what is let through, */
		assert_int_equal(data[521], 0);		 /* and nothing of later versions */
		assert_int_equal(data[522] | data[531], 0);
		assert_int_equal(data[536] | data[272] | data[328], 0);
		assert_int_equal(data[77], 7);
		assert_int_equal(data[4096], 0xee);
		assert_int_equal(identify(&f, 0, 1, f.buffer + offset), 0);
		namespace_identify(&f.m.ns[0], own);
		assert_memory_equal(data, own, 30);
		assert_int_equal(data[31] | (data[33] & 0x1f), 0);
		assert_int_equal(identify(&f, 2, 0, f.buffer + offset), 0);
		assert_int_equal(((uint32_t *)data)[2], 3);
		assert_int_equal(identify(&f, 3, 1, f.buffer + offset), 0);
		assert_int_equal(data[1], 8);
	}
	assert_int_equal(identify(&f, 0x10, 0, f.buffer), NVME_INVALID_FIELD);
	assert_int_equal(identify(&f, 0, 99, f.buffer), NVME_INVALID_NAMESPACE);
	stop(&f);
}

static void registers(void **state)
{
	const struct nvme_machine_options options = {.entries = 4096, .stride = 1, .contiguous = true};
	struct nvme_fixture f;
	uint64_t cap;

	(void)state;
	assert_true(nvme_fixture_start(&f, &options, NULL));
	cap = nvme_machine_read(&f.m, 0, NVME_CAP, 8);
	assert_int_equal(cap & 0xffffffff, nvme_machine_read(&f.m, 1, NVME_CAP, 4));
	assert_int_equal(cap >> 32, nvme_machine_read(&f.m, 1, NVME_CAP + 4, 4));
	assert_int_equal(cap >> 16 & 0xffff, nvme_machine_read(&f.m, 1, NVME_CAP + 2, 2));
	assert_int_equal(cap >> 8 & 0xff, nvme_machine_read(&f.m, 1, NVME_CAP + 1, 1));
	assert_int_equal(NVME_CAP_MQES(cap), NVME_ENTRIES - 1);
	assert_int_equal(cap & (NVME_CAP_NSSRS | NVME_CAP_BPS | NVME_CAP_MPSMAX | NVME_CAP_PMRS | NVME_CAP_CMBS), 0);
	assert_int_equal(cap & NVME_CAP_CSS, NVME_CAP_CSS_NVM);
	assert_true(cap & NVME_CAP_CQR);
	assert_int_equal(nvme_machine_read(&f.m, 0, NVME_VS, 4), 0x10400);
	for (uint32_t offset = NVME_CMBLOC; offset < 0x2000; offset += 4)
		assert_int_equal(nvme_machine_read(&f.m, 0, offset, 4), 0);
	/* Its own queues are what the guest reads, not the mediator's. */
	assert_int_equal(nvme_machine_read(&f.m, 0, NVME_ASQ, 8), f.d.sq[0].memory);
	assert_int_equal(nvme_machine_read(&f.m, 0, NVME_ACQ, 8), f.d.cq[0].memory);
	assert_int_equal(nvme_machine_read(&f.m, 0, NVME_AQA, 4), 0x1f001f);
	nvme_machine_write(&f.m, 0, NVME_NSSR, 4, 0x4e564d65);
	nvme_machine_write(&f.m, 0, NVME_CMBLOC, 8, 0x1234);
	nvme_machine_write(&f.m, 0, NVME_PMRCAP + 4, 4, 1);
	nvme_machine_write(&f.m, 0, NVME_CC, 2, 0);
	assert_true(nvme_fixture_works(&f));
	stop(&f);
}

/* Each queue pair's doorbells in a line of their own, as far as there is room; the device's are where they are. */
static void doorbell_lines(void **state)
{
	static const struct {
		struct nvme_machine_options machine;
		int stride; /* negative: it refuses */
	} row[] = {
		{{.io_queues = 2}, 3},
		{{.io_queues = 2, .stride = 1}, 3},
		{{.io_queues = 2, .stride = 5}, 3},
		{{.io_queues = 16, .stride = 3}, 3},
		{{.io_queues = 63, .device_queues = 16}, 3},
		{{.io_queues = 64, .device_queues = 16}, 2},
		{{.io_queues = 2, .registers = NVME_DOORBELLS + 0x40}, 1},
		{{.io_queues = 2, .registers = NVME_DOORBELLS + 6 * 4}, 0},
		{{.io_queues = 2, .registers = NVME_DOORBELLS + 5 * 4}, -1},
		{{.io_queues = 2, .stride = 9}, -1},
	};
	const struct driver_options rings_in_memory = {.queues = 2, .doorbells = DRIVER_MEMORY};
	struct nvme_fixture f;

	(void)state;
	for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		assert_int_equal(nvme_fixture_start(&f, &row[i].machine, i % 2 ? &rings_in_memory : NULL), row[i].stride >= 0);
		if (row[i].stride >= 0) {
			assert_int_equal(f.d.stride, row[i].stride);
			assert_true(nvme_fixture_works(&f));
		}
		stop(&f);
	}
}

/* Every opcode of both command sets that is not let through, with its status; the controller sees none of them. */
static void refusals(void **state)
{
	struct nvme_fixture f;
	unsigned refused = 0;

	(void)state;
	start(&f);
	for (unsigned detail = 0; detail < 256; detail++)
		for (unsigned i = 0; i < 512; i++) {
			struct nvme_command command = {.opcode = (uint8_t)i,
				.nsid = 1,
				.cdw10 = detail,
				.prp1 = f.buffer,
				.prp2 = f.buffer + 4096};
			unsigned queue = i / 256;
			uint16_t status;

			if (detail > 15 && i != GET_FEATURES && i != SET_FEATURES && i != 2 && i != IDENTIFY)
				continue; /* it makes no difference */
			if ((queue ? nvme_io_class : nvme_admin_class)(&command, &status) != NVME_REFUSE)
				continue;
			assert_int_equal(driver_do(&f.d, queue, &command, NULL), status);
			refused++;
		}
	assert_true(refused > 5000);
	assert_true(nvme_fixture_works(&f));
	stop(&f);
}

static uint32_t feature(struct nvme_fixture *f, uint8_t opcode, uint8_t number, uint32_t value)
{
	struct nvme_command command = {.opcode = opcode, .cdw10 = number, .cdw11 = value, .prp1 = f->buffer + 8};
	uint32_t result = 0;

	assert_int_equal(driver_do(&f->d, 0, &command, &result), 0);
	return result;
}

static void features(void **state)
{
	const struct nvme_machine_options options = {.io_queues = 3, .device_queues = 9};
	struct nvme_fixture f;

	(void)state;
	assert_true(nvme_fixture_start(&f, &options, NULL));
	/* No more queues than the mediator has, though the controller has more. */
	assert_int_equal(feature(&f, SET_FEATURES, 7, 0xfffe), 0x20002);
	assert_int_equal(feature(&f, GET_FEATURES, 7, 0), 0x20002);
	for (unsigned half = 0; half < 32; half += 16)
		assert_int_equal(admin(&f, (struct nvme_command){.opcode = SET_FEATURES, .cdw10 = 7, .cdw11 = 0xffffu << half}),
			NVME_INVALID_FIELD);
	feature(&f, SET_FEATURES, 6, 1);
	assert_int_equal(feature(&f, GET_FEATURES, 6, 0), 1);
	assert_int_equal(f.m.controller.feature[6], 1);
	/* Those that move data, no more of it than they are defined to. */
	memset(f.memory, 0xee, 4096);
	feature(&f, GET_FEATURES, 0x0c, 0);
	for (unsigned i = 0; i < 4096; i++)
		assert_int_equal(f.memory[i], i >= 8 && i < 264 ? 0x0c : 0xee);
	feature(&f, SET_FEATURES, 0x0e, 0);
	stop(&f);
}

static void log_pages(void **state)
{
	static const uint8_t pages[] = {1, 2, 3, 4, 6, 0x81};
	struct nvme_fixture f;

	(void)state;
	start(&f);
	for (unsigned i = 0; i < 6; i++)
		for (uint32_t bytes = 4; bytes <= 65536; bytes *= 2) {
			struct nvme_command command = {
				.opcode = 2, .nsid = NVME_NSID_ALL, .cdw10 = pages[i] | (bytes / 4 - 1) << 16};

			memset(f.memory, 0xee, 80000);
			driver_linear(&f.m, &command, f.buffer + 2044, bytes, f.d.list);
			assert_int_equal(admin(&f, command), 0);
			assert_int_equal(f.memory[2043], 0xee);
			assert_int_equal(f.memory[2044], pages[i]);
			assert_int_equal(f.memory[2044 + bytes - 1], pages[i]);
			assert_int_equal(f.memory[2044 + bytes], 0xee);
		}
	stop(&f);
}

static uint16_t create_sq(struct nvme_fixture *f, uint32_t cdw10, uint32_t cdw11, uint64_t prp1)
{
	return admin(f, (struct nvme_command){.opcode = 1, .cdw10 = cdw10, .cdw11 = cdw11, .prp1 = prp1});
}

static uint16_t create_cq(struct nvme_fixture *f, uint32_t cdw10, uint32_t cdw11, uint64_t prp1)
{
	return admin(f, (struct nvme_command){.opcode = 5, .cdw10 = cdw10, .cdw11 = cdw11, .prp1 = prp1});
}

/* Queues that cannot be: the statuses of sections 5.3 to 5.6. */
static void queues_refused(void **state)
{
	const struct nvme_machine_options options = {.io_queues = 4};
	struct nvme_fixture f;
	uint64_t memory;

	(void)state;
	assert_true(nvme_fixture_start(&f, &options, NULL));
	memory = f.buffer;
	for (unsigned i = 0; i < 2; i++) {
		uint16_t (*create)(struct nvme_fixture *, uint32_t, uint32_t, uint64_t) = i ? create_sq : create_cq;
		uint32_t good = i ? 1 | 2 << 16 : 1;

		assert_int_equal(create(&f, 63 << 16 | 0, good, memory), NVME_INVALID_QUEUE_ID);
		assert_int_equal(create(&f, 63 << 16 | 1, good, memory), NVME_INVALID_QUEUE_ID);
		assert_int_equal(create(&f, 63 << 16 | 5, good, memory), NVME_INVALID_QUEUE_ID);
		assert_int_equal(create(&f, 63u << 16 | 0xffff, good, memory), NVME_INVALID_QUEUE_ID);
		assert_int_equal(create(&f, 0 << 16 | 3, good, memory), NVME_INVALID_QUEUE_SIZE);
		assert_int_equal(create(&f, 1024u << 16 | 3, good, memory), NVME_INVALID_QUEUE_SIZE);
		assert_int_equal(create(&f, 0xffffu << 16 | 3, good, memory), NVME_INVALID_QUEUE_SIZE);
		assert_int_equal(create(&f, 63 << 16 | 3, good, memory + 8), NVME_INVALID_PRP_OFFSET);
	}
	assert_int_equal(create_sq(&f, 63 << 16 | 3, 1 | 3 << 16, memory), NVME_COMPLETION_QUEUE_INVALID);
	assert_int_equal(create_sq(&f, 63 << 16 | 3, 1, memory), NVME_COMPLETION_QUEUE_INVALID);
	assert_int_equal(create_sq(&f, 63 << 16 | 3, 1 | 0xffffu << 16, memory), NVME_COMPLETION_QUEUE_INVALID);
	assert_int_equal(create_cq(&f, 63 << 16 | 3, 3 | 999u << 16, memory), NVME_INVALID_VECTOR);
	assert_int_equal(driver_delete_cq(&f.d, 1) & ~NVME_DO_NOT_RETRY, NVME_INVALID_QUEUE_DELETION);
	for (uint32_t number = 0; number <= 0xffff; number += 0x5555) {
		assert_int_equal(admin(&f, (struct nvme_command){.opcode = 0, .cdw10 = number}), NVME_INVALID_QUEUE_ID);
		assert_int_equal(admin(&f, (struct nvme_command){.opcode = 4, .cdw10 = number}), NVME_INVALID_QUEUE_ID);
	}
	assert_true(nvme_fixture_works(&f));
	stop(&f);
}

/* Every size, contiguous and by list; filled to its end again and again, so that it wraps. */
static void queue_shapes(void **state)
{
	static const uint32_t entries[] = {2, 3, 5, 64, 65, 255, 1000, 1024};

	(void)state;
	for (unsigned i = 0; i < 16; i++) {
		const struct driver_options driver = {.queues = 2, .completion = 1 + i / 8, .entries = entries[i % 8], .lists = i % 2};
		struct nvme_fixture f;

		assert_true(nvme_fixture_start(&f, NULL, &driver));
		for (unsigned round = 0; round < 4 + 4000 / entries[i % 8] && round < 200; round++) {
			for (uint16_t cid = 0; cid < DRIVER_REQUESTS; cid++) {
				struct nvme_command command = driver_transfer(false, 1, LAYOUT_A_FIRST + cid, 1);

				command.cid = cid;
				command.prp1 = f.buffer + cid * 512u;
				if (!driver_enter(&f.d, 1 + round % 2, &command))
					break;
			}
			driver_ring(&f.d, 0, 1 + round % 2);
			nvme_machine_finish(&f.m);
			assert_false(driver_busy(&f.d));
			assert_true(nvme_fixture_is_pattern(&f, 1, LAYOUT_A_FIRST, 1, f.memory));
		}
		stop(&f);
	}
}

/* Deleted and made again, with other sizes, other memory and another completion queue. */
static void queues_made_again(void **state)
{
	struct nvme_fixture f;

	(void)state;
	start(&f);
	for (unsigned i = 0; i < 40; i++) {
		assert_int_equal(driver_delete_sq(&f.d, 2), 0);
		assert_int_equal(driver_delete_cq(&f.d, 2), 0);
		f.d.sq[2].entries = 2 + i;
		f.d.cq[2].entries = 64 - i;
		f.d.sq[2].completion = 2;
		assert_int_equal(driver_create_cq(&f.d, 2), 0);
		assert_int_equal(driver_create_sq(&f.d, 2), 0);
		assert_int_equal(driver_read(&f.d, 2, 1, LAYOUT_A_FIRST + i, 4, f.buffer), 0);
		assert_true(nvme_fixture_is_pattern(&f, 1, LAYOUT_A_FIRST + i, 4, f.memory));
		assert_int_equal(driver_delete_sq(&f.d, 2), 0);
		f.d.sq[2].completion = 1;
		assert_int_equal(driver_create_sq(&f.d, 2), 0);
		assert_true(nvme_fixture_works(&f));
		assert_int_equal(driver_read(&f.d, 2, 1, LAYOUT_A_FIRST + i, 4, f.buffer), 0);
	}
	stop(&f);
}

static void enter_reads(struct nvme_fixture *f, unsigned queue, uint16_t first, uint16_t count)
{
	for (uint16_t i = 0; i < count; i++) {
		struct nvme_command command = driver_transfer(false, 1, LAYOUT_A_FIRST + i, 8);

		command.cid = (uint16_t)(first + i);
		command.prp1 = f->buffer + i * 4096u;
		assert_true(driver_enter(&f->d, queue, &command));
	}
	driver_ring(&f->d, 0, queue);
}

/* What the guest saw of a deleted queue's commands is over; a new queue of its number has nothing to do with them. */
static void forget_requests(struct nvme_fixture *f, unsigned queue)
{
	memset(f->d.request[queue], 0, sizeof(f->d.request[queue]));
	f->d.strange = 0;
}

/*
 * Deleted with commands in flight, of which the device tells or does not. Where the
 * completion queue is full by then, what is left in it must not be taken for
 * completions of the queue that is made under the same number.
 */
static void deleted_in_flight(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 8; i++) {
		const struct driver_options driver = {
			.queues = 2, .completion = 1, .completion_entries = i & 4 ? 3 : 64, .doorbells = i & 2 ? DRIVER_MEMORY : 0};
		struct nvme_fixture f;

		assert_true(nvme_fixture_start(&f, NULL, &driver));
		f.m.controller.forget_deleted = i & 1;
		enter_reads(&f, 1, 0, 1);
		enter_reads(&f, 2, 0, 6);
		while (controller_fetch(&f.m.controller, 1) >= 0)
			;
		for (unsigned n = 0; n < 6; n++)
			controller_fetch(&f.m.controller, 2);
		for (unsigned n = 0; n < 3; n++) /* the first of both, and what there is room for */
			controller_post(&f.m.controller, n);
		nvme_machine_tick(&f.m, 0); /* collected as far as the guest has room, and not looked at by it */
		for (unsigned n = 3; n < 5; n++)
			controller_post(&f.m.controller, n);
		f.m.handler = NULL; /* the guest looks at its admin queue alone */
		assert_int_equal(driver_delete_sq(&f.d, 2), 0);
		forget_requests(&f, 2);
		assert_int_equal(driver_create_sq(&f.d, 2), 0);
		enter_reads(&f, 2, 100, 6);
		/* The device has not begun with any of them: whatever comes now is not theirs. */
		for (unsigned n = 0; n < 20; n++) {
			driver_poll(&f.d, 0, 1);
			nvme_machine_tick(&f.m, 0);
		}
		for (uint16_t cid = 100; cid < 106; cid++)
			assert_true(f.d.request[2][cid].active);
		f.d.strange = 0; /* the old ones, as far as the guest's queue held them */
		forget_requests(&f, 1);
		f.m.handler = driver_handler;
		assert_true(driver_begin(&f.d));
		assert_true(nvme_fixture_works(&f));
		stop(&f);
	}
}

/* Requests complete when events come, under the guest's own identifiers, at the latest when it next uses a queue. */
static void events(void **state)
{
	(void)state;
	for (unsigned pin = 0; pin < 2; pin++) {
		const struct nvme_machine_options options = {.pin = pin};
		struct nvme_fixture f;
		struct nvme_command request = {.opcode = EVENT_REQUEST, .prp1 = 0x1234, .cid = 200};

		assert_true(nvme_fixture_start(&f, &options, NULL));
		for (unsigned i = 0; i < 3; i++) {
			request.cid++;
			assert_true(driver_enter(&f.d, 0, &request));
		}
		driver_ring(&f.d, 0, 0);
		nvme_machine_finish(&f.m);
		assert_true(f.d.request[0][201].active);
		assert_true(nvme_fixture_works(&f)); /* other commands go on meanwhile */
		controller_event(&f.m.controller, 1, 2, 2);
		nvme_machine_finish(&f.m);
		assert_true(nvme_fixture_works(&f));
		assert_true(f.d.request[0][201].done);
		assert_int_equal(f.d.request[0][201].result, 0x20201);
		controller_event(&f.m.controller, 1, 2, 2); /* masked until the log page is read */
		nvme_machine_finish(&f.m);
		assert_true(f.d.request[0][202].active);
		assert_int_equal(admin(&f, (struct nvme_command){.opcode = 2, .cdw10 = 2 | 127 << 16, .prp1 = f.buffer}), 0);
		controller_event(&f.m.controller, 1, 1, 2);
		assert_true(nvme_fixture_works(&f));
		assert_true(nvme_fixture_works(&f));
		assert_int_equal(f.d.request[0][202].result, 0x20101);
		/* The limit is the controller's. */
		for (unsigned i = 0; i < 3; i++) {
			request.cid = (uint16_t)(210 + i);
			assert_true(driver_enter(&f.d, 0, &request));
		}
		request.cid = 213;
		assert_true(driver_enter(&f.d, 0, &request));
		driver_ring(&f.d, 0, 0);
		nvme_machine_finish(&f.m);
		/* It need not use a queue to hear of that. */
		assert_true(f.d.request[0][213].done);
		assert_int_equal(code(f.d.request[0][213].status), NVME_EVENT_LIMIT);
		assert_true(nvme_fixture_works(&f));
		/* A reset ends them all; nobody is told. */
		assert_true(driver_begin(&f.d));
		assert_false(driver_busy(&f.d));
		stop(&f);
	}
}

static uint32_t abort_of(struct nvme_fixture *f, unsigned queue, uint16_t cid)
{
	struct nvme_command command = {.opcode = ABORT, .cdw10 = queue | (uint32_t)cid << 16};
	uint32_t result = 0xffff;

	assert_int_equal(driver_do(&f->d, 0, &command, &result), 0);
	return result;
}

static void aborts(void **state)
{
	struct nvme_fixture f;

	(void)state;
	start(&f);
	assert_int_equal(abort_of(&f, 1, 7), 1);
	assert_int_equal(abort_of(&f, 9, 7), 1);
	assert_int_equal(abort_of(&f, 0xffff, 0xffff), 1);
	for (uint16_t cid = 40; cid < 44; cid++) {
		struct nvme_command command = driver_transfer(false, 1, LAYOUT_A_FIRST, 8);

		command.cid = cid;
		command.prp1 = f.buffer;
		assert_true(driver_enter(&f.d, 1, &command));
	}
	driver_ring(&f.d, 0, 1);
	while (controller_fetch(&f.m.controller, 1) >= 0)
		;
	/* Only the admin queue goes on: the command is the device's still, by another identifier. */
	{
		struct nvme_command command = {.opcode = ABORT, .cid = 99, .cdw10 = 1 | 42 << 16};

		assert_true(driver_enter(&f.d, 0, &command));
		driver_ring(&f.d, 0, 0);
		assert_true(controller_post(&f.m.controller, (unsigned)controller_fetch(&f.m.controller, 0)));
	}
	nvme_machine_finish(&f.m);
	assert_true(f.d.request[0][99].done);
	assert_int_equal(f.d.request[0][99].result & 1, 0);
	for (unsigned cid = 40; cid < 44; cid++)
		assert_int_equal(code(f.d.request[1][cid].status), cid == 42 ? NVME_COMMAND_ABORTED : 0);
	stop(&f);
}

static void enter_read(struct nvme_fixture *f, uint16_t cid)
{
	struct nvme_command command = driver_transfer(false, 1, LAYOUT_A_FIRST, 8);

	command.cid = cid;
	command.prp1 = f->buffer;
	assert_true(driver_enter(&f->d, 1, &command));
	driver_ring(&f->d, 0, 1);
}

static void enter_abort(struct nvme_fixture *f, uint16_t cid, uint16_t of)
{
	const struct nvme_command command = {.opcode = ABORT, .cid = cid, .cdw10 = 1 | (uint32_t)of << 16};

	assert_true(driver_enter(&f->d, 0, &command));
	driver_ring(&f->d, 0, 0);
}

/* What the device has of the admin queue, and nothing else, is carried out. */
static void complete_admin(struct nvme_fixture *f)
{
	for (int index; (index = controller_fetch(&f->m.controller, 0)) >= 0;)
		assert_true(controller_post(&f->m.controller, (unsigned)index));
	nvme_machine_interrupts(&f->m);
}

/* An Abort is late: the command that it names has ended, and another one has come. That one is not aborted. */
static void late_aborts(void **state)
{
	(void)state;
	for (unsigned entries = 2; entries < 5; entries++)
		for (unsigned aborts = 1; aborts < 3; aborts++) {
			const struct driver_options options = {.queues = 1, .entries = entries, .completion_entries = 16};
			struct nvme_fixture f;

			assert_true(nvme_fixture_start(&f, NULL, &options));
			enter_read(&f, 40);
			for (uint16_t i = 0; i < aborts; i++)
				enter_abort(&f, 90 + i, 40);
			assert_true(controller_post(&f.m.controller, (unsigned)controller_fetch(&f.m.controller, 1)));
			nvme_machine_interrupts(&f.m);
			assert_true(f.d.request[1][40].done);
			enter_read(&f, 41);
			/* Where there is no other number it waits for the Aborts. */
			assert_int_equal(controller_fetch(&f.m.controller, 1) < 0, entries == 2);
			complete_admin(&f);
			nvme_machine_finish(&f.m);
			assert_true(f.d.request[1][41].done);
			assert_int_equal(f.d.request[1][41].status, 0);
			for (unsigned i = 0; i < aborts; i++)
				assert_int_equal(f.d.request[0][90 + i].result, 1);
			/* Every number is there again. */
			for (uint16_t i = 0; i + 1u < entries; i++)
				enter_read(&f, 50 + i);
			for (unsigned i = 0; i + 1 < entries; i++)
				assert_true(controller_fetch(&f.m.controller, 1) >= 0);
			nvme_machine_finish(&f.m);
			assert_true(nvme_fixture_works(&f));
			stop(&f);
		}
}

/* The queue goes while an Abort is out, and comes again smaller or larger; or all of it is reset. */
static void aborts_that_outlive(void **state)
{
	static const unsigned sizes[] = {2, 3, 9};

	(void)state;
	for (unsigned size = 0; size < 3; size++)
		for (unsigned reset = 0; reset < 2; reset++) {
			const struct driver_options options = {.queues = 1, .entries = 4, .completion_entries = 16};
			struct nvme_fixture f;

			assert_true(nvme_fixture_start(&f, NULL, &options));
			enter_read(&f, 40);
			enter_read(&f, 41);
			enter_abort(&f, 90, 41);
			nvme_machine_finish(&f.m);
			enter_read(&f, 42);
			enter_abort(&f, 91, 42);
			if (reset) {
				assert_true(driver_begin(&f.d));
			} else {
				f.d.sq[1].entries = sizes[size];
				assert_int_equal(driver_delete_sq(&f.d, 1), 0);
				forget_requests(&f, 1);
				assert_int_equal(driver_create_sq(&f.d, 1), 0);
			}
			for (uint16_t i = 0; i + 1u < f.d.sq[1].entries; i++)
				enter_read(&f, 50 + i);
			for (unsigned i = 0; i + 1 < f.d.sq[1].entries; i++)
				assert_true(controller_fetch(&f.m.controller, 1) >= 0);
			nvme_machine_finish(&f.m);
			assert_true(nvme_fixture_works(&f));
			stop(&f);
		}
}

/* Resets in every state of affairs, and the shutdown notification. */
static void resets(void **state)
{
	struct nvme_fixture f;
	uint32_t status = 0;

	(void)state;
	start(&f);
	for (unsigned i = 0; i < 6; i++) {
		enter_reads(&f, 1, 0, 6);
		for (unsigned n = 0; n < i; n++)
			controller_fetch(&f.m.controller, 1);
		for (unsigned n = 0; n < i / 2; n++)
			controller_post(&f.m.controller, n);
		assert_true(driver_begin(&f.d));
		assert_int_equal(nvme_machine_watched(&f.m), 0);
		assert_true(nvme_fixture_works(&f));
	}
	nvme_machine_write(&f.m, 0, NVME_CC, 4, nvme_machine_read(&f.m, 0, NVME_CC, 4) | 1 << 14);
	for (unsigned i = 0; i < 20 && status >> 2 != 2; i++)
		status = (uint32_t)nvme_machine_read(&f.m, 0, NVME_CSTS, 4) & 0xc;
	assert_int_equal(status >> 2, 2);
	assert_true(driver_begin(&f.d));
	assert_true(nvme_fixture_works(&f));
	controller_fail(&f.m.controller);
	assert_true(nvme_machine_read(&f.m, 0, NVME_CSTS, 4) & NVME_CSTS_CFS);
	f.m.controller.csts &= ~NVME_CSTS_CFS;
	assert_true(driver_begin(&f.d));
	assert_true(nvme_fixture_works(&f));
	stop(&f);
}

/* A queue is being made, or deleted, when the controller is disabled. */
static void reset_meanwhile(void **state)
{
	static const uint8_t opcodes[] = {0, 1, 5, 4};

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		struct nvme_command command = {.opcode = opcodes[i], .cid = 250, .cdw11 = 1 | 1 << 16};
		struct nvme_fixture f;

		start(&f);
		if (i)
			assert_int_equal(driver_delete_sq(&f.d, 2), 0);
		if (i == 2)
			assert_int_equal(driver_delete_cq(&f.d, 2), 0);
		command.cdw10 = 2 | (i % 3 ? 63 << 16 : 0);
		command.prp1 = f.buffer;
		assert_true(driver_enter(&f.d, 0, &command));
		driver_ring(&f.d, 0, 0);
		assert_true(driver_begin(&f.d));
		assert_true(nvme_fixture_works(&f));
		assert_int_equal(driver_read(&f.d, 2, 1, LAYOUT_A_FIRST, 8, f.buffer), 0);
		stop(&f);
	}
}

/* For good: the device is disabled, bounce memory holds nothing, and the guest gets no further. */
static void quiesced(void **state)
{
	struct nvme_fixture f;
	uint8_t cipher[16];
	const char *wrong;

	(void)state;
	start(&f);
	nvme_fixture_fill(f.memory, 4096, 5);
	assert_int_equal(driver_write(&f.d, 1, 1, LAYOUT_A_FIRST, 8, f.buffer), 0);
	memcpy(cipher, f.m.ns[0].medium + LAYOUT_A_FIRST * 512, 16);
	assert_non_null(memmem(f.m.bus.arena, f.m.bus.arena_bytes, cipher, 16));
	enter_reads(&f, 1, 0, 4);
	nvme_quiesce(f.m.nvme);
	assert_int_equal(f.m.controller.csts & NVME_CSTS_RDY, 0);
	assert_int_equal(nvme_machine_watched(&f.m), 0);
	assert_null(memmem(f.m.bus.arena, f.m.bus.arena_bytes, cipher, 16));
	nvme_machine_write(&f.m, 0, NVME_CC, 4, NVME_CC_EN | 6u << 16 | 4u << 20);
	driver_ring_register(&f.d, 1, 1, false, 9);
	nvme_machine_finish(&f.m);
	assert_int_equal(f.m.controller.cc & NVME_CC_EN, 0);
	nvme_quiesce(f.m.nvme);
	wrong = nvme_fixture_drop(&f);
	if (wrong)
		fail_msg("%s", wrong);
}

/* Doorbells in memory are the mediator's to look at; no controller hears of them. */
static void doorbell_buffer(void **state)
{
	const struct driver_options driver = {.doorbells = DRIVER_MEMORY_FIRST};
	struct nvme_command command = {.opcode = 0x7c};
	struct nvme_fixture f;
	uint64_t bad[FIXTURE_BAD];

	(void)state;
	assert_true(nvme_fixture_start(&f, NULL, &driver));
	assert_true(f.d.in_memory);
	assert_true(nvme_fixture_works(&f));
	nvme_fixture_bad(&f, bad);
	for (unsigned i = 0; i < FIXTURE_BAD; i++) {
		command.prp1 = bad[i];
		command.prp2 = f.d.events;
		assert_int_not_equal(driver_do(&f.d, 0, &command, NULL), 0);
		command.prp1 = f.d.doorbells;
		command.prp2 = bad[i];
		assert_int_not_equal(driver_do(&f.d, 0, &command, NULL), 0);
	}
	command.prp1 = f.d.doorbells + 8;
	command.prp2 = f.d.events;
	assert_int_not_equal(driver_do(&f.d, 0, &command, NULL), 0);
	assert_true(nvme_fixture_works(&f));
	assert_int_equal(f.m.controller.seen[0x7c], 0);
	stop(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_told),
		cmocka_unit_test(registers),
		cmocka_unit_test(doorbell_lines),
		cmocka_unit_test(refusals),
		cmocka_unit_test(features),
		cmocka_unit_test(log_pages),
		cmocka_unit_test(queues_refused),
		cmocka_unit_test(queue_shapes),
		cmocka_unit_test(queues_made_again),
		cmocka_unit_test(deleted_in_flight),
		cmocka_unit_test(events),
		cmocka_unit_test(aborts),
		cmocka_unit_test(late_aborts),
		cmocka_unit_test(aborts_that_outlive),
		cmocka_unit_test(resets),
		cmocka_unit_test(reset_meanwhile),
		cmocka_unit_test(quiesced),
		cmocka_unit_test(doorbell_buffer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
