/* SPDX-License-Identifier: Apache-2.0 */
/* Ports that are lent to a CPU: what the guest does past the mediator is known, checked, and leads nowhere else. */
#include "tests/model/ata_fixture.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define SECTORS 4096u

static void stop(struct ata_fixture *f)
{
	assert_true(ata_fixture_works(f));
	assert_null(ata_fixture_stop(f));
}

/* A driver that has moved data by DMA begins its next command: CPU 0 is lent the ports. */
static void start_lent(struct ata_fixture *f)
{
	assert_true(ata_fixture_start(
		f, &(struct ata_machine_options){.sectors = SECTORS, .lends = true, .second = SECOND_PACKET}, false));
	assert_true(guest_ata_read(&f->g, true, false, 99, 1, f->buffer));
	memset(f->memory, 0x44, ATA_FIXTURE_BUFFER);
	/* The drive is tried out; what the guest has written stays. */
	guest_ata_out(&f->g, PORT_COUNT, 0x31);
	guest_ata_out(&f->g, PORT_COUNT, 0x32);
	guest_ata_out(&f->g, PORT_FEATURES, 0);
	assert_int_equal(f->m.channel.drive[0].count, 0x3132);
	assert_int_equal(f->m.lent, ATA_LEND_REGISTERS | ATA_LEND_BUS_MASTER | ATA_LEND_PRD);
}

/* Another CPU finds what the first has written, and the first does not get past the mediator any more. */
static void test_lent_other_cpu(void **state)
{
	struct ata_fixture f;

	(void)state;
	for (unsigned port = PORT_COUNT; port <= PORT_BM_PRD; port = port == PORT_DEVICE ? PORT_BM_COMMAND : port + 2) {
		start_lent(&f);
		guest_ata_out(&f.g, PORT_COUNT, 0x12);
		guest_ata_out(&f.g, PORT_COUNT, 0x34);
		ata_machine_out(&f.m, PORT_BM_PRD, 4, 0x12345678);
		guest_ata_out(&f.g, PORT_BM_COMMAND, 0);
		f.m.cpu = 1;
		ata_machine_in(&f.m, port, 1);
		assert_int_equal(f.m.lent, 0);
		assert_int_equal(guest_ata_in(&f.g, PORT_COUNT), 0x34);
		guest_ata_out(&f.g, PORT_CONTROL, CTL_HOB);
		assert_int_equal(guest_ata_in(&f.g, PORT_COUNT), 0x12);
		assert_int_equal(ata_machine_in(&f.m, PORT_BM_PRD, 4), 0x12345678);
		assert_int_equal(guest_ata_in(&f.g, PORT_BM_COMMAND), 0);
		/* The device has ours again. */
		assert_int_not_equal(f.m.channel.bm_prd, 0x12345678);
		f.m.cpu = 0;
		stop(&f);
	}
}

/* Registers written past the mediator are checked at Command: a header partition, a place that another CPU changes. */
static void test_lent_registers(void **state)
{
	struct guest_ata_command c = guest_ata_transfer(true, true, true, SECTORS / 2, 1);
	struct ata_piece piece;
	struct ata_fixture f;

	(void)state;
	start_lent(&f);
	piece = (struct ata_piece){(uint32_t)f.buffer, 512};
	assert_false(guest_ata_dma(&f.g, &c, false, &piece, 1));
	assert_int_equal(f.g.error, ATA_ABRT);
	/* All 48 bits of the LBA are read back. */
	c.lba = 1ull << 40 | 100;
	guest_ata_out(&f.g, PORT_FEATURES, 0);
	assert_false(guest_ata_dma(&f.g, &c, false, &piece, 1));
	assert_int_equal(f.g.error, ATA_IDNF);
	assert_true(ata_fixture_unchanged(&f));
	stop(&f);
}

