/* SPDX-License-Identifier: Apache-2.0 */
/* What a hostile or broken guest does to the ports of a channel: nothing reaches a drive, or memory, that should not. */
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

/* The bus master without a command moves nothing, and does not disturb the next. */
static void test_start_without_command(void **state)
{
	struct ata_piece piece = {(uint32_t)0, 4096};
	struct ata_fixture f;

	(void)state;
	start(&f, SECOND_PACKET);
	piece.address = (uint32_t)f.buffer;
	guest_ata_table(&f.g, &piece, 1);
	ata_machine_out(&f.m, PORT_BM_PRD, 4, f.g.table);
	for (unsigned in = 0; in < 2; in++) {
		guest_ata_bus_master(&f.g, in, true);
		assert_int_equal(guest_ata_in(&f.g, PORT_BM_COMMAND), BM_RUN | (in ? BM_READS : 0));
		assert_int_equal(f.m.channel.bm_command & BM_RUN, 0);
		while (channel_step(&f.m.channel))
			;
		guest_ata_bus_master(&f.g, in, false);
	}
	/* In the midst of PIO neither. */
	struct guest_ata_command c = guest_ata_transfer(false, false, false, 100, 1);

	guest_ata_load(&f.g, &c);
	guest_ata_out(&f.g, PORT_COMMAND, c.opcode);
	assert_true(guest_ata_wait(&f.g));
	guest_ata_bus_master(&f.g, true, true);
	assert_int_equal(f.m.channel.bm_command & BM_RUN, 0);
	ata_machine_ins(&f.m, f.memory + 4096, 512);
	guest_ata_bus_master(&f.g, true, false);
	/* Nor for a command to the packet drive whose table is bad. */
	f.g.drive = 1;
	piece.address = (uint32_t)f.m.bus.arena_base;
	guest_ata_table(&f.g, &piece, 1);
	guest_ata_select(&f.g);
	guest_ata_out(&f.g, PORT_COMMAND, 0xa0);
	guest_ata_bus_master(&f.g, true, true);
	assert_int_equal(f.m.channel.bm_command & BM_RUN, 0);
	guest_ata_bus_master(&f.g, true, false);
	assert_true(guest_ata_reset(&f.g));
	f.g.drive = 0;
	/* Started before its command, as some drivers do, it serves that. */
	piece.address = (uint32_t)f.buffer + 8192;
	guest_ata_table(&f.g, &piece, 1);
	c = guest_ata_transfer(false, true, false, 100, 8);
	guest_ata_bus_master(&f.g, true, true);
	guest_ata_load(&f.g, &c);
	guest_ata_out(&f.g, PORT_COMMAND, c.opcode);
	assert_true(guest_ata_wait(&f.g));
	assert_memory_equal(f.memory + 8192, f.memory + 4096, 512);
	stop(&f);
}

/* The data register when nobody asks for data. */
static void test_data_without_request(void **state)
{
	static const uint8_t opcodes[] = {0x20, 0x30, 0xc8, 0xca, 0xe7, 0xec};
	struct ata_fixture f;
	uint8_t junk[1024];

	(void)state;
	start(&f, SECOND_NOBODY);
	memset(junk, 0x44, sizeof(junk));
	for (unsigned i = 0; i <= sizeof(opcodes); i++) {
		if (i) {
			struct guest_ata_command c = {.opcode = opcodes[i - 1], .lba = 100, .count = 1};

			guest_ata_load(&f.g, &c);
			f.m.channel.stuck = true;
			guest_ata_out(&f.g, PORT_COMMAND, c.opcode);
		}
		uint64_t reads = f.m.channel.reads;

		assert_int_equal(ata_machine_in(&f.m, PORT_DATA, 4), 0xffffffff);
		assert_int_equal(ata_machine_in(&f.m, PORT_DATA, 2), 0xffff);
		assert_int_equal(ata_machine_in(&f.m, PORT_DATA, 1), 0xff);
		/* A string is bounded by what is there, not by what is asked for. */
		ata_machine_ins(&f.m, junk, sizeof(junk));
		assert_int_equal(junk[0], 0xff);
		assert_int_equal(junk[1023], 0xff);
		assert_true(f.m.channel.reads < reads + 20);
		memset(junk, 0x44, sizeof(junk));
		ata_machine_outs(&f.m, junk, sizeof(junk));
		ata_machine_out(&f.m, PORT_DATA, 4, 0x44444444);
		f.m.channel.stuck = false;
		assert_true(guest_ata_reset(&f.g));
	}
	assert_true(ata_fixture_unchanged(&f));
	stop(&f);
}

