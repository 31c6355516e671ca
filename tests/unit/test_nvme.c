/* SPDX-License-Identifier: Apache-2.0 */
/* Reads and writes through the NVMe mediator: what the guest sees, and what the medium holds. */
#include "tests/model/nvme_fixture.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const struct nvme_machine_options layouts[] = {
	{.lba_size = 512, .cipher_a = 512},
	{.lba_size = 512, .cipher_a = 1024, .pin = true},
	{.lba_size = 512, .cipher_a = 4096, .stride = 2},
	{.lba_size = 4096, .cipher_a = 4096, .sectors = 1024},
};
static const struct driver_options drivers[] = {
	{.queues = 2},
	{.queues = 2, .doorbells = DRIVER_MEMORY},
	{.queues = 2, .polling = true},
	{.queues = 2, .completion = 1, .lists = true},
};
static const uint32_t offsets[] = {0, 4, 512, 2044, 4092};

static void start(struct nvme_fixture *f, unsigned layout, unsigned driver)
{
	assert_true(nvme_fixture_start(f, &layouts[layout], &drivers[driver]));
}

static void stop(struct nvme_fixture *f)
{
	const char *wrong = nvme_fixture_stop(f);

	if (wrong)
		fail_msg("%s", wrong);
}

static uint32_t lba_size(const struct nvme_fixture *f)
{
	return f->m.ns[0].lba_size;
}

/* Blocks of the largest transfer that the guest was told of (MDTS). */
static uint32_t most(const struct nvme_fixture *f)
{
	return (4096u << f->d.controller[77]) / lba_size(f);
}

/* Reads blocks as they were at the start; bytes around them are left alone. */
static void expect_read(struct nvme_fixture *f, unsigned queue, uint64_t lba, uint32_t count, uint32_t offset)
{
	uint32_t bytes = count * lba_size(f);
	uint8_t *data = f->memory + offset;

	memset(f->memory, 0xee, offset + bytes + 64);
	assert_int_equal(driver_read(&f->d, queue, 1, lba, count, f->buffer + offset), 0);
	assert_true(nvme_fixture_is_pattern(f, 1, lba, count, data));
	assert_true(!offset || data[-1] == 0xee);
	assert_int_equal(data[bytes], 0xee);
}

/* Writes other data, looks at the medium, reads it again. */
static void write_and_read(struct nvme_fixture *f, unsigned queue, uint64_t lba, uint32_t count, uint32_t offset)
{
	uint32_t bytes = count * lba_size(f);
	uint8_t *expected = malloc(bytes), *data = f->memory + offset;

	nvme_fixture_fill(expected, bytes, (unsigned)(lba + offset));
	memcpy(data, expected, bytes);
	assert_int_equal(driver_write(&f->d, queue, 1, lba, count, f->buffer + offset), 0);
	assert_memory_equal(data, expected, bytes); /* the guest's page is as it was */
	assert_true(nvme_fixture_holds(f, 1, lba, count, expected));
	memset(data, 0, bytes);
	assert_int_equal(driver_read(&f->d, queue, 1, lba, count, f->buffer + offset), 0);
	assert_memory_equal(data, expected, bytes);
	free(expected);
}

static void reads(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 16; i++) {
		struct nvme_fixture f;

		start(&f, i % 4, i / 4);
		for (uint32_t count = 1; count <= 17; count += 4)
			for (uint64_t lba = LAYOUT_A_FIRST; lba < LAYOUT_A_FIRST + 9; lba++)
				expect_read(&f, 1 + lba % 2, lba, count, offsets[(lba + count) % 5]);
		stop(&f);
	}
}

static void writes(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 16; i++) {
		struct nvme_fixture f;

		start(&f, i % 4, i / 4);
		for (uint32_t count = 1; count <= 17; count += 4)
			for (uint64_t lba = LAYOUT_A_FIRST; lba < LAYOUT_A_FIRST + 9; lba += 2)
				write_and_read(&f, 1 + lba / 2 % 2, lba, count, offsets[(lba + count) % 5]);
		/* What was not written is as it was. */
		expect_read(&f, 1, LAYOUT_A_FIRST + 40, 8, 0);
		stop(&f);
	}
}

