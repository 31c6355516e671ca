/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hostile guest before the NVMe mediator: queues, lists and buffers where it has
 * no memory, doorbells out of range, lengths that cannot be, accesses of every
 * width, CC at odd moments. The device never touches what it must not and is never
 * driven wrongly (the model tells), and after a reset everything works again.
 */
#include "tests/model/nvme_fixture.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define ENABLE (NVME_CC_EN | 6u << 16 | 4u << 20)

static const struct driver_options drivers[] = {{.queues = 2}, {.queues = 2, .doorbells = DRIVER_MEMORY}};

static void start(struct nvme_fixture *f, unsigned driver)
{
	const struct nvme_machine_options options = {.cipher_a = 4096, .io_queues = 3};

	assert_true(nvme_fixture_start(f, &options, &drivers[driver]));
}

/* Everything works after a reset. */
static void expect_works(struct nvme_fixture *f)
{
	assert_true(driver_begin(&f->d));
	assert_true(nvme_fixture_works(f));
	f->d.strange = 0;
}

static void stop(struct nvme_fixture *f)
{
	const char *wrong;

	expect_works(f);
	wrong = nvme_fixture_stop(f);
	if (wrong)
		fail_msg("%s", wrong);
}

static void put32(struct nvme_fixture *f, uint32_t offset, uint32_t value)
{
	nvme_machine_write(&f->m, 0, offset, 4, value);
}

/* Addresses that are not the guest's, and those that leave its RAM within `bytes`. */
static unsigned bad_addresses(struct nvme_fixture *f, uint64_t bytes, uint64_t out[FIXTURE_BAD + 2])
{
	unsigned count = FIXTURE_BAD;

	nvme_fixture_bad(f, out);
	for (unsigned i = 0; i < FIXTURE_BAD; i++)
		bus_name(&f->m.bus, out[i]);
	if (bytes > 4096)
		out[count++] = f->m.bus.ram_base + f->m.bus.ram_bytes - 4096;
	return count;
}

static void admin_queues(void **state)
{
	uint64_t bad[FIXTURE_BAD + 2];
	struct nvme_fixture f;

	(void)state;
	start(&f, 0);
	for (unsigned completion = 0; completion < 2; completion++)
		for (unsigned i = 0, count = bad_addresses(&f, 4096 * 16, bad); i < count; i++) {
			assert_true(driver_enable(&f.d, false));
			nvme_machine_write(&f.m, 0, NVME_ASQ, 8, completion ? f.d.sq[0].memory : bad[i]);
			nvme_machine_write(&f.m, 0, NVME_ACQ, 8, completion ? bad[i] : f.d.cq[0].memory);
			put32(&f, NVME_AQA, 0x0fff0fff);
			put32(&f, NVME_CC, ENABLE);
			/* It is told, and what it rings is not heard. */
			assert_true(nvme_machine_read(&f.m, 0, NVME_CSTS, 4) & NVME_CSTS_CFS);
			assert_int_equal(f.m.controller.cc & NVME_CC_EN, 0);
			put32(&f, NVME_DOORBELLS, 3);
			put32(&f, nvme_doorbell(0, 1, f.d.stride), 1);
			/* What was written is what is read. */
			assert_int_equal(nvme_machine_read(&f.m, 0, completion ? NVME_ACQ : NVME_ASQ, 8), bad[i]);
		}
	stop(&f);
}