/* Against the command's direction, and more than it wants. */
static void test_wrong_way(void **state)
{
	struct guest_ata_command read = guest_ata_transfer(false, false, false, 100, 1);
	struct guest_ata_command write = guest_ata_transfer(true, false, false, 100, 1);
	uint8_t data[2048], plain[512];
	struct ata_fixture f;

	(void)state;
	start(&f, SECOND_NOBODY);
	memset(data, 0x44, sizeof(data));
	guest_ata_load(&f.g, &read);
	guest_ata_out(&f.g, PORT_COMMAND, read.opcode);
	assert_true(guest_ata_wait(&f.g));
	ata_machine_outs(&f.m, data, 512);
	ata_machine_in(&f.m, PORT_DATA, 2);
	ata_machine_outs(&f.m, data, 512);
	ata_machine_ins(&f.m, data, 2048);
	assert_int_equal(data[510], 0xff); /* behind the rest of the sector */
	assert_int_equal(data[2047], 0xff);
	assert_true(ata_fixture_unchanged(&f));

	memset(data, 0x44, sizeof(data));
	guest_ata_load(&f.g, &write);
	guest_ata_out(&f.g, PORT_COMMAND, write.opcode);
	while (guest_ata_in(&f.g, PORT_CONTROL) & ST_BSY)
		;
	assert_int_equal(ata_machine_in(&f.m, PORT_DATA, 2), 0xffff);
	ata_machine_outs(&f.m, data, 2048);
	assert_true(guest_ata_wait(&f.g));
	ata_machine_plain(&f.m, 0, 100, 1, plain);
	assert_memory_equal(plain, data, 512);
	assert_memory_equal(f.m.disk[0].medium + 101 * 512, f.medium + 101 * 512, 512);
	stop(&f);
}

/* Registers while something goes on: the command stays what it was. */
static void test_registers_while_busy(void **state)
{
	struct ata_fixture f;

	(void)state;
	for (unsigned what = 0; what < 4; what++) {
		struct guest_ata_command c = guest_ata_transfer(what & 1, what & 2, false, 100, 2);
		struct ata_piece piece;
		uint8_t plain[1024], data[1024];

		start(&f, SECOND_PLAIN);
		piece = (struct ata_piece){(uint32_t)f.buffer, 1024};
		memset(data, 0x43, sizeof(data));
		memset(f.memory, 0x43, 1024);
		guest_ata_table(&f.g, &piece, 1);
		ata_machine_out(&f.m, PORT_BM_PRD, 4, f.g.table);
		guest_ata_load(&f.g, &c);
		guest_ata_out(&f.g, PORT_COMMAND, c.opcode);
		if (what >= 2)
			guest_ata_bus_master(&f.g, !(what & 1), true);
		else
			while (guest_ata_in(&f.g, PORT_COMMAND) & ST_BSY)
				;
		channel_take_interrupt(&f.m.channel);
		f.m.channel.stuck = true;
		if (what < 2 && what & 1)
			ata_machine_outs(&f.m, data, 100);
		else if (what < 2)
			ata_machine_ins(&f.m, data, 100);
		/* Its place, its length, the other drive, another command. */
		for (unsigned port = PORT_FEATURES; port <= PORT_COMMAND; port++)
			guest_ata_out(&f.g, port, port == PORT_COMMAND ? 0x30 : 0xf0);
		ata_machine_out(&f.m, PORT_COUNT, 4, 0x30f00000);
		f.m.channel.stuck = false;
		if (what < 2 && what & 1) {
			ata_machine_outs(&f.m, data + 100, 412);
			assert_true(guest_ata_wait(&f.g));
			ata_machine_outs(&f.m, data + 512, 512);
		} else if (what < 2) {
			ata_machine_ins(&f.m, data + 100, 412);
			assert_true(guest_ata_wait(&f.g));
			ata_machine_ins(&f.m, data + 512, 512);
			memcpy(f.memory, data, 1024);
		}
		if (what)
			assert_true(guest_ata_wait(&f.g));
		ata_machine_plain(&f.m, 0, 100, 2, plain);
		assert_memory_equal(plain, f.memory, 1024);
		guest_ata_bus_master(&f.g, false, false);
		stop(&f);
	}
}

