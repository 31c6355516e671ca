/* SPDX-License-Identifier: Apache-2.0 */
/* Reads and writes through the AHCI mediator: what the guest sees, and what the medium holds. */
#include "tests/model/guest_ahci.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

struct fixture {
	struct machine m;
	struct guest g;
	uint64_t buffer; /* 256 KiB of guest RAM */
};

#define BUFFER (256u * 1024)

static void start(struct fixture *f, const struct machine_options *options, unsigned port)
{
	machine_init(&f->m, options);
	assert_non_null(f->m.ahci);
	guest_start(&f->g, &f->m, port, 256);
	f->buffer = machine_ram(&f->m, BUFFER, 4096);
}

static void stop(struct fixture *f)
{
	assert_int_equal(f->m.bus.faults, 0);
	assert_int_equal(f->m.disk[0].dangerous, 0);
	machine_free(&f->m);
}

static uint8_t *buffer(struct fixture *f)
{
	return machine_pointer(&f->m, f->buffer);
}

static void expect_pattern(struct fixture *f, uint64_t lba, uint64_t count, const uint8_t *data)
{
	uint32_t size = f->m.disk[0].lba_size;
	uint8_t expected[4096];

	for (uint64_t i = 0; i < count; i++) {
		machine_pattern(&f->m, f->g.port, lba + i, expected);
		assert_memory_equal(data + i * size, expected, size);
	}
}

static void fill(uint8_t *data, size_t bytes, uint8_t salt)
{
	for (size_t i = 0; i < bytes; i++)
		data[i] = (uint8_t)(i * 31 + (i >> 8) * 7 + salt);
}

/* PRDBC: the bytes that the device says it has moved; not of queued commands (AHCI 5.4.1). */
static void expect_count(struct fixture *f, bool ncq, uint32_t bytes)
{
	const uint32_t *header = machine_pointer(&f->m, f->g.list);

	if (!ncq)
		assert_int_equal(header[1], bytes);
}

/* Writes other data, looks at the medium, reads it again. */
static void write_and_read(struct fixture *f, bool ncq, uint64_t lba, uint32_t count)
{
	uint32_t bytes = count * f->m.disk[0].lba_size;
	uint8_t *plain = malloc(bytes), *expected = malloc(bytes);

	fill(expected, bytes, (uint8_t)(lba + ncq));
	memcpy(buffer(f), expected, bytes);
	assert_true(guest_write(&f->g, ncq, lba, count, f->buffer));
	expect_count(f, ncq, bytes);
	/* The guest's page is as it was. */
	assert_memory_equal(buffer(f), expected, bytes);
	machine_plain(&f->m, f->g.port, lba, count, plain);
	assert_memory_equal(plain, expected, bytes);
	memset(buffer(f), 0, bytes);
	assert_true(guest_read(&f->g, ncq, lba, count, f->buffer));
	assert_memory_equal(buffer(f), expected, bytes);
	expect_count(f, ncq, bytes);
	free(plain);
	free(expected);
}

/* No sector that is ciphertext by the map stands on the medium in clear. */
static void expect_only_ciphertext(struct fixture *f, const uint8_t *plain, uint64_t lba, uint64_t count)
{
	uint32_t size = f->m.disk[0].lba_size;
	const uint8_t *medium = f->m.disk[f->g.port].medium;

	for (uint64_t i = 0; i < count; i++)
		if (disk_map_touches(&f->m.map[f->g.port], lba + i, 1, SECTOR_CIPHERTEXT))
			for (uint32_t at = 0; at < size; at += 16)
				assert_memory_not_equal(
					medium + (lba + i) * size + at, plain + i * size + at, 16);
}

static const struct machine_options layouts[] = {
	{.lba_size = 512, .cipher_a = 512},
	{.lba_size = 512, .cipher_a = 1024},
	{.lba_size = 512, .cipher_a = 4096},
	{.lba_size = 4096, .cipher_a = 4096, .sectors = 1024},
};