static void io_queues(void **state)
{
	uint64_t bad[FIXTURE_BAD + 2];
	struct nvme_fixture f;

	(void)state;
	start(&f, 0);
	for (unsigned i = 0, count = bad_addresses(&f, 16 * 4096, bad); i < count; i++)
		for (unsigned how = 0; how < 4; how++) { /* which queue; itself, or an entry of its list */
			struct nvme_command command = {.opcode = how & 1 ? 1 : 5, .cdw10 = 3 | 1023u << 16, .cdw11 = how & 1 ? 1 << 16 : 0};

			if (how & 2) {
				uint64_t *list = (uint64_t *)f.memory;

				for (unsigned page = 0; page < 16; page++)
					list[page] = f.buffer + (1 + page) * 4096;
				list[how & 1 ? 15 : 3] = bad[i];
				if (bus_guest(&f.m.bus, bad[i], 4096))
					continue;
				command.prp1 = f.buffer;
			} else {
				command.prp1 = bad[i];
				command.cdw11 |= 1;
			}
			if (!(how & 3) && bus_guest(&f.m.bus, bad[i], 4096))
				command.prp1 += 4096; /* a completion queue takes four pages only */
			assert_int_not_equal(driver_do(&f.d, 0, &command, NULL), 0);
		}
	assert_false(f.m.controller.sq[3].made);
	assert_false(f.m.controller.cq[3].made);
	stop(&f);
}

/* Data and lists elsewhere, for every command that moves data, read and written, in ciphertext and in clear. */
static void data(void **state)
{
	static const uint8_t admin[] = {2, 6, 9, 0x0a};
	uint64_t bad[FIXTURE_BAD + 2];
	struct nvme_fixture f;

	(void)state;
	start(&f, 0);
	for (unsigned i = 0, count = bad_addresses(&f, 8192, bad); i < count; i++)
		for (unsigned how = 0; how < 12; how++)
			for (unsigned what = 0; what < 9; what++) {
				struct nvme_command command = driver_transfer(what & 1, what & 2 ? 2 : 1, what & 4 ? 0 : 100, 64);
				bool io = what < 5;
				uint64_t *list = (uint64_t *)(f.memory + 65536);

				if (what == 4)
					command = (struct nvme_command){.opcode = 9, .nsid = 1, .cdw10 = 255, .cdw11 = 4};
				if (!io) {
					command = (struct nvme_command){.opcode = admin[what - 5], .cdw10 = 1};
					command.cdw10 |= command.opcode == 2 ? 8191u << 16 : 0;
					command.cdw10 = command.opcode >= 9 ? 0x0c : command.cdw10;
				}
				for (unsigned page = 0; page < 512; page++)
					list[page] = f.buffer + page % 8 * 4096;
				command.prp1 = how < 2 ? bad[i] + (how ? 4092 : 0) : f.buffer + 4092;
				command.prp2 = how == 2 ? bad[i] : how == 3 ? bad[i] + 4088 : f.buffer + 65536;
				if (how > 3)
					list[how - 4] = bad[i];
				if (bus_guest(&f.m.bus, bad[i], 4096) && how != 1)
					continue;
				if (how > 3 && how - 4 >= 7)
					continue; /* beyond what is used */
				driver_do(&f.d, io ? 1 + what % 2 : 0, &command, NULL);
			}
	assert_true(nvme_fixture_works(&f));
	stop(&f);
}

/* PRPs of wrong offsets, lists that lead to themselves. */
static void odd_prps(void **state)
{
	struct nvme_fixture f;
	uint64_t *list;

	(void)state;
	start(&f, 0);
	list = (uint64_t *)(f.memory + 65536);
	for (unsigned write = 0; write < 2; write++) {
		struct nvme_command command = driver_transfer(write, 1, 100, 16);

		for (unsigned offset = 1; offset < 4; offset++) {
			command.prp1 = f.buffer + offset;
			command.prp2 = f.buffer + 4096;
			assert_int_equal(driver_do(&f.d, 1, &command, NULL) & ~NVME_DO_NOT_RETRY, NVME_INVALID_PRP_OFFSET);
		}
		command.prp1 = f.buffer;
		command.prp2 = f.buffer + 4096 + 512;
		assert_int_equal(driver_do(&f.d, 1, &command, NULL) & ~NVME_DO_NOT_RETRY, NVME_INVALID_PRP_OFFSET);
		command = driver_transfer(write, 1, 100, 1024);
		command.prp1 = f.buffer;
		command.prp2 = f.buffer + 65536 + 4; /* a list between entries */
		assert_int_equal(driver_do(&f.d, 1, &command, NULL) & ~NVME_DO_NOT_RETRY, NVME_INVALID_PRP_OFFSET);
		for (unsigned i = 0; i < 512; i++)
			list[i] = f.buffer + 65536;
		command.prp2 = f.buffer + 65536;
		driver_do(&f.d, 1, &command, NULL);
		for (unsigned i = 0; i < 512; i++)
			list[i] = f.buffer + 65536 + 4088;
		command.prp2 = f.buffer + 65536 + 4088;
		assert_int_not_equal(driver_do(&f.d, 1, &command, NULL), 0);
	}
	stop(&f);
}