/* The bus master as the guest likes it while it is lent: nothing moves, and the next command has our table. */
static void test_lent_bus_master(void **state)
{
	struct guest_ata_command c = guest_ata_transfer(false, true, false, 100, 8);
	struct ata_fixture f;

	(void)state;
	start_lent(&f);
	uint32_t arena = (uint32_t)f.m.bus.arena_base;

	bus_name(&f.m.bus, arena);
	for (unsigned cpu = 0; cpu < 2; cpu++) {
		f.m.cpu = 0;
		guest_ata_out(&f.g, PORT_FEATURES, 0);
		ata_machine_out(&f.m, PORT_BM_PRD, 4, arena);
		guest_ata_bus_master(&f.g, true, true);
		while (channel_step(&f.m.channel))
			;
		/* The command comes from the same CPU or from another one. */
		f.m.cpu = cpu;
		guest_ata_load(&f.g, &c);
		guest_ata_out(&f.g, PORT_COMMAND, c.opcode);
		assert_false(guest_ata_wait(&f.g));
		assert_int_equal(f.g.error, ATA_ABRT);
		guest_ata_bus_master(&f.g, true, false);
	}
	f.m.cpu = 0;
	/* After Command its table cannot be changed any more. */
	struct ata_piece piece = {(uint32_t)f.buffer, 4096};

	assert_true(guest_ata_read(&f.g, true, false, 99, 1, f.buffer));
	guest_ata_table(&f.g, &piece, 1);
	guest_ata_load(&f.g, &c);
	ata_machine_out(&f.m, PORT_BM_PRD, 4, f.g.table);
	guest_ata_out(&f.g, PORT_COMMAND, c.opcode);
	assert_int_equal(f.m.lent, ATA_LEND_BUS_MASTER);
	ata_machine_out(&f.m, PORT_BM_PRD, 4, arena);
	guest_ata_bus_master(&f.g, true, true);
	assert_true(guest_ata_wait(&f.g));
	guest_ata_bus_master(&f.g, true, false);
	assert_true(ata_fixture_holds(&f, 100, 8, f.memory));
	stop(&f);
}

/* Another CPU starts the bus master, and stops it. */
static void test_lent_start(void **state)
{
	struct guest_ata_command c = guest_ata_transfer(false, true, false, 100, 8);
	struct ata_fixture f;

	(void)state;
	start_lent(&f);
	struct ata_piece piece = {(uint32_t)f.buffer, 4096};

	guest_ata_table(&f.g, &piece, 1);
	ata_machine_out(&f.m, PORT_BM_PRD, 4, f.g.table);
	guest_ata_load(&f.g, &c);
	guest_ata_out(&f.g, PORT_COMMAND, c.opcode);
	assert_int_equal(f.m.lent, ATA_LEND_BUS_MASTER);
	f.m.cpu = 1;
	guest_ata_bus_master(&f.g, true, true);
	assert_int_equal(f.m.lent, 0);
	assert_true(guest_ata_wait(&f.g));
	guest_ata_bus_master(&f.g, true, false);
	assert_int_equal(f.m.channel.bm_command & BM_RUN, 0);
	assert_true(ata_fixture_holds(&f, 100, 8, f.memory));
	f.m.cpu = 0;
	stop(&f);
}

/*
 * Who may not be lent anything: a drive whose earlier values cannot be read, PIO, drives
 * of the guest's own, writes to pins.
 */
