/* SPDX-License-Identifier: Apache-2.0 */
/* Transfers that a reset, the bus master's stop or the machine's end cuts off; the start, and what refuses it. */
#include "tests/model/ata_fixture.h"
#include "tests/model/layout.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define SECTORS 4096u

static void start(struct ata_fixture *f, bool polls)
{
	assert_true(ata_fixture_start(f, &(struct ata_machine_options){.cipher_a = 4096, .sectors = SECTORS}, polls));
	ata_fixture_pin(f);
}

static void stop(struct ata_fixture *f)
{
	assert_null(ata_fixture_stop(f));
}

static void words(struct ata_fixture *f, bool write, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (write)
			ata_machine_out(&f->m, PORT_DATA, 2, 0x4444);
		else
			ata_machine_in(&f->m, PORT_DATA, 2);
}

/* Leaves a transfer half done. */
static void begin_half(struct ata_fixture *f, unsigned what)
{
	struct guest_ata_command c = guest_ata_transfer(what & 1, what & 2, false, 100, 8);
	struct ata_piece piece = {(uint32_t)f->buffer, 4096};

	if (what >= 4) /* touches pinned bytes: gathered */
		c = guest_ata_transfer(true, false, false, PINNED_LBA - 1, 8);
	memset(f->memory, 0x44, 4096);
	guest_ata_table(&f->g, &piece, 1);
	ata_machine_out(&f->m, PORT_BM_PRD, 4, f->g.table);
	guest_ata_load(&f->g, &c);
	guest_ata_out(&f->g, PORT_COMMAND, c.opcode);
	if (what >= 4) {
		ata_machine_outs(&f->m, f->memory, 512 + 100);
	} else if (what & 2) {
		guest_ata_bus_master(&f->g, !(what & 1), true);
	} else {
		while (guest_ata_in(&f->g, PORT_CONTROL) & ST_BSY)
			;
		words(f, what & 1, 300);
		while (guest_ata_in(&f->g, PORT_CONTROL) & ST_BSY)
			;
		words(f, what & 1, 20);
	}
}

static void test_reset_in_transfer(void **state)
{
	struct ata_fixture f;
	uint8_t plain[512];

	(void)state;
	for (unsigned what = 0; what < 5; what++)
		for (unsigned polls = 0; polls < 2; polls++) {
			start(&f, polls);
			begin_half(&f, what);
			assert_true(guest_ata_reset(&f.g));
			/* Nothing of the piece that was not complete. */
			assert_null(memmem(f.m.disk[0].medium + LAYOUT_A_FIRST * 512, (SECTORS - 2 * 64) * 512, "DDDDDDDD", 8));
			assert_int_equal(f.m.disk[0].medium[PINNED_LBA * 512], f.medium[PINNED_LBA * 512]);
			assert_false(ata_fixture_keeps(&f, "DDDDDDDD", 8));
			if (what == 1) {
				ata_machine_plain(&f.m, 0, 101, 1, plain);
				assert_memory_not_equal(plain, f.memory, 512);
			}
			/* A data register that nobody serves any more. */
			assert_int_equal(ata_machine_in(&f.m, PORT_DATA, 2), 0xffff);
			ata_machine_out(&f.m, PORT_DATA, 4, 0);
			assert_true(ata_fixture_works(&f));
			stop(&f);
		}
}

/* The bus master is stopped in the midst; only a reset gets the drive back. */
static void test_stop_in_dma(void **state)
{
	struct ata_fixture f;

	(void)state;
	for (unsigned what = 2; what < 4; what++) {
		start(&f, false);
		begin_half(&f, what);
		guest_ata_bus_master(&f.g, what == 2, false);
		/* Started again: the drive is given nothing. */
		guest_ata_bus_master(&f.g, what == 2, true);
		assert_false(guest_ata_wait(&f.g));
		assert_int_equal(f.memory[0], 0x44);
		assert_true(guest_ata_reset(&f.g));
		assert_true(ata_fixture_unchanged(&f));
		assert_true(ata_fixture_works(&f));
		stop(&f);
	}
}

static void test_diagnostic(void **state)
{
	struct ata_fixture f;

	(void)state;
	start(&f, false);
	f.g.drive = 1;
	guest_ata_select(&f.g);
	guest_ata_out(&f.g, PORT_COMMAND, 0x90);
	assert_true(guest_ata_wait(&f.g));
	/* Drive 0 is selected now: its own rules hold, though nobody has written Device. */
	assert_int_equal(guest_ata_in(&f.g, PORT_DEVICE) & 0x10, 0);
	guest_ata_out(&f.g, PORT_COMMAND, 0xf4);
	f.g.drive = 0;
	assert_false(guest_ata_wait(&f.g));
	assert_true(ata_fixture_works(&f));
	stop(&f);
}

/* After it nothing moves any more. */
static void test_quiesce(void **state)
{
	struct ata_fixture f;

	(void)state;
	for (unsigned what = 0; what < 5; what++) {
		start(&f, false);
		/* Of clear sectors what was written stays for a while. */
		memset(f.memory, 0x44, 4096);
		memcpy(f.memory + PINNED_OFFSET, f.pin.value, PINNED_BYTES);
		assert_true(guest_ata_write(&f.g, true, false, PINNED_LBA, 8, f.buffer));
		assert_true(ata_fixture_keeps(&f, "DDDDDDDD", 8));
		memcpy(f.medium, f.m.disk[0].medium, SECTORS * 512);
		begin_half(&f, what);
		ata_quiesce(f.m.ata);
		assert_int_equal(f.m.channel.bm_command & BM_RUN, 0);
		assert_false(ata_fixture_keeps(&f, "DDDDDDDD", 8));
		memset(f.memory, 0x46, 512);
		assert_false(guest_ata_write(&f.g, what & 1, false, 10, 1, f.buffer));
		assert_memory_equal(f.m.disk[0].medium + 10 * 512, f.medium + 10 * 512, 512);
		stop(&f);
	}
}

static void test_start_refused(void **state)
{
	struct ata_machine m;

	(void)state;
	ata_machine_init(&m, &(struct ata_machine_options){.stuck = true});
	assert_null(m.ata);
	ata_machine_free(&m);
	ata_machine_init(&m, &(struct ata_machine_options){.arena_bytes = ata_arena_bytes(ATA_LEAST_WRITE) - 4096});
	assert_null(m.ata);
	ata_machine_free(&m);
	/* An empty channel is no busy drive, and is not waited for. */
	ata_machine_init(&m, &(struct ata_machine_options){.second = SECOND_NOBODY});
	m.channel.drive[0] = (struct channel_drive){0};
	m.channel.reads = 0;
	assert_non_null(ata_init(&(struct ata_config){
		.env = &m.env, .name = "ata", .arena = m.bus.arena, .arena_bytes = m.bus.arena_bytes}));
	assert_true(m.channel.reads < 10);
	ata_machine_free(&m);
	ata_machine_init(&m, &(struct ata_machine_options){.high_arena = true});
	assert_null(m.ata);
	ata_machine_free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reset_in_transfer),
		cmocka_unit_test(test_stop_in_dma),
		cmocka_unit_test(test_diagnostic),
		cmocka_unit_test(test_quiesce),
		cmocka_unit_test(test_start_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