/* From clear into A, from A into the guarded range (read), from clear into B and out of it. */
static void across_ranges(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 16; i++) {
		struct nvme_fixture f;
		uint64_t edges[5], sectors;

		start(&f, i % 4, i / 4);
		sectors = f.m.ns[0].blocks;
		edges[0] = LAYOUT_A_FIRST;
		edges[1] = layout_a_last(sectors) + 1;
		edges[2] = edges[1] + LAYOUT_GUARDED;
		edges[3] = layout_b_first(sectors);
		edges[4] = layout_b_last(sectors) + 1;
		for (unsigned e = 0; e < 5; e++)
			for (unsigned o = 0; o < 5; o++)
				expect_read(&f, 1 + o % 2, edges[e] - 5, 11, offsets[o]);
		/* Every kind at once: A, guarded, clear, B. */
		if (2 * LAYOUT_GUARDED + 20 <= most(&f))
			expect_read(&f, 1, edges[1] - 7, 2 * LAYOUT_GUARDED + 20, 2044);
		write_and_read(&f, 1, edges[0] - 5, 11, 512);
		write_and_read(&f, 2, edges[3] - 3, 12, 4);
		write_and_read(&f, 1, edges[4] - 6, 9, 0);
		stop(&f);
	}
}

/* Every size up to the largest, in powers of two and one block beside them. */
static void sizes(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		struct nvme_fixture f;

		start(&f, i, 0);
		for (uint32_t count = 2; count <= most(&f); count *= 2) {
			write_and_read(&f, 1, LAYOUT_A_FIRST - 1, count - 1, 2044);
			write_and_read(&f, 2, LAYOUT_A_FIRST, count, 0);
		}
		stop(&f);
	}
}

/* More than the guest was told: refused, and nothing moves. A controller that takes less says so itself. */
static void too_large(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		const struct nvme_machine_options options = {.cipher_a = 4096, .mdts = i ? 5 : 0};
		struct nvme_fixture f;
		struct nvme_command command;

		assert_true(nvme_fixture_start(&f, &options, NULL));
		assert_int_equal(f.d.controller[77] == 5, i);
		assert_in_range(f.d.controller[77], 1, 8);
		command = driver_transfer(false, 1, 0, most(&f) + 1);
		driver_linear(&f.m, &command, f.buffer, (most(&f) + 1) * 512, f.d.list);
		memset(f.memory, 0xee, FIXTURE_BUFFER);
		assert_int_equal(driver_do(&f.d, 1, &command, NULL) & ~NVME_DO_NOT_RETRY, NVME_INVALID_FIELD);
		for (uint32_t at = 0; at < FIXTURE_BUFFER; at++)
			assert_int_equal(f.memory[at], 0xee);
		expect_read(&f, 1, 0, most(&f), 0);
		stop(&f);
	}
}

/* Pages that lie apart, lists that begin anywhere in a page. */
static void scattered(void **state)
{
	static const uint32_t lists[] = {0, 8, 2048, 4080, 4088};

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		for (unsigned write = 0; write < 2; write++) {
			struct nvme_fixture f;
			uint64_t list;

			start(&f, i, 0);
			list = nvme_machine_ram(&f.m, 4 * 4096, 4096);
			for (uint32_t n = 0; n < 25; n++) {
				uint32_t offset = offsets[n % 5], pages = 3 + n * 5, bytes = pages * 4096 - offset;
				uint32_t count = bytes / lba_size(&f);
				struct nvme_command command = driver_transfer(write, 1, LAYOUT_A_FIRST - 3, count);
				uint64_t page[256];
				uint8_t *plain = malloc(bytes);
				struct layout layout = nvme_machine_layout(&f.m, 1);

				nvme_fixture_fill(f.memory, FIXTURE_BUFFER, n);
				for (uint32_t p = 0; p < pages; p++)
					page[p] = f.buffer + (p * 37 + n) % 256 * 4096 + (p ? 0 : offset);
				driver_prps(&f.m, &command, page, pages, list + lists[n / 5]);
				assert_int_equal(driver_do(&f.d, 1 + n % 2, &command, NULL), 0);
				layout_plain(&layout, LAYOUT_A_FIRST - 3, count, plain);
				bytes = count * lba_size(&f);
				for (uint32_t p = 0, at = 0; at < bytes; p++) {
					uint32_t part = 4096 - page[p] % 4096;

					part = part < bytes - at ? part : bytes - at;
					assert_memory_equal(nvme_machine_pointer(&f.m, page[p]), plain + at, part);
					at += part;
				}
				free(plain);
			}
			stop(&f);
		}
}

