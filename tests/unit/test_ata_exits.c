/* SPDX-License-Identifier: Apache-2.0 */
/* What commands on ports cost: accesses, each an exit unless run-ahead reaches it, and accesses of the device's own. */
#include "tests/model/ata_fixture.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void start(struct ata_fixture *f)
{
	assert_true(ata_fixture_start(f, &(struct ata_machine_options){.cipher_a = 4096}, false));
}

/* By PIO each access of a port is one exit, and none is added: a string is one access, whatever its length. */
static void test_pio(void **state)
{
	struct guest_ata_command set = {.opcode = 0xc6, .count = 16};
	struct ata_fixture f;

	(void)state;
	start(&f);
	assert_true(guest_ata_plain(&f.g, &set));
	for (int write = 0; write < 2; write++) {
		struct guest_ata_command c = {
			.opcode = write ? 0xc5 : 0xc4, .lba = 100, .count = 64};
		uint64_t before = f.m.exits;

		assert_true(write ? guest_ata_pio_out(&f.g, &c, f.memory, 64 * 512, 16 * 512)
				  : guest_ata_pio_in(&f.g, &c, f.memory, 64 * 512, 16 * 512));
		/* 7 for registers and command; 2 for each of 4 blocks, its status and its data; some at the end. */
		printf("%s of 64 sectors in 4 blocks: %lu exits\n", write ? "write" : "read", f.m.exits - before);
		assert_true(f.m.exits - before <= 7 + 4 * 2 + 4);
	}
	assert_null(ata_fixture_stop(&f));
}

/* Beside the data, a block costs the device a look at its status for each sector. */
static void test_device_accesses(void **state)
{
	struct ata_fixture f;

	(void)state;
	start(&f);
	uint64_t before = f.m.channel.reads;

	assert_true(guest_ata_read(&f.g, false, false, 100, 64, f.buffer));
	assert_true(f.m.channel.reads - before <= 64 * 4);
	before = f.m.channel.writes;
	assert_true(guest_ata_read(&f.g, true, false, 100, 64, f.buffer));
	/* The guest's, and twice as many as they were checked; the bus master's. */
	assert_true(f.m.channel.writes - before <= 3 * 7 + 8);
	assert_null(ata_fixture_stop(&f));
}

/* A command by DMA, access by access as Linux makes it (libata-sff.c). */
static void linux_dma(struct ata_fixture *f, bool write, bool wide, uint64_t lba, uint32_t count)
{
	struct guest_ata_command c = guest_ata_transfer(write, true, wide, lba, count);
	struct ata_piece piece = {(uint32_t)f->buffer, count * 512};
	struct guest_ata *g = &f->g;

	guest_ata_table(g, &piece, 1);
	guest_ata_load(g, &c);
	assert_int_equal(guest_ata_in(g, PORT_COMMAND) & (ST_BSY | ST_DRQ), 0);
	ata_machine_out(g->m, PORT_BM_PRD, 4, g->table);
	guest_ata_in(g, PORT_BM_COMMAND);
	guest_ata_bus_master(g, !write, false);
	guest_ata_out(g, PORT_COMMAND, c.opcode);
	guest_ata_in(g, PORT_CONTROL);
	assert_int_equal(guest_ata_in(g, PORT_BM_COMMAND), write ? 0 : BM_READS);
	guest_ata_bus_master(g, !write, true);
	while (!channel_take_interrupt(&f->m.channel))
		assert_true(channel_step(&f->m.channel));
	assert_int_equal(guest_ata_in(g, PORT_BM_STATUS) & (BM_INTR | BM_ERROR), BM_INTR);
	guest_ata_in(g, PORT_BM_COMMAND);
	guest_ata_bus_master(g, !write, false);
	guest_ata_in(g, PORT_CONTROL);
	guest_ata_in(g, PORT_CONTROL);
	assert_int_equal(guest_ata_in(g, PORT_COMMAND), ST_DRDY | ST_DSC);
	guest_ata_out(g, PORT_BM_STATUS, guest_ata_in(g, PORT_BM_STATUS));
}

/* No access is added to Linux's own. What they cost in exits: test_exit_run_ahead, and the machine case ata-exits. */
static void test_dma(void **state)
{
	struct ata_fixture f;

	(void)state;
	start(&f);
	for (unsigned way = 0; way < 4; way++)
		for (unsigned i = 0; i < 4; i++) {
			uint64_t before = f.m.exits, accesses = f.m.channel.reads + f.m.channel.writes;

			for (uint32_t at = 0; at < 64 * 512; at++)
				f.memory[at] = (uint8_t)random();
			linux_dma(&f, way & 1, way & 2, 100 + 64 * i, 64);
			if (!i)
				printf("%s of %s bits by DMA: %lu accesses, %lu of the device\n", way & 1 ? "write" : "read",
					way & 2 ? "48" : "28", f.m.exits - before, f.m.channel.reads + f.m.channel.writes - accesses);
			assert_true(f.m.exits - before <= (way & 2 ? 27 : 22));
			assert_true(f.m.channel.reads + f.m.channel.writes - accesses <= (way & 2 ? 80 : 56));
			assert_true(ata_fixture_holds(&f, 100 + 64 * i, 64, f.memory));
		}
	assert_null(ata_fixture_stop(&f));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pio),
		cmocka_unit_test(test_device_accesses),
		cmocka_unit_test(test_dma),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