static void test_not_lent(void **state)
{
	struct guest_ata_command c = guest_ata_transfer(true, true, false, PINNED_LBA, 1);
	struct ata_piece piece;
	struct ata_fixture f;

	(void)state;
	assert_true(ata_fixture_start(&f, &(struct ata_machine_options){.sectors = SECTORS, .lends = true}, false));
	f.m.channel.no_hob = true;
	assert_true(guest_ata_read(&f.g, true, true, 100, 1, f.buffer));
	assert_true(guest_ata_read(&f.g, true, true, 100, 1, f.buffer));
	guest_ata_out(&f.g, PORT_FEATURES, 0);
	assert_int_equal(f.m.lent & ATA_LEND_REGISTERS, 0);
	stop(&f);

	start_lent(&f);
	assert_true(guest_ata_read(&f.g, false, false, 100, 1, f.buffer));
	guest_ata_out(&f.g, PORT_FEATURES, 0);
	assert_int_equal(f.m.lent, 0);
	assert_true(guest_ata_read(&f.g, true, false, 100, 1, f.buffer));
	f.g.drive = 1;
	guest_ata_select(&f.g);
	guest_ata_out(&f.g, PORT_FEATURES, 0);
	assert_int_equal(f.m.lent, 0);
	f.g.drive = 0;
	/* What is written to pinned bytes goes the mediator's way, whatever way the guest starts the bus master. */
	ata_fixture_pin(&f);
	guest_ata_select(&f.g);
	guest_ata_out(&f.g, PORT_FEATURES, 0);
	assert_int_not_equal(f.m.lent, 0);
	memcpy(f.memory + PINNED_OFFSET, f.pin.value, PINNED_BYTES);
	piece = (struct ata_piece){(uint32_t)f.buffer, 512};
	guest_ata_table(&f.g, &piece, 1);
	ata_machine_out(&f.m, PORT_BM_PRD, 4, f.g.table);
	guest_ata_load(&f.g, &c);
	guest_ata_out(&f.g, PORT_COMMAND, c.opcode);
	assert_int_equal(f.m.lent, 0);
	guest_ata_bus_master(&f.g, true, true);
	assert_true(guest_ata_wait(&f.g));
	guest_ata_bus_master(&f.g, true, false);
	assert_true(ata_fixture_holds(&f, PINNED_LBA, 1, f.memory));
	stop(&f);
}

/* The other drive is selected past the mediator, and gets what is meant for it. */
static void test_lent_selection(void **state)
{
	struct ata_fixture f;

	(void)state;
	start_lent(&f);
	guest_ata_out(&f.g, PORT_DEVICE, 0xf0);
	assert_int_equal(f.m.lent, ATA_LEND_REGISTERS | ATA_LEND_BUS_MASTER | ATA_LEND_PRD);
	guest_ata_out(&f.g, PORT_COMMAND, 0xa1);
	assert_true(guest_ata_wait(&f.g));
	ata_machine_ins(&f.m, f.memory, 512);
	assert_int_equal(f.memory[1], 0x85);
	stop(&f);
}

/* Ranges to be trimmed go the mediator's way: a bus master started the wrong way would make others of them. */
static void test_lent_trim(void **state)
{
	struct guest_ata_command c = {.opcode = 0x06, .features = 1, .count = 1, .wide = true};
	struct ata_piece piece;
	struct ata_fixture f;

	(void)state;
	start_lent(&f);
	piece = (struct ata_piece){(uint32_t)f.buffer, 512};
	memset(f.memory, 0, 512);
	memcpy(f.memory, &(uint64_t){1ull << 48 | 110}, 8);
	guest_ata_table(&f.g, &piece, 1);
	guest_ata_load(&f.g, &c);
	guest_ata_out(&f.g, PORT_FEATURES, 1);
	ata_machine_out(&f.m, PORT_BM_PRD, 4, f.g.table);
	guest_ata_out(&f.g, PORT_COMMAND, c.opcode);
	assert_int_equal(f.m.lent, 0);
	guest_ata_bus_master(&f.g, false, true);
	assert_true(guest_ata_wait(&f.g));
	guest_ata_bus_master(&f.g, false, false);
	assert_int_equal(f.m.disk[0].medium[110 * 512], 0);
	stop(&f);
}

