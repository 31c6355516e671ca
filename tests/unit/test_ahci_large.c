/* SPDX-License-Identifier: Apache-2.0 */
/* The largest commands that AHCI and ATA allow, through bounce memory that is much smaller. */
#include "tests/model/guest_ahci.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define MIB	 (1024ull * 1024)
#define SECTORS	 (132 * 1024ull) /* 66 MiB: the largest command fits in the first range */
#define MAX_PRDS 65535u

struct fixture {
	struct machine m;
	struct guest g;
	uint64_t buffer; /* 34 MiB */
	uint8_t *expected;
};

static void start(struct fixture *f, uint32_t cipher, size_t arena)
{
	const struct machine_options options = {.cipher_a = cipher,
		.sectors = SECTORS,
		.ram_bytes = 128 * MIB,
		.arena_bytes = arena,
		.one_port = true};

	machine_init(&f->m, &options);
	assert_non_null(f->m.ahci);
	guest_start(&f->g, &f->m, 0, MAX_PRDS);
	f->buffer = machine_ram(&f->m, 34 * MIB, 4096);
	f->expected = malloc(33 * MIB);
}

static void stop(struct fixture *f)
{
	assert_int_equal(f->m.bus.faults, 0);
	machine_free(&f->m);
	free(f->expected);
}

static void expect_pattern(struct fixture *f, uint64_t lba, uint32_t count)
{
	const uint8_t *data = machine_pointer(&f->m, f->buffer);

	for (uint32_t i = 0; i < count; i++)
		machine_pattern(&f->m, 0, lba + i, f->expected + i * 512ull);
	assert_int_equal(memcmp(data, f->expected, count * 512ull), 0);
}

static void fill(uint8_t *data, size_t bytes)
{
	for (size_t i = 0; i < bytes; i += 8) {
		uint64_t word = i * 0x9e3779b97f4a7c15ull + 77;

		memcpy(data + i, &word, 8);
	}
}

static void read_32_mib(void **state)
{
	(void)state;
	for (int ncq = 0; ncq < 2; ncq++) {
		struct fixture f;

		start(&f, 4096, 0);
		assert_true(guest_read(&f.g, ncq, 17, 65536, f.buffer));
		expect_pattern(&f, 17, 65536);
		stop(&f);
	}
}

/* With the least arena that the mediator asks for. */
static void write_32_mib(void **state)
{
	(void)state;
	for (int ncq = 0; ncq < 2; ncq++) {
		struct fixture f;

		start(&f, 4096, ahci_arena_bytes(1));
		fill(machine_pointer(&f.m, f.buffer), 32 * MIB);
		assert_true(guest_write(&f.g, ncq, 17, 65536, f.buffer));
		machine_plain(&f.m, 0, 17, 65536, f.expected);
		assert_int_equal(memcmp(machine_pointer(&f.m, f.buffer), f.expected, 32 * MIB), 0);
		stop(&f);
	}
}

static void most_prds(bool write, uint32_t bytes_each, uint32_t count)
{
	struct guest_piece *piece = malloc(MAX_PRDS * sizeof(*piece));
	struct guest_command c;
	struct fixture f;

	start(&f, 512, 0);
	for (uint32_t i = 0; i < MAX_PRDS; i++)
		piece[i] = (struct guest_piece){f.buffer + (uint64_t)i * bytes_each, bytes_each};
	c = guest_transfer(write, false, 0, 60, count, piece, MAX_PRDS);
	if (write)
		fill(machine_pointer(&f.m, f.buffer), count * 512ull);
	assert_true(guest_do(&f.g, 0, &c));
	if (write) {
		machine_plain(&f.m, 0, 60, count, f.expected);
		assert_int_equal(memcmp(machine_pointer(&f.m, f.buffer), f.expected, count * 512ull), 0);
	} else {
		expect_pattern(&f, 60, count);
	}
	free(piece);
	stop(&f);
}

static void most_prds_of_a_sector(void **state)
{
	(void)state;
	most_prds(false, 512, MAX_PRDS);
	most_prds(true, 512, MAX_PRDS);
}