static void lengths(void **state)
{
	struct nvme_fixture f;
	uint64_t blocks;

	(void)state;
	start(&f, 0);
	blocks = f.m.ns[0].blocks;
	for (unsigned what = 0; what < 3; what++) {
		const struct {
			uint64_t lba;
			uint32_t count;
		} ranges[] = {{blocks, 1}, {blocks - 1, 2}, {blocks - 7, 8}, {UINT64_MAX, 1}, {UINT64_MAX, 65536},
			{UINT64_MAX - 7, 8}, {1ull << 63, 8}, {0, 65536}, {100, 65536}, {100, 1025}};

		for (unsigned i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
			struct nvme_command command = driver_transfer(what == 1, 1, ranges[i].lba, ranges[i].count);

			command.opcode = what == 2 ? 0x0c : command.opcode;
			driver_linear(&f.m, &command, f.buffer, ranges[i].count > 1024 ? 1 << 20 : ranges[i].count * 512, f.d.list);
			if (what < 2 || ranges[i].lba >= blocks - 7)
				assert_int_not_equal(driver_do(&f.d, 1, &command, NULL), 0);
		}
	}
	/* Bits of CDW12: directives are hidden, protection information means nothing where there is none. */
	for (unsigned bit = 20; bit < 30; bit++) {
		struct nvme_command command = driver_transfer(bit & 1, 1, 100, 8);
		uint16_t status;

		command.prp1 = f.buffer;
		command.cdw12 |= 1u << bit;
		status = driver_do(&f.d, 1, &command, NULL);
		if (bit < 24)
			assert_int_equal(status, NVME_INVALID_FIELD | NVME_DO_NOT_RETRY);
		if (bit >= 26)
			assert_int_equal(status, 0);
	}
	assert_true(nvme_fixture_works(&f));
	stop(&f);
}

/* Tails and heads that no queue has, doorbells of queues that are not there, of every width and place. */
static void doorbells(void **state)
{
	static const uint32_t values[] = {63, 64, 65, 1024, 4096, 0xffff, 0x10000, 0x10001, 0x80000000, UINT32_MAX};

	(void)state;
	for (unsigned driver = 0; driver < 2; driver++) {
		struct nvme_fixture f;

		start(&f, driver);
		for (unsigned i = 1; i < 10; i++)
			for (unsigned queue = 0; queue < 2; queue++)
				for (unsigned completion = 0; completion < 2; completion++) {
					driver_ring_register(&f.d, 0, queue, completion, values[i]);
					if (f.d.in_memory && queue)
						driver_write_memory(&f.d, queue, completion, values[i]);
					nvme_machine_finish(&f.m);
				}
		for (uint32_t offset = nvme_doorbell(2, 0, f.d.stride); offset < 0x4000; offset += 4)
			put32(&f, offset, offset % 64);
		for (unsigned size = 1; size <= 8; size *= 2)
			for (uint32_t offset = NVME_DOORBELLS; offset < NVME_DOORBELLS + 64; offset++) {
				if (size != 4 || offset % 4)
					nvme_machine_write(&f.m, 1, offset, size, UINT64_MAX);
				nvme_machine_read(&f.m, 1, offset, size);
			}
		nvme_machine_finish(&f.m);
		expect_works(&f);
		/* Entries that were never written: zeroes, that is Flush of no namespace, under one identifier. */
		driver_ring_register(&f.d, 0, 1, false, 63);
		nvme_machine_finish(&f.m);
		driver_ring_register(&f.d, 0, 0, false, 31);
		nvme_machine_finish(&f.m);
		expect_works(&f);
		/* Heads that were not reached. */
		for (uint32_t head = 1; head < 64; head++) {
			driver_ring_register(&f.d, 0, 1, true, head);
			driver_ring_register(&f.d, 0, 0, true, head % 32);
		}
		stop(&f);
	}
}