/* A table that was named before another command, or is named after its own, is not taken for the next one's. */
static void test_lent_late_table(void **state)
{
	struct ata_fixture f;

	(void)state;
	start_lent(&f);
	for (unsigned i = 0; i < 6; i++) {
		f.g.prd_late = i % 3;
		assert_true(guest_ata_read(&f.g, true, i & 1, 100 + 8 * i, 8, f.buffer + 8192 * i));
		assert_true(ata_fixture_holds(&f, 100 + 8 * i, 8, f.memory + 8192 * i));
		assert_int_equal(f.memory[8192 * i + 4096], 0x44);
	}
	/* One that was named for a command that is refused. */
	f.g.prd_late = false;
	assert_false(guest_ata_write(&f.g, true, false, SECTORS / 2, 1, f.buffer));
	assert_true(guest_ata_read(&f.g, true, false, 100, 1, f.buffer));
	guest_ata_out(&f.g, PORT_FEATURES, 0);
	assert_false(guest_ata_write(&f.g, true, false, SECTORS / 2, 1, f.buffer));
	f.g.prd_late = true;
	assert_true(guest_ata_read(&f.g, true, false, 100, 8, f.buffer));
	/* Device Control is what the guest has made it. */
	guest_ata_out(&f.g, PORT_CONTROL, CTL_NIEN);
	f.g.polls = true;
	for (unsigned i = 0; i < 2; i++) {
		assert_true(guest_ata_read(&f.g, true, false, 100, 8, f.buffer));
		assert_int_equal(f.m.channel.control, CTL_NIEN);
	}
	/* A reset ends the loan. */
	guest_ata_out(&f.g, PORT_FEATURES, 0);
	assert_int_not_equal(f.m.lent, 0);
	assert_true(guest_ata_reset(&f.g));
	assert_int_equal(f.m.lent, 0);
	guest_ata_out(&f.g, PORT_FEATURES, 0);
	assert_int_equal(f.m.lent, 0);
	stop(&f);
}

/* Whether the guest has asked for the earlier values, by HOB, when the registers are taken back. */
static void test_lent_hob(void **state)
{
	struct ata_fixture f;

	(void)state;
	for (unsigned wide = 0; wide < 2; wide++) {
		struct guest_ata_command c = guest_ata_transfer(false, true, wide, 100, 8);
		struct ata_piece piece;

		start_lent(&f);
		piece = (struct ata_piece){(uint32_t)f.buffer, 4096};
		guest_ata_table(&f.g, &piece, 1);
		ata_machine_out(&f.m, PORT_BM_PRD, 4, f.g.table);
		guest_ata_load(&f.g, &c);
		guest_ata_out(&f.g, PORT_CONTROL, CTL_HOB);
		assert_int_equal(f.m.lent, 0);
		guest_ata_out(&f.g, PORT_COMMAND, c.opcode);
		guest_ata_bus_master(&f.g, true, true);
		assert_true(guest_ata_wait(&f.g));
		guest_ata_bus_master(&f.g, true, false);
		assert_true(ata_fixture_holds(&f, 100, 8, f.memory));
		stop(&f);
	}
}

/* The machine ends while the drive has its command and the bus master was not started: nobody waits for that. */
static void test_lent_quiesce(void **state)
{
	struct guest_ata_command c = guest_ata_transfer(true, true, false, 100, 8);
	struct ata_piece piece;
	struct ata_fixture f;
	uint64_t before;

	(void)state;
	start_lent(&f);
	piece = (struct ata_piece){(uint32_t)f.buffer, 4096};
	guest_ata_table(&f.g, &piece, 1);
	ata_machine_out(&f.m, PORT_BM_PRD, 4, f.g.table);
	guest_ata_load(&f.g, &c);
	guest_ata_out(&f.g, PORT_COMMAND, c.opcode);
	while (channel_step(&f.m.channel))
		;
	before = f.m.channel.reads;
	ata_quiesce(f.m.ata);
	assert_true(f.m.channel.reads - before < 100);
	assert_true(ata_fixture_unchanged(&f));
	assert_null(ata_fixture_stop(&f));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lent_other_cpu),
		cmocka_unit_test(test_lent_registers),
		cmocka_unit_test(test_lent_bus_master),
		cmocka_unit_test(test_lent_start),
		cmocka_unit_test(test_lent_selection),
		cmocka_unit_test(test_lent_trim),
		cmocka_unit_test(test_not_lent),
		cmocka_unit_test(test_lent_late_table),
		cmocka_unit_test(test_lent_hob),
		cmocka_unit_test(test_lent_quiesce),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