static void most_prds_of_two_bytes(void **state)
{
	(void)state;
	most_prds(false, 2, MAX_PRDS * 2 / 512);
	most_prds(true, 2, MAX_PRDS * 2 / 512);
}

/* A queue of writes that bounce memory cannot hold: they wait, or go in parts; none is lost. */
static void full_queue(uint32_t step, uint32_t most)
{
	struct guest_piece piece[32];
	struct ahci_statistics s;
	struct fixture f;
	uint64_t lba = 64, at;

	start(&f, 4096, ahci_arena_bytes(1));
	fill(machine_pointer(&f.m, f.buffer), 32 * MIB);
	f.g.table_prds = 1;
	at = f.buffer;
	for (unsigned i = 0; i < 32; i++) {
		uint32_t bytes = step * (i % 5 + 1) < most ? step * (i % 5 + 1) : most;
		struct guest_command c;

		f.g.table[i] = machine_ram(&f.m, 256, 128);
		piece[i] = (struct guest_piece){at, bytes};
		c = guest_transfer(true, true, i, lba, bytes / 512, &piece[i], 1);
		guest_build(&f.g, i, &c);
		lba += bytes / 512;
		at += bytes;
	}
	guest_issue(&f.g, 0, UINT32_MAX);
	guest_finish_all(&f.g);
	assert_int_equal(f.g.done, UINT32_MAX);
	machine_plain(&f.m, 0, 64, lba - 64, f.expected);
	assert_int_equal(memcmp(machine_pointer(&f.m, f.buffer), f.expected, at - f.buffer), 0);
	ahci_statistics(f.m.ahci, &s);
	assert_true(s.waits > 0);
	stop(&f);
}

static void a_full_queue_of_large_writes(void **state)
{
	(void)state;
	full_queue(MIB, MIB);
	full_queue(200 * 1024, MIB);
	full_queue(36 * 1024, MIB);
}

/* What one port gives back, another one waits for, even when it gets no interrupt of its own. */
static void another_ports_memory(void **state)
{
	const struct machine_options options = {
		.cipher_a = 4096, .sectors = 8192, .arena_bytes = ahci_arena_bytes(2)};
	static const unsigned port[2] = {0, 3};

	(void)state;
	for (int first = 0; first < 2; first++) {
		struct guest_piece piece;
		struct guest_command c;
		struct machine m;
		struct guest g[2];
		uint64_t memory;

		machine_init(&m, &options);
		memory = machine_ram(&m, MIB, 4096);
		for (int i = 0; i < 2; i++)
			guest_start(&g[i], &m, port[i], 1);
		hba_take_interrupt(&m.hba);
		/* The first port holds all of the bounce memory, the second waits. */
		piece = (struct guest_piece){memory, MIB};
		c = guest_transfer(true, true, 0, 64, 2048, &piece, 1);
		guest_build(&g[first], 0, &c);
		guest_issue(&g[first], 0, 1);
		piece.bytes = 65536;
		c = guest_transfer(true, true, 0, 64, 128, &piece, 1);
		guest_build(&g[!first], 0, &c);
		guest_issue(&g[!first], 0, 1);
		for (int turn = 0; turn < 20; turn++) {
			hba_run(&m.hba);
			if (!hba_take_interrupt(&m.hba))
				break;
			for (int i = 0; i < 2; i++)
				if (m.hba.is >> port[i] & 1)
					guest_handler(&g[i], 0);
		}
		assert_int_equal(g[first].done, 1);
		assert_int_equal(g[!first].done, 1);
		assert_int_equal(m.bus.faults, 0);
		machine_free(&m);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(read_32_mib),
		cmocka_unit_test(write_32_mib),
		cmocka_unit_test(most_prds_of_a_sector),
		cmocka_unit_test(most_prds_of_two_bytes),
		cmocka_unit_test(a_full_queue_of_large_writes),
		cmocka_unit_test(another_ports_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