/* The guest's entries are its own affair: identifiers twice, fields of every value. */
static void identifiers_twice(void **state)
{
	struct nvme_fixture f;

	(void)state;
	start(&f, 0);
	for (unsigned i = 0; i < 40; i++) {
		struct nvme_command command = driver_transfer(i & 1, 1, 100 + i % 3, 8);

		command.cid = (uint16_t)(i % 2 ? 7 : 0xffff);
		command.prp1 = f.buffer;
		assert_true(driver_enter(&f.d, 1, &command));
	}
	driver_ring(&f.d, 0, 1);
	nvme_machine_finish(&f.m);
	assert_int_equal(f.d.cq[1].head, 41 % 64 - 1);
	stop(&f);
}

/* Any 64 bytes as a command of either kind. */
static void any_command(void **state)
{
	const char *given = getenv("SEED");
	unsigned seed = given ? (unsigned)strtoul(given, NULL, 0) : 1;
	struct nvme_fixture f;

	(void)state;
	printf("seed %u\n", seed);
	srandom(seed);
	start(&f, 1);
	for (unsigned i = 0; i < 20000; i++) {
		struct nvme_command command;
		unsigned queue = (unsigned)random() % 3;
		uint8_t *bytes = (uint8_t *)&command;

		for (unsigned at = 0; at < sizeof(command); at++)
			bytes[at] = (uint8_t)(random() % 3 ? 0 : random());
		command.flags &= random() % 4 ? 0 : 0xff;
		command.nsid = random() % 4 ? 1 + (uint32_t)random() % 3 : command.nsid;
		command.prp1 = random() % 8 ? f.buffer + (uint64_t)random() % 8192 * 4 : command.prp1;
		command.prp2 = random() % 8 ? f.buffer + (uint64_t)random() % 64 * 4096 : command.prp2;
		command.cdw12 &= random() % 4 ? 0x0f : UINT32_MAX;
		driver_do(&f.d, f.d.sq[queue].made ? queue : 0, &command, NULL);
		if (i % 100 == 0)
			expect_works(&f);
	}
	stop(&f);
}

/* CC written when nothing is as it should be; the other registers while enabled. */
static void enabling(void **state)
{
	static const uint32_t values[] = {0, NVME_CC_EN, ENABLE, ENABLE | 1 << 7, ENABLE | 7 << 4, ENABLE | 1 << 11, ENABLE | 1 << 14,
		ENABLE | 2 << 14, NVME_CC_EN | 7u << 16 | 4u << 20, NVME_CC_EN | 6u << 16 | 5u << 20, UINT32_MAX, ~1u, 1u << 14};

	(void)state;
	for (unsigned first = 0; first < 13; first++)
		for (unsigned second = 0; second < 13; second++) {
			struct nvme_fixture f;

			start(&f, first % 2);
			if (second % 2)
				assert_true(driver_enable(&f.d, false));
			put32(&f, NVME_CC, values[first]);
			if (second % 3)
				put32(&f, NVME_AQA, 0x00010001u * second);
			nvme_machine_write(&f.m, 1, NVME_ASQ, 8, f.m.bus.arena_base);
			nvme_machine_read(&f.m, 0, NVME_CSTS, 4);
			put32(&f, NVME_CC, values[second]);
			for (unsigned i = 0; i < 3; i++) {
				put32(&f, nvme_doorbell(i, 0, f.d.stride), 5);
				nvme_machine_finish(&f.m);
			}
			stop(&f);
		}
}

