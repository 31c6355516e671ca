/* SPDX-License-Identifier: Apache-2.0 */
/* The two drives of a channel beside each other: protected, plain, of packets, absent; and which of them answers. */
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

static void start(struct ata_fixture *f, const struct ata_machine_options *options, unsigned drive, bool polls)
{
	assert_true(ata_fixture_start(f, options, polls));
	f->g.drive = drive;
	guest_ata_select(&f->g);
}

static void stop(struct ata_fixture *f)
{
	assert_null(ata_fixture_stop(f));
}

/* The second drive has keys of its own, or is the guest's own and gets what it is given. */
static void test_second_drive(void **state)
{
	struct ata_fixture f;

	(void)state;
	for (int protected = 0; protected < 2; protected++) {
		start(&f, &(struct ata_machine_options){.second = protected ? SECOND_PROTECTED : SECOND_PLAIN}, 1, false);
		for (int dma = 0; dma < 2; dma++) {
			assert_true(guest_ata_read(&f.g, dma, false, 80, 4, f.buffer));
			assert_true(ata_fixture_shows(&f, 80, 4));
			memset(f.memory, 0x42, 2048);
			assert_true(guest_ata_write(&f.g, dma, true, 90, 4, f.buffer));
			assert_true(ata_fixture_holds(&f, 90, 4, f.memory));
			assert_int_equal(!memcmp(f.m.disk[1].medium + 90 * 512, f.memory, 512), !protected);
		}
		f.g.drive = 0;
		assert_true(guest_ata_read(&f.g, true, false, 80, 4, f.buffer));
		assert_true(ata_fixture_shows(&f, 80, 4));
		stop(&f);
	}
}

static void packet(struct ata_fixture *f, uint8_t *cdb)
{
	while (guest_ata_in(&f->g, PORT_CONTROL) & ST_BSY)
		;
	assert_int_equal(guest_ata_in(&f->g, PORT_CONTROL) & ST_DRQ, ST_DRQ);
	ata_machine_outs(&f->m, cdb, PACKET_BYTES);
}

/* A packet drive beside a protected disk is driven as if nobody were in between. */
static void test_packet_drive(void **state)
{
	uint8_t cdb[PACKET_BYTES] = {0x28, 0, 0, 0, 0, 5, 0, 0, 2}, sector[2048];
	struct guest_ata_command identify = {.opcode = 0xa1}, command = {.opcode = 0xa0, .lba = 0x080000};
	struct ata_fixture f;

	(void)state;
	start(&f, &(struct ata_machine_options){.second = SECOND_PACKET}, 1, false);
	assert_true(guest_ata_reset(&f.g));
	assert_int_equal(guest_ata_in(&f.g, PORT_LBA_MID), 0x14);
	assert_int_equal(guest_ata_in(&f.g, PORT_LBA_HIGH), 0xeb);
	assert_true(guest_ata_pio_in(&f.g, &identify, f.memory, 512, 512));
	assert_int_equal(f.memory[1], 0x85);
	/* By PIO. */
	guest_ata_load(&f.g, &command);
	guest_ata_out(&f.g, PORT_COMMAND, 0xa0);
	packet(&f, cdb);
	for (uint32_t i = 0; i < 2; i++) {
		assert_true(guest_ata_wait(&f.g));
		ata_machine_ins(&f.m, f.memory, 2048);
		channel_packet_pattern(5 + i, sector);
		assert_memory_equal(f.memory, sector, 2048);
	}
	/* By DMA. */
	struct ata_piece piece = {(uint32_t)f.buffer, 4096};

	memset(f.memory, 0, 4096);
	guest_ata_table(&f.g, &piece, 1);
	ata_machine_out(&f.m, PORT_BM_PRD, 4, f.g.table);
	command.features = 1;
	guest_ata_load(&f.g, &command);
	guest_ata_out(&f.g, PORT_COMMAND, 0xa0);
	packet(&f, cdb);
	guest_ata_bus_master(&f.g, true, true);
	assert_true(guest_ata_wait(&f.g));
	guest_ata_bus_master(&f.g, true, false);
	assert_memory_equal(f.memory + 2048, sector, 2048);
	/* DEVICE RESET in the middle of a packet. */
	guest_ata_load(&f.g, &command);
	guest_ata_out(&f.g, PORT_COMMAND, 0xa0);
	guest_ata_out(&f.g, PORT_COMMAND, 0x08);
	assert_int_equal(guest_ata_in(&f.g, PORT_COMMAND), 0);
	f.g.drive = 0;
	assert_true(guest_ata_read(&f.g, true, false, 80, 4, f.buffer));
	assert_true(ata_fixture_shows(&f, 80, 4));
	stop(&f);
}