/* No sector that is ciphertext by the map stands on the medium in clear. */
static void medium_holds_ciphertext(void **state)
{
	struct nvme_fixture f;
	uint64_t lba = LAYOUT_A_FIRST - 16;
	const uint8_t *medium;

	(void)state;
	start(&f, 2, 0);
	nvme_fixture_fill(f.memory, 200 * 512, 3);
	assert_int_equal(driver_write(&f.d, 1, 1, lba, 200, f.buffer), 0);
	medium = f.m.ns[0].medium + lba * 512;
	assert_memory_equal(medium, f.memory, 16 * 512); /* the clear part is clear */
	for (uint32_t at = 16 * 512; at < 200 * 512; at += 16)
		assert_memory_not_equal(medium + at, f.memory + at, 16);
	stop(&f);
}

/*
 * Parts of one cipher sector written from two queues at once: each part is there
 * afterwards, in whatever order the controller works.
 */
static void two_queues_one_sector(void **state)
{
	(void)state;
	for (unsigned order = 0; order < 100; order++) {
		const uint64_t lba = LAYOUT_A_FIRST + 8;
		struct nvme_fixture f;

		start(&f, 2, order % 2);
		srandom(order);
		nvme_fixture_fill(f.memory, 4096, order);
		for (uint16_t i = 0; i < 8; i++) {
			struct nvme_command command = driver_transfer(true, 1, lba + i, 1);

			command.cid = i;
			command.prp1 = f.buffer + i * 512;
			assert_true(driver_enter(&f.d, 1 + i % 2, &command));
			driver_ring(&f.d, i % 2, 1 + i % 2);
		}
		for (unsigned turn = 0; turn < 200; turn++) {
			struct controller *c = &f.m.controller;

			switch (random() % 4) {
			case 0:
				controller_fetch(c, 1 + (unsigned)random() % 2);
				break;
			case 1:
				controller_move(c, (unsigned)random() % 16);
				break;
			case 2:
				controller_post(c, (unsigned)random() % 16);
				break;
			default:
				nvme_machine_interrupts(&f.m);
				break;
			}
		}
		nvme_machine_finish(&f.m);
		assert_false(driver_busy(&f.d));
		assert_true(nvme_fixture_holds(&f, 1, lba, 8, f.memory));
		stop(&f);
	}
}

/* More writes than there is bounce memory for: what finds none waits in its place, and none is lost. */
static void memory_runs_out(void **state)
{
	const struct driver_options options = {.queues = 1, .entries = 256};
	struct nvme_statistics statistics;
	struct nvme_fixture f;

	(void)state;
	assert_true(nvme_fixture_start(&f, &layouts[0], &options));
	nvme_fixture_fill(f.memory, 8192, 5);
	for (uint16_t i = 0; i < 200; i++) {
		struct nvme_command command = driver_transfer(true, 1, LAYOUT_A_FIRST + 16 * i, 16);

		command.cid = i;
		command.prp1 = f.buffer;
		command.prp2 = f.buffer + 4096;
		assert_true(driver_enter(&f.d, 1, &command));
	}
	driver_ring(&f.d, 0, 1);
	nvme_statistics(f.m.nvme, &statistics);
	assert_true(statistics.waits > 0);
	assert_true(statistics.commands < 200);
	nvme_machine_finish(&f.m);
	assert_false(driver_busy(&f.d));
	nvme_statistics(f.m.nvme, &statistics);
	assert_true(statistics.commands >= 200);
	for (uint16_t i = 0; i < 200; i += 20)
		assert_true(nvme_fixture_holds(&f, 1, LAYOUT_A_FIRST + 16 * i, 16, f.memory));
	stop(&f);
}

/* Header partition: read freely, never written; nothing of the transfer is carried out. */
static void guarded(void **state)
{
	struct nvme_fixture f;
	uint64_t first;

	(void)state;
	start(&f, 2, 0);
	first = layout_a_last(f.m.ns[0].blocks) + 1;
	for (uint64_t lba = first - 7; lba < first + LAYOUT_GUARDED; lba += 9) {
		nvme_fixture_fill(f.memory, 8 * 512, 1);
		assert_int_equal(driver_write(&f.d, 1, 1, lba, 8, f.buffer) & ~NVME_DO_NOT_RETRY,
			NVME_NAMESPACE_WRITE_PROTECTED);
		expect_read(&f, 1, lba, 8, 0);
	}
	stop(&f);
}