/* The device is disabled, then enabled before it is ready for that; commands in flight go on meanwhile. */
static void enabled_too_soon(void **state)
{
	(void)state;
	for (unsigned reads = 0; reads < 8; reads++) {
		struct nvme_fixture f;

		start(&f, 0);
		for (uint16_t i = 0; i < 4; i++) {
			struct nvme_command command = driver_transfer(i & 1, 1, 100 + 64 * i, 64);

			command.cid = i;
			driver_linear(&f.m, &command, f.buffer, 64 * 512, f.d.list);
			assert_true(driver_enter(&f.d, 1, &command));
		}
		driver_ring(&f.d, 0, 1);
		controller_fetch(&f.m.controller, 1);
		controller_fetch(&f.m.controller, 1);
		put32(&f, NVME_CC, 0);
		for (unsigned i = 0; i < reads; i++) {
			nvme_machine_read(&f.m, 0, NVME_CSTS, 4);
			controller_step(&f.m.controller);
		}
		put32(&f, NVME_CC, ENABLE);
		put32(&f, NVME_DOORBELLS, 1);
		nvme_machine_finish(&f.m);
		stop(&f);
	}
}

/* Gone in the middle of everything: no exit hangs, and nothing is made of ones. */
static void unplugged(void **state)
{
	struct nvme_fixture f;
	const char *wrong;

	(void)state;
	start(&f, 1);
	for (uint16_t i = 0; i < 4; i++) {
		struct nvme_command command = driver_transfer(i & 1, 1, 100 + 8 * i, 8);

		command.cid = i;
		command.prp1 = f.buffer;
		assert_true(driver_enter(&f.d, 1, &command));
	}
	driver_ring(&f.d, 0, 1);
	f.m.patience = 100;
	f.m.controller.gone = true;
	nvme_machine_finish(&f.m);
	driver_ring_register(&f.d, 0, 0, false, 3);
	assert_int_equal(nvme_machine_read(&f.m, 0, NVME_CSTS, 4), UINT32_MAX);
	put32(&f, NVME_CC, 0);
	put32(&f, NVME_CC, ENABLE);
	nvme_quiesce(f.m.nvme);
	assert_int_equal(nvme_machine_watched(&f.m), 0);
	wrong = nvme_fixture_drop(&f);
	if (wrong)
		fail_msg("%s", wrong);
}

/* Pages that change while a command is in flight: what was checked is what is used. */
static void lists_change(void **state)
{
	uint64_t bad[FIXTURE_BAD + 2];
	struct nvme_fixture f;
	uint64_t *list;

	(void)state;
	start(&f, 0);
	bad_addresses(&f, 0, bad);
	list = (uint64_t *)(f.memory + 65536);
	for (unsigned write = 0; write < 2; write++) {
		struct nvme_command command = driver_transfer(write, 1, 100, 64);

		for (unsigned i = 0; i < 8; i++)
			list[i] = f.buffer + (1 + i) * 4096;
		command.prp1 = f.buffer;
		command.prp2 = f.buffer + 65536;
		command.cid = 9;
		assert_true(driver_enter(&f.d, 1, &command));
		driver_ring(&f.d, 0, 1);
		for (unsigned i = 0; i < 8; i++)
			list[i] = bad[i % FIXTURE_BAD];
		memset(nvme_machine_pointer(&f.m, f.d.sq[1].memory), 0xff, 4096);
		nvme_machine_finish(&f.m);
		assert_true(f.d.request[1][9].done);
		assert_int_equal(f.d.request[1][9].status, 0);
		if (!write)
			assert_true(nvme_fixture_is_pattern(&f, 1, 100, 64, f.memory));
	}
	stop(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(admin_queues),
		cmocka_unit_test(io_queues),
		cmocka_unit_test(data),
		cmocka_unit_test(odd_prps),
		cmocka_unit_test(lengths),
		cmocka_unit_test(doorbells),
		cmocka_unit_test(identifiers_twice),
		cmocka_unit_test(any_command),
		cmocka_unit_test(enabling),
		cmocka_unit_test(enabled_too_soon),
		cmocka_unit_test(unplugged),
		cmocka_unit_test(lists_change),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