/* A drive that is not there looks as if it were not there. */
static void test_absent_drive(void **state)
{
	struct guest_ata_command identify = {.opcode = 0xec};
	struct ata_fixture f;

	(void)state;
	start(&f, &(struct ata_machine_options){.second = SECOND_NOBODY}, 1, true);
	guest_ata_out(&f.g, PORT_COUNT, 0x55);
	guest_ata_out(&f.g, PORT_LBA_LOW, 0xaa);
	assert_int_equal(guest_ata_in(&f.g, PORT_COUNT), 0);
	assert_int_equal(guest_ata_in(&f.g, PORT_LBA_LOW), 0);
	assert_int_equal(guest_ata_in(&f.g, PORT_COMMAND), 0);
	assert_false(guest_ata_pio_in(&f.g, &identify, f.memory, 512, 512));
	f.g.drive = 0;
	guest_ata_select(&f.g);
	guest_ata_out(&f.g, PORT_COUNT, 0x55);
	guest_ata_out(&f.g, PORT_LBA_LOW, 0xaa);
	assert_int_equal(guest_ata_in(&f.g, PORT_COUNT), 0x55);
	assert_int_equal(guest_ata_in(&f.g, PORT_LBA_LOW), 0xaa);
	assert_true(guest_ata_read(&f.g, false, false, 80, 4, f.buffer));
	assert_true(ata_fixture_shows(&f, 80, 4));
	stop(&f);
}

/* Data for one drive does not become the other's: the protected one waits for a block, the plain one is selected. */
static void test_two_drives(void **state)
{
	struct guest_ata_command c = guest_ata_transfer(true, false, false, 100, 2);
	uint8_t data[1024];
	struct ata_fixture f;

	(void)state;
	start(&f, &(struct ata_machine_options){.sectors = SECTORS, .second = SECOND_PLAIN}, 0, false);
	memset(data, 0x44, sizeof(data));
	guest_ata_load(&f.g, &c);
	guest_ata_out(&f.g, PORT_COMMAND, c.opcode);
	while (guest_ata_in(&f.g, PORT_CONTROL) & ST_BSY)
		;
	guest_ata_out(&f.g, PORT_DEVICE, 0xf0);
	guest_ata_out(&f.g, PORT_COMMAND, 0xec);
	guest_ata_out(&f.g, PORT_DEVICE, 0xe0);
	ata_machine_outs(&f.m, data, 1024);
	while (channel_step(&f.m.channel))
		;
	ata_machine_outs(&f.m, data, 512);
	assert_null(memmem(f.m.disk[0].medium, SECTORS * 512, PLAIN, 8));
	assert_true(guest_ata_reset(&f.g));
	/* A command of the plain drive passes data only while that is selected. */
	guest_ata_out(&f.g, PORT_DEVICE, 0xf0);
	guest_ata_out(&f.g, PORT_COMMAND, 0xe7);
	while (channel_step(&f.m.channel))
		;
	guest_ata_out(&f.g, PORT_DEVICE, 0xe0);
	ata_machine_outs(&f.m, data, 512);
	assert_int_equal(ata_machine_in(&f.m, PORT_DATA, 2), 0xffff);
	assert_true(ata_fixture_works(&f));
	stop(&f);
}

/*
 * After a reset Device shows drive 0, which is the guest's own, while drive 1, which is
 * protected, goes on answering: what is not checked does not get to it.
 */
static void test_reset_keeps_unit(void **state)
{
	static const uint8_t opcodes[] = {0x30, 0xc5, 0x08};
	struct ata_fixture f;

	(void)state;
	for (unsigned i = 0; i < sizeof(opcodes); i++)
		for (unsigned by_command = 0; by_command < 2; by_command++) {
			start(&f, &(struct ata_machine_options){.sectors = SECTORS, .first_plain = true,
				.second = SECOND_PROTECTED}, 1, false);
			f.m.channel.keeps_unit = true;
			memcpy(f.medium, f.m.disk[1].medium, SECTORS * 512);
			if (by_command) {
				guest_ata_out(&f.g, PORT_COMMAND, 0x90);
			} else {
				guest_ata_out(&f.g, PORT_CONTROL, CTL_SRST);
				guest_ata_out(&f.g, PORT_CONTROL, 0);
			}
			while (channel_step(&f.m.channel))
				;
			assert_int_equal(guest_ata_in(&f.g, PORT_DEVICE) & 0x10, 0);
			guest_ata_out(&f.g, PORT_COUNT, 1);
			guest_ata_out(&f.g, PORT_LBA_LOW, 100);
			f.m.channel.device |= 0x40;
			guest_ata_out(&f.g, PORT_COMMAND, opcodes[i]);
			while (channel_step(&f.m.channel))
				;
			memset(f.memory, 0x44, 512);
			ata_machine_outs(&f.m, f.memory, 512);
			while (channel_step(&f.m.channel))
				;
			assert_memory_equal(f.m.disk[1].medium, f.medium, SECTORS * 512);
			assert_int_equal(f.m.disk[1].seen[opcodes[i]], 0);
			stop(&f);
		}
}

/* The drive that the firmware left answering is not the one that Device shows. */
static void test_start_with_another_unit(void **state)
{
	struct ata_machine m;
	struct ata_config config = {.env = &m.env, .name = "ata"};

	(void)state;
	ata_machine_init(&m, &(struct ata_machine_options){.second = SECOND_PLAIN});
	m.channel.unit = 1;
	config.arena = m.bus.arena;
	config.arena_bytes = m.bus.arena_bytes;
	assert_non_null(ata_init(&config));
	assert_int_equal(m.channel.unit, 0);
	ata_machine_free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_second_drive),
		cmocka_unit_test(test_packet_drive),
		cmocka_unit_test(test_absent_drive),
		cmocka_unit_test(test_two_drives),
		cmocka_unit_test(test_reset_keeps_unit),
		cmocka_unit_test(test_start_with_another_unit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
