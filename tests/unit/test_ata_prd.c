/* SPDX-License-Identifier: Apache-2.0 */
/* PRD tables of a hostile or broken guest: bad ones are refused, and one that changes later leads nowhere else. */
#include "tests/model/ata_fixture.h"
#include "tests/model/layout.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define SECTORS 4096u
#define PLAIN	"DDDDDDDD"

static void start(struct ata_fixture *f, enum ata_second second)
{
	assert_true(ata_fixture_start(f, &(struct ata_machine_options){.sectors = SECTORS, .second = second}, false));
	memset(f->memory, 0x44, ATA_FIXTURE_BUFFER);
}

static void stop(struct ata_fixture *f)
{
	assert_true(ata_fixture_works(f));
	assert_null(ata_fixture_stop(f));
}

/* A read and a write of 8 sectors with this table are aborted by the drive, which has not seen them. */
static void expect_table_refused(struct ata_fixture *f, const struct ata_piece *piece, uint32_t pieces)
{
	for (int write = 0; write < 2; write++) {
		struct guest_ata_command c = guest_ata_transfer(write, true, write, 100, 8);

		assert_false(guest_ata_dma(&f->g, &c, !write, piece, pieces));
		assert_int_equal(f->g.error, ATA_ABRT);
		assert_int_equal(f->m.disk[0].seen[c.opcode], 0);
	}
	assert_int_equal(f->memory[0], 0x44);
}

static void test_prd(void **state)
{
	struct ata_fixture f;

	(void)state;
	start(&f, SECOND_NOBODY);
	uint32_t at = (uint32_t)f.buffer, end = (uint32_t)f.m.bus.ram_base;
	uint32_t arena = (uint32_t)f.m.bus.arena_base + 0x1000;
	const struct {
		struct ata_piece piece[2];
		uint32_t pieces;
	} bad[] = {
		{{{at + 1, 4096}}, 1},			 /* not aligned */
		{{{at, 2048}, {at + 4096, 2049}}, 2},
		{{{at, 2048}, {at + 4096, 2046}}, 2},	 /* too short */
		{{{at, 2}}, 1},
		{{{end - 4096, 4096}}, 1},		 /* not the guest's memory */
		{{{at, 2048}, {arena, 2048}}, 2},
		{{{arena, 4096}}, 1},
		{{{0, 4096}}, 1},
		{{{0u - 2048, 4096}}, 1},		 /* across 4 GiB, which are the guest's memory */
	};

	bus_name(&f.m.bus, arena);
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		expect_table_refused(&f, bad[i].piece, bad[i].pieces);
	assert_true(ata_fixture_unchanged(&f));
	stop(&f);
}

/* Regions across 64 KiB, as UEFI firmware has them: one to the controller is two that lie before and behind it. */
static void test_prd_crossing(void **state)
{
	struct ata_fixture f;
	uint8_t sector[512];

	(void)state;
	start(&f, SECOND_NOBODY);
	const struct ata_piece piece[] = {{(uint32_t)f.buffer + 65536 - 2048, 4096}};
	uint8_t *memory = f.memory + 65536 - 2048;
	struct guest_ata_command c = guest_ata_transfer(true, true, false, 100, 8);

	for (uint32_t i = 0; i < 4096; i++)
		memory[i] = (uint8_t)(i * 3 + (i >> 8));
	assert_true(guest_ata_dma(&f.g, &c, false, piece, 1));
	for (uint32_t i = 0; i < 8; i++) {
		ata_machine_plain(&f.m, 0, 100 + i, 1, sector);
		assert_memory_equal(sector, memory + i * 512, 512);
	}
	memset(memory, 0, 4096);
	c = guest_ata_transfer(false, true, false, 100, 8);
	assert_true(guest_ata_dma(&f.g, &c, true, piece, 1));
	for (uint32_t i = 0; i < 4096; i++)
		assert_int_equal(memory[i], (uint8_t)(i * 3 + (i >> 8)));
	stop(&f);
}

/* A log of the drive's is not the volume's; its table has to have room for it all the same. */
static void test_prd_log(void **state)
{
	struct guest_ata_command c = {.opcode = 0x47, .wide = true, .count = 2};
	struct ata_fixture f;

	(void)state;
	start(&f, SECOND_NOBODY);
	const struct ata_piece piece = {(uint32_t)f.buffer, 1024}, small = {(uint32_t)f.buffer, 1022};

	assert_true(guest_ata_dma(&f.g, &c, true, &piece, 1));
	assert_int_equal(f.m.disk[0].seen[0x47], 1);
	assert_false(guest_ata_dma(&f.g, &c, true, &small, 1));
	assert_int_equal(f.g.error, ATA_ABRT);
	c.count = 0; /* 65536 */
	assert_false(guest_ata_dma(&f.g, &c, true, &piece, 1));
	assert_int_equal(f.m.disk[0].seen[0x47], 1);
	stop(&f);
}