/* Pinned bytes of a clear sector keep their value; the rest of it can be written. */
static void pinned(void **state)
{
	struct disk_pin pin = {.lba = 2, .offset = 100, .bytes = 8};
	struct nvme_fixture f;

	(void)state;
	start(&f, 2, 0);
	memcpy(pin.value, f.m.ns[0].medium + 2 * 512 + 100, 8);
	assert_int_equal(disk_map_pin(&f.m.map, &pin), 0);
	assert_int_equal(driver_read(&f.d, 1, 1, 0, 4, f.buffer), 0);
	f.memory[2 * 512 + 99] ^= 1;
	f.memory[512] ^= 1;
	assert_int_equal(driver_write(&f.d, 1, 1, 0, 4, f.buffer), 0);
	assert_true(nvme_fixture_holds(&f, 1, 0, 4, f.memory));
	f.memory[2 * 512 + 100] ^= 1;
	assert_int_equal(
		driver_write(&f.d, 1, 1, 0, 4, f.buffer) & ~NVME_DO_NOT_RETRY, NVME_NAMESPACE_WRITE_PROTECTED);
	f.memory[2 * 512 + 100] ^= 1;
	assert_true(nvme_fixture_holds(&f, 1, 0, 4, f.memory));
	stop(&f);
}

/* A namespace that is not protected, beside one that is; and one with metadata. */
static void other_namespaces(void **state)
{
	struct nvme_fixture f;
	struct nvme_command command;

	(void)state;
	start(&f, 2, 0);
	assert_int_equal(driver_read(&f.d, 1, 2, LAYOUT_A_FIRST, 32, f.buffer + 512), 0);
	assert_true(nvme_fixture_is_pattern(&f, 2, LAYOUT_A_FIRST, 32, f.memory + 512));
	nvme_fixture_fill(f.memory, 64 * 512, 9);
	assert_int_equal(driver_write(&f.d, 1, 2, LAYOUT_A_FIRST, 64, f.buffer), 0);
	assert_memory_equal(f.m.ns[1].medium + LAYOUT_A_FIRST * 512, f.memory, 64 * 512);
	expect_read(&f, 2, LAYOUT_A_FIRST, 64, 0);
	/* Metadata go to memory that the guest owns, or the command fails. */
	command = driver_transfer(false, 3, 8, 8);
	command.prp1 = f.buffer;
	command.metadata = f.m.bus.arena_base + 0x1004;
	bus_name(&f.m.bus, command.metadata);
	assert_int_not_equal(driver_do(&f.d, 1, &command, NULL), 0);
	command.metadata = 0;
	command.nsid = 9; /* there is none */
	assert_int_equal(driver_do(&f.d, 1, &command, NULL) & ~NVME_DO_NOT_RETRY, NVME_INVALID_NAMESPACE);
	stop(&f);
}

static void without_data(void **state)
{
	struct nvme_command flush = {.opcode = 0, .nsid = 1}, verify = driver_transfer(false, 1, LAYOUT_A_FIRST, 8);
	struct nvme_fixture f;

	(void)state;
	start(&f, 2, 0);
	assert_int_equal(driver_do(&f.d, 1, &flush, NULL), 0);
	assert_int_equal(f.m.ns[0].flushes, 1);
	flush.nsid = NVME_NSID_ALL;
	assert_int_equal(driver_do(&f.d, 2, &flush, NULL), 0);
	assert_int_equal(f.m.ns[0].flushes, 2);
	verify.opcode = 0x0c;
	assert_int_equal(driver_do(&f.d, 1, &verify, NULL), 0);
	assert_int_equal(f.m.ns[0].seen[0x0c], 1);
	stop(&f);
}

static uint16_t trim(struct nvme_fixture *f, uint64_t lba, uint32_t count)
{
	struct nvme_command command = {.opcode = 9, .nsid = 1, .cdw10 = 1, .cdw11 = 4, .prp1 = f->buffer + 4080};
	uint64_t *range = (uint64_t *)(f->memory + 4080);

	command.prp2 = f->buffer + 8192; /* the second range lies elsewhere */
	range[0] = 8ull << 32;
	range[1] = 8;
	range = (uint64_t *)(f->memory + 8192);
	range[0] = (uint64_t)count << 32;
	range[1] = lba;
	return driver_do(&f->d, 1, &command, NULL) & (uint16_t)~NVME_DO_NOT_RETRY;
}