/*
 * In the midst of a sector Status asks for its rest, though the drive is with the
 * next: its interrupt is not acknowledged. A command that waits for the bus master
 * shows as busy, and stays the one.
 */
static void test_status_meanwhile(void **state)
{
	struct guest_ata_command c = guest_ata_transfer(false, false, false, 100, 2);
	struct ata_piece piece;
	struct ata_fixture f;

	(void)state;
	start(&f, SECOND_NOBODY);
	guest_ata_load(&f.g, &c);
	guest_ata_out(&f.g, PORT_COMMAND, c.opcode);
	assert_true(guest_ata_wait(&f.g));
	ata_machine_ins(&f.m, f.memory, 100);
	for (unsigned port = PORT_COMMAND; port <= PORT_CONTROL; port++)
		assert_int_equal(guest_ata_in(&f.g, port) & (ST_BSY | ST_DRQ | ST_ERR), ST_DRQ);
	while (channel_step(&f.m.channel))
		;
	assert_int_equal(guest_ata_in(&f.g, PORT_COMMAND) & (ST_BSY | ST_DRQ | ST_ERR), ST_DRQ);
	assert_true(f.m.channel.line);
	ata_machine_ins(&f.m, f.memory + 100, 412);
	assert_true(guest_ata_wait(&f.g));
	ata_machine_ins(&f.m, f.memory + 512, 512);
	assert_true(ata_fixture_holds(&f, 100, 2, f.memory));

	c = guest_ata_transfer(false, true, false, 100, 2);
	piece = (struct ata_piece){(uint32_t)f.buffer + 4096, 1024};
	guest_ata_table(&f.g, &piece, 1);
	guest_ata_load(&f.g, &c);
	guest_ata_out(&f.g, PORT_COMMAND, c.opcode);
	assert_int_equal(guest_ata_in(&f.g, PORT_COMMAND) & ST_BSY, ST_BSY);
	assert_int_equal(guest_ata_in(&f.g, PORT_CONTROL) & ST_BSY, ST_BSY);
	guest_ata_out(&f.g, PORT_COMMAND, 0xe7);
	assert_int_equal(f.m.disk[0].flushes, 0);
	ata_machine_out(&f.m, PORT_BM_PRD, 4, f.g.table);
	guest_ata_bus_master(&f.g, true, true);
	assert_true(guest_ata_wait(&f.g));
	guest_ata_bus_master(&f.g, true, false);
	assert_true(ata_fixture_holds(&f, 100, 2, f.memory + 4096));
	stop(&f);
}

/* Accesses wider than a register, at every port and beyond the last. */
static void test_widths(void **state)
{
	struct ata_fixture f;

	(void)state;
	start(&f, SECOND_NOBODY);
	ata_machine_out(&f.m, PORT_COUNT, 2, 0x6401);
	assert_int_equal(ata_machine_in(&f.m, PORT_COUNT, 2), 0x6401);
	ata_machine_out(&f.m, PORT_LBA_MID, 4, 0x20e00000);
	assert_true(guest_ata_wait(&f.g));
	ata_machine_ins(&f.m, f.memory, 512);
	uint8_t sector[512];

	ata_machine_plain(&f.m, 0, 100, 1, sector);
	assert_memory_equal(f.memory, sector, 512);
	for (unsigned port = 0; port < 0x20; port++)
		for (unsigned size = 1; size <= 4; size *= 2)
			ata_machine_in(&f.m, port, size);
	assert_int_equal(ata_machine_in(&f.m, 9, 4), 0xffffffff);
	assert_int_equal(ata_machine_in(&f.m, 0x18, 4), 0xffffffff);
	/* From nowhere into the data register. */
	f.m.channel.reads = f.m.channel.writes = 0;
	assert_int_equal(ata_machine_in(&f.m, UINT32_MAX, 2), 0xffff);
	ata_machine_out(&f.m, UINT32_MAX, 2, 0);
	assert_int_equal(f.m.channel.reads + f.m.channel.writes, 0);
	for (unsigned port = 9; port < 0x10; port++)
		ata_machine_out(&f.m, port, 1, 0xff);
	ata_machine_out(&f.m, 0x18, 4, UINT32_MAX);
	assert_true(ata_fixture_unchanged(&f));
	stop(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_start_without_command),
		cmocka_unit_test(test_data_without_request),
		cmocka_unit_test(test_wrong_way),
		cmocka_unit_test(test_registers_while_busy),
		cmocka_unit_test(test_status_meanwhile),
		cmocka_unit_test(test_widths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