static void test_read(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++)
		for (int ncq = 0; ncq < 2; ncq++) {
			struct fixture f;
			uint64_t a;

			start(&f, &layouts[i], 0);
			a = machine_a_first(&f.m);
			for (uint32_t count = 1; count <= 17; count += 4)
				for (uint64_t lba = a; lba < a + 9; lba++) {
					memset(buffer(&f), 0, BUFFER);
					assert_true(guest_read(&f.g, ncq, lba, count, f.buffer));
					expect_pattern(&f, lba, count, buffer(&f));
				}
			stop(&f);
		}
}

static void test_write(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++)
		for (int ncq = 0; ncq < 2; ncq++) {
			struct fixture f;
			uint64_t a;

			start(&f, &layouts[i], 0);
			a = machine_a_first(&f.m);
			for (uint32_t count = 1; count <= 17; count += 4)
				for (uint64_t lba = a; lba < a + 9; lba += 2)
					write_and_read(&f, ncq, lba, count);
			/* What was not written is as it was. */
			assert_true(guest_read(&f.g, ncq, a + 40, 8, f.buffer));
			expect_pattern(&f, a + 40, 8, buffer(&f));
			stop(&f);
		}
}

/* From clear into A, from A into the guarded range (read), from clear into B and out of it. */
static void test_mixed(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++)
		for (int ncq = 0; ncq < 2; ncq++) {
			struct fixture f;
			uint64_t edges[5];

			start(&f, &layouts[i], 0);
			edges[0] = machine_a_first(&f.m);
			edges[1] = machine_guarded_first(&f.m);
			edges[2] = machine_guarded_first(&f.m) + 64;
			edges[3] = machine_b_first(&f.m);
			edges[4] = machine_b_last(&f.m) + 1;
			for (int e = 0; e < 5; e++) {
				memset(buffer(&f), 0, BUFFER);
				assert_true(guest_read(&f.g, ncq, edges[e] - 5, 11, f.buffer));
				expect_pattern(&f, edges[e] - 5, 11, buffer(&f));
			}
			/* Every kind at once: A, guarded, clear, B. */
			if (layouts[i].lba_size == 512) {
				memset(buffer(&f), 0, BUFFER);
				assert_true(guest_read(&f.g, ncq, edges[1] - 7, 64 + 64 + 20, f.buffer));
				expect_pattern(&f, edges[1] - 7, 64 + 64 + 20, buffer(&f));
			}
			write_and_read(&f, ncq, edges[0] - 5, 11);
			write_and_read(&f, ncq, edges[3] - 3, 12);
			write_and_read(&f, ncq, edges[4] - 6, 9);
			stop(&f);
		}
}

static void test_medium_holds_ciphertext(void **state)
{
	struct fixture f;
	uint8_t *copy = malloc(BUFFER);
	uint64_t lba;

	(void)state;
	start(&f, &layouts[2], 0);
	lba = machine_a_first(&f.m) - 16;
	fill(copy, BUFFER, 3);
	memcpy(buffer(&f), copy, BUFFER);
	assert_true(guest_write(&f.g, true, lba, 200, f.buffer));
	expect_only_ciphertext(&f, copy, lba, 200);
	/* The clear part is clear. */
	assert_memory_equal(f.m.disk[0].medium + lba * 512, copy, 16 * 512);
	free(copy);
	stop(&f);
}

/* Memory in pieces of 2 bytes and up, at even addresses. */
static void test_odd_splits(void **state)
{
	static const uint32_t sizes[] = {2, 510, 514, 6, 4094, 2, 2, 1022, 8, 512, 4096, 100};
	struct guest_piece piece[256];

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		for (int mode = 0; mode < 4; mode++) {
			bool ncq = mode & 1, write = mode & 2;
			uint32_t size = layouts[i].lba_size, count = 65536 / size, pieces = 0, at = 0;
			struct guest_command c;
			uint8_t *linear = malloc(65536), *plain = malloc(65536);
			struct fixture f;
			uint64_t lba;

			start(&f, &layouts[i], 0);
			lba = machine_a_first(&f.m) - 3;
			memset(buffer(&f), 0xee, BUFFER);
			fill(linear, 65536, 9);
			while (at < 65536) {
				uint32_t bytes = sizes[pieces % 12];

				if (bytes > 65536 - at)
					bytes = 65536 - at;
				piece[pieces].bytes = bytes;
				piece[pieces].address = f.buffer + at + pieces * 2; /* holes between them */
				if (write)
					memcpy(machine_pointer(&f.m, piece[pieces].address), linear + at,
						bytes);
				at += bytes;
				pieces++;
			}
			c = guest_transfer(write, ncq, 5, lba, count, piece, pieces);
			assert_true(guest_do(&f.g, 5, &c));
			machine_plain(&f.m, 0, lba, count, plain);
			for (uint32_t p = 0, done = 0; p < pieces; done += piece[p++].bytes) {
				const uint8_t *memory = machine_pointer(&f.m, piece[p].address);

				assert_memory_equal(memory, plain + done, piece[p].bytes);
				assert_int_equal(memory[piece[p].bytes], 0xee); /* the hole */
			}
			if (write)
				assert_memory_equal(plain, linear, 65536);
			free(linear);
			free(plain);
			stop(&f);
		}
}