/* Regions that overlap: the guest gets of them what it gets, and nothing else changes. */
static void test_prd_overlap(void **state)
{
	struct ata_piece piece[4];
	struct guest_ata_command c = guest_ata_transfer(false, true, false, 100, 8);
	uint8_t sector[512];
	struct ata_fixture f;

	(void)state;
	start(&f, SECOND_NOBODY);
	for (uint32_t i = 0; i < 4; i++)
		piece[i] = (struct ata_piece){(uint32_t)f.buffer + i * 256, 1024};
	assert_true(guest_ata_dma(&f.g, &c, true, piece, 4));
	for (uint32_t i = 1792; i < ATA_FIXTURE_BUFFER; i++)
		assert_int_equal(f.memory[i], 0x44);
	/* Written, each region is what it holds. */
	for (uint32_t i = 0; i < 4096; i++)
		f.memory[i] = (uint8_t)(i * 3 + (i >> 8));
	c.opcode = 0xca;
	assert_true(guest_ata_dma(&f.g, &c, false, piece, 4));
	for (uint32_t i = 0; i < 8; i++) {
		ata_machine_plain(&f.m, 0, 100 + i, 1, sector);
		assert_memory_equal(sector, f.memory + i / 2 * 256 + i % 2 * 512, 512);
	}
	stop(&f);
}

/* A table that has no end before the next 64 KiB boundary, or is not in memory. */
static void test_prd_table(void **state)
{
	struct ata_fixture f;

	(void)state;
	start(&f, SECOND_NOBODY);
	uint32_t own = f.g.table, at = (uint32_t)f.buffer;
	uint32_t *last = ata_machine_pointer(&f.m, f.buffer + 131072 - 8);

	for (uint32_t i = 0; i < 4; i++) {
		last[2 * i] = at + 1024 * i;
		last[2 * i + 1] = 1024 | (i == 3 ? 1u << 31 : 0);
	}
	const uint32_t tables[] = {at + 131072 - 8, 0x1000, (uint32_t)f.m.bus.arena_base, (uint32_t)f.m.bus.ram_base - 4};

	bus_name(&f.m.bus, f.m.bus.arena_base);
	for (unsigned i = 0; i < 4; i++)
		for (int write = 0; write < 2; write++) {
			struct guest_ata_command c = guest_ata_transfer(write, true, false, 100, 8);

			ata_machine_out(&f.m, PORT_BM_PRD, 4, tables[i]);
			guest_ata_load(&f.g, &c);
			guest_ata_out(&f.g, PORT_COMMAND, c.opcode);
			guest_ata_bus_master(&f.g, !write, true);
			assert_false(guest_ata_wait(&f.g));
			assert_int_equal(f.g.error, ATA_ABRT);
			guest_ata_bus_master(&f.g, !write, false);
		}
	/* The longest there can be: all of 64 KiB, of 2 bytes each. */
	uint64_t whole = ata_machine_ram(&f.m, 65536, 65536);
	struct guest_ata_command c = guest_ata_transfer(false, true, false, 100, 32);
	uint32_t *entry = ata_machine_pointer(&f.m, whole);

	for (uint32_t i = 0; i < 8192; i++) {
		entry[2 * i] = at + 4 * i;
		entry[2 * i + 1] = 2 | (i == 8191 ? 1u << 31 : 0);
	}
	ata_machine_out(&f.m, PORT_BM_PRD, 2, (uint32_t)whole & 0xffff);
	ata_machine_out(&f.m, PORT_BM_PRD + 2, 2, (uint32_t)whole >> 16);
	assert_int_equal(ata_machine_in(&f.m, PORT_BM_PRD, 4), whole);
	guest_ata_load(&f.g, &c);
	guest_ata_out(&f.g, PORT_COMMAND, c.opcode);
	guest_ata_bus_master(&f.g, true, true);
	assert_true(guest_ata_wait(&f.g));
	guest_ata_bus_master(&f.g, true, false);
	uint8_t sector[512];

	ata_machine_plain(&f.m, 0, 131, 1, sector);
	for (uint32_t i = 0; i < 256; i++)
		assert_memory_equal(f.memory + 4 * (31 * 256 + i), sector + 2 * i, 2);
	f.g.table = own;
	assert_true(ata_fixture_unchanged(&f));
	stop(&f);
}

/* What the guest changes after it has started the bus master is not looked at any more. */
static void test_changed_later(void **state)
{
	struct ata_fixture f;

	(void)state;
	start(&f, SECOND_NOBODY);
	for (int write = 0; write < 2; write++) {
		struct guest_ata_command c = guest_ata_transfer(write, true, false, 100, 8);
		struct ata_piece piece = {(uint32_t)f.buffer, 4096};
		struct ata_piece other = {(uint32_t)f.m.bus.arena_base, 4096};

		memset(f.memory, 0x44, 4096);
		guest_ata_table(&f.g, &piece, 1);
		ata_machine_out(&f.m, PORT_BM_PRD, 4, f.g.table);
		guest_ata_load(&f.g, &c);
		guest_ata_out(&f.g, PORT_COMMAND, c.opcode);
		guest_ata_bus_master(&f.g, !write, true);
		guest_ata_table(&f.g, &other, 1);
		ata_machine_out(&f.m, PORT_BM_PRD, 4, f.g.table + 64);
		if (write)
			memset(f.memory, 0x45, 4096);
		assert_true(guest_ata_wait(&f.g));
		guest_ata_bus_master(&f.g, !write, false);
	}
	uint8_t plain[4096];

	ata_machine_plain(&f.m, 0, 100, 8, plain);
	for (unsigned i = 0; i < 4096; i++)
		assert_int_equal(plain[i], 0x44);
	stop(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_prd),
		cmocka_unit_test(test_prd_crossing),
		cmocka_unit_test(test_prd_log),
		cmocka_unit_test(test_prd_overlap),
		cmocka_unit_test(test_prd_table),
		cmocka_unit_test(test_changed_later),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