static void deallocation(void **state)
{
	(void)state;
	for (unsigned drop = 0; drop < 2; drop++) {
		const struct nvme_machine_options options = {.drop_trim = drop};
		struct nvme_fixture f;
		uint64_t guarded_first;

		assert_true(nvme_fixture_start(&f, &options, NULL));
		guarded_first = layout_a_last(f.m.ns[0].blocks) + 1;
		assert_int_equal(trim(&f, LAYOUT_A_FIRST + 8, 16), 0);
		assert_int_equal(f.m.ns[0].deallocated, drop ? 0 : 24);
		assert_int_equal(trim(&f, guarded_first - 4, 5), drop ? 0 : NVME_NAMESPACE_WRITE_PROTECTED);
		assert_int_equal(trim(&f, f.m.ns[0].blocks - 4, 5), drop ? 0 : NVME_LBA_OUT_OF_RANGE);
		assert_int_equal(trim(&f, UINT64_MAX, 5) != 0, !drop);
		assert_int_equal(f.m.ns[0].deallocated, drop ? 0 : 24);
		expect_read(&f, 1, guarded_first, 8, 0);
		stop(&f);
	}
}

/* The device's errors are the guest's; the next command works. */
static void device_errors(void **state)
{
	struct nvme_fixture f;

	(void)state;
	start(&f, 2, 0);
	f.m.ns[0].bad_lba = LAYOUT_A_FIRST + 16;
	assert_int_equal(driver_read(&f.d, 1, 1, LAYOUT_A_FIRST + 10, 8, f.buffer), NVME_UNRECOVERED_READ);
	assert_int_equal(driver_write(&f.d, 1, 1, LAYOUT_A_FIRST + 16, 8, f.buffer), NVME_WRITE_FAULT);
	/* A part of a cipher sector is written without its neighbours being read. */
	write_and_read(&f, 1, LAYOUT_A_FIRST + 17, 1, 0);
	expect_read(&f, 1, LAYOUT_A_FIRST, 8, 0);
	f.m.ns[0].bad_lba = UINT64_MAX;
	expect_read(&f, 1, LAYOUT_A_FIRST + 10, 7, 0);
	write_and_read(&f, 1, LAYOUT_A_FIRST + 16, 1, 0);
	stop(&f);
}

static void statistics(void **state)
{
	struct nvme_statistics s, before;
	struct nvme_fixture f;

	(void)state;
	start(&f, 2, 0);
	nvme_statistics(f.m.nvme, &before);
	expect_read(&f, 1, LAYOUT_A_FIRST, 16, 0);
	assert_int_equal(driver_write(&f.d, 1, 1, LAYOUT_A_FIRST, 8, f.buffer), 0);
	assert_int_equal(driver_write(&f.d, 1, 1, LAYOUT_A_FIRST + 1, 1, f.buffer), 0);
	nvme_statistics(f.m.nvme, &s);
	assert_int_equal(s.commands - before.commands, 3);
	assert_int_equal(s.bytes_read, 16 * 512);
	assert_int_equal(s.bytes_written, 9 * 512);
	assert_int_equal(s.refused, before.refused);
	stop(&f);
}

/* What init meets: too little memory, a firmware that left the controller running, one that does not stop. */
static void taking_over(void **state)
{
	struct nvme_machine_options options = {.arena_bytes = 4096};
	struct nvme_machine m;

	(void)state;
	nvme_machine_init(&m, &options);
	assert_null(m.nvme);
	nvme_machine_free(&m);
	options = (struct nvme_machine_options){.running = true};
	nvme_machine_init(&m, &options);
	assert_non_null(m.nvme);
	assert_int_equal(m.controller.csts & NVME_CSTS_RDY, 0);
	assert_int_equal(nvme_machine_read(&m, 0, NVME_CC, 4) & NVME_CC_EN, 0);
	assert_int_equal(nvme_machine_read(&m, 0, NVME_CSTS, 4) & NVME_CSTS_RDY, 0);
	nvme_machine_free(&m);
	options = (struct nvme_machine_options){.stuck = true};
	nvme_machine_init(&m, &options);
	assert_null(m.nvme);
	nvme_machine_free(&m);
	assert_true(nvme_arena_bytes(2) > nvme_arena_bytes(1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads),
		cmocka_unit_test(writes),
		cmocka_unit_test(across_ranges),
		cmocka_unit_test(sizes),
		cmocka_unit_test(too_large),
		cmocka_unit_test(scattered),
		cmocka_unit_test(medium_holds_ciphertext),
		cmocka_unit_test(two_queues_one_sector),
		cmocka_unit_test(memory_runs_out),
		cmocka_unit_test(guarded),
		cmocka_unit_test(pinned),
		cmocka_unit_test(other_namespaces),
		cmocka_unit_test(without_data),
		cmocka_unit_test(deallocation),
		cmocka_unit_test(device_errors),
		cmocka_unit_test(statistics),
		cmocka_unit_test(taking_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