/* Protected disks on two ports have their own keys; the third disk is not touched. */
static void test_ports_are_apart(void **state)
{
	struct machine m;
	struct guest g[3];
	static const unsigned port[3] = {0, 1, 3};
	uint64_t memory;

	(void)state;
	machine_init(&m, &layouts[0]);
	memory = machine_ram(&m, 4096 * 3, 4096);
	for (int i = 0; i < 3; i++)
		guest_start(&g[i], &m, port[i], 16);
	for (int i = 0; i < 3; i++) {
		fill(machine_pointer(&m, memory + 4096u * (unsigned)i), 4096, (uint8_t)i);
		assert_true(guest_write(&g[i], true, 100, 8, memory + 4096u * (unsigned)i));
	}
	for (int i = 0; i < 3; i++) {
		uint8_t plain[4096];

		machine_plain(&m, port[i], 100, 8, plain);
		assert_memory_equal(plain, machine_pointer(&m, memory + 4096u * (unsigned)i), 4096);
		memset(machine_pointer(&m, memory + 4096u * (unsigned)i), 0, 4096);
		assert_true(guest_read(&g[i], false, 100, 8, memory + 4096u * (unsigned)i));
		assert_memory_equal(plain, machine_pointer(&m, memory + 4096u * (unsigned)i), 4096);
	}
	assert_int_equal(m.bus.faults, 0);
	/* The unprotected port works on the guest's own lists. */
	assert_int_equal(m.hba.port[1].clb, (uint32_t)g[1].list);
	assert_int_equal(m.hba.port[1].fb, (uint32_t)g[1].received);
	assert_int_not_equal(m.hba.port[0].clb, (uint32_t)g[0].list);
	machine_free(&m);
}

static void test_statistics(void **state)
{
	struct ahci_statistics s;
	struct fixture f;

	(void)state;
	start(&f, &layouts[2], 0);
	assert_true(guest_read(&f.g, true, machine_a_first(&f.m), 16, f.buffer));
	assert_true(guest_write(&f.g, true, machine_a_first(&f.m), 8, f.buffer));
	assert_true(guest_write(&f.g, true, machine_a_first(&f.m) + 1, 1, f.buffer));
	ahci_statistics(f.m.ahci, &s);
	assert_int_equal(s.commands, 3);
	assert_int_equal(s.bytes_read, 16 * 512);
	assert_int_equal(s.bytes_written, 9 * 512);
	assert_int_equal(s.read_modify_writes, 1);
	assert_int_equal(s.refused, 0);
	stop(&f);
}

static void test_arena_too_small(void **state)
{
	const struct machine_options options = {.arena_bytes = 4096};
	struct machine m;

	(void)state;
	machine_init(&m, &options);
	assert_null(m.ahci);
	machine_free(&m);
	assert_true(ahci_arena_bytes(2) > ahci_arena_bytes(1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_write),
		cmocka_unit_test(test_mixed),
		cmocka_unit_test(test_medium_holds_ciphertext),
		cmocka_unit_test(test_odd_splits),
		cmocka_unit_test(test_ports_are_apart),
		cmocka_unit_test(test_statistics),
		cmocka_unit_test(test_arena_too_small),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
