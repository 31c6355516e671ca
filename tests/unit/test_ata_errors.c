/* SPDX-License-Identifier: Apache-2.0 */
/* What is refused on ports, how the guest learns it, and that it goes on; resets in the midst of something. */
#include "storage/ata_commands/commands.h"
#include "tests/model/ata_table.h"
#include "tests/model/guest_ata.h"
#include "tests/model/layout.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define BUFFER	(256u * 1024)
#define SECTORS 4096u
#define GUARDED (SECTORS / 2)
/* Some bytes of a clear sector before the first volume. */
#define PINNED_LBA    20u
#define PINNED_OFFSET 100u
#define PINNED_BYTES  17u

struct fixture {
	struct ata_machine m;
	struct guest_ata g;
	uint64_t buffer;
	uint8_t *medium; /* as it was at the start */
	struct disk_pin pin;
};

static void start(struct fixture *f, bool polls)
{
	const struct ata_machine_options options = {.cipher_a = 4096, .sectors = SECTORS};

	memset(f, 0, sizeof(*f));
	ata_machine_init(&f->m, &options);
	assert_non_null(f->m.ata);
	guest_ata_start(&f->g, &f->m, 0, polls);
	f->buffer = ata_machine_ram(&f->m, BUFFER, 4096);
	f->medium = malloc(SECTORS * 512);
	memcpy(f->medium, f->m.disk[0].medium, SECTORS * 512);
	f->pin = (struct disk_pin){.lba = PINNED_LBA, .offset = PINNED_OFFSET, .bytes = PINNED_BYTES};
	memcpy(f->pin.value, f->medium + PINNED_LBA * 512 + PINNED_OFFSET, PINNED_BYTES);
	assert_int_equal(disk_map_pin(&f->m.map[0], &f->pin), 0);
}

static void stop(struct fixture *f)
{
	assert_int_equal(f->m.bus.faults, 0);
	assert_int_equal(f->m.disk[0].dangerous, 0);
	free(f->medium);
	ata_machine_free(&f->m);
}

static uint8_t *memory(struct fixture *f)
{
	return ata_machine_pointer(&f->m, f->buffer);
}

static void expect_medium_unchanged(struct fixture *f)
{
	assert_int_equal(memcmp(f->medium, f->m.disk[0].medium, SECTORS * 512), 0);
}

static void expect_works(struct fixture *f)
{
	uint8_t expected[512];

	ata_machine_plain(&f->m, 0, 99, 1, expected);
	for (int dma = 0; dma < 2; dma++) {
		memset(memory(f), 0, 512);
		assert_true(guest_ata_read(&f->g, dma, dma, 99, 1, f->buffer));
		assert_memory_equal(memory(f), expected, 512);
	}
}

static bool in_table(uint8_t opcode)
{
	for (unsigned i = 0; i < command_rule_count; i++)
		if (command_rules[i].opcode == opcode && command_rules[i].class != COMMAND_REFUSE &&
			command_rules[i].protocol != BY_QUEUE)
			return true;
	return false;
}

/* A command as its row in the table wants it; true when it ended well. */
static bool perform(struct fixture *f, uint8_t opcode, uint16_t features)
{
	const struct ata_row *row = ata_row(opcode);
	struct guest_ata_command c = {.opcode = opcode, .features = features, .count = 1, .lba = 80, .wide = row->wide};
	struct ata_piece piece = {(uint32_t)f->buffer, 512};

	if (opcode == 0xb0)
		c.lba = 0xc24f00;
	if (row->unit == ATA_LOG)
		c.lba = 0x03;
	if (opcode == 0xb0 && (features == 0xd0 || features == 0xd1 || features == 0xd5))
		return guest_ata_pio_in(&f->g, &c, memory(f), 512, 512);
	if (row->direction == ATA_NO_DATA)
		return guest_ata_plain(&f->g, &c);
	if (row->pio && row->direction == ATA_IN)
		return guest_ata_pio_in(&f->g, &c, memory(f), 512, 512);
	if (row->pio)
		return guest_ata_pio_out(&f->g, &c, memory(f), 512, 512);
	return guest_ata_dma(&f->g, &c, row->direction == ATA_IN, &piece, 1);
}

static void test_every_row(void **state)
{
	struct fixture f;

	(void)state;
	start(&f, false);
	for (unsigned i = 0; i < command_rule_count; i++) {
		const struct command_rule *rule = &command_rules[i];
		unsigned seen = f.m.disk[0].seen[rule->opcode];

		memset(memory(&f), 0, 512);
		bool well = perform(&f, rule->opcode, (uint16_t)(rule->feature < 0 ? 0 : rule->feature));

		if (rule->class == COMMAND_REFUSE || rule->protocol == BY_QUEUE) {
			assert_false(well);
			assert_int_equal(f.g.error, ATA_ABRT);
			assert_int_equal(f.m.disk[0].seen[rule->opcode], seen);
		} else if (rule->opcode != 0x08) {
			assert_true(well);
			assert_int_equal(f.m.disk[0].seen[rule->opcode], seen + 1);
		}
		expect_works(&f);
	}
	stop(&f);
}

static void test_every_other_opcode(void **state)
{
	struct fixture f;

	(void)state;
	start(&f, true);
	for (unsigned opcode = 0; opcode < 256; opcode++) {
		if (in_table((uint8_t)opcode) || opcode == 0x01)
			continue;
		assert_false(perform(&f, (uint8_t)opcode, 0));
		assert_int_equal(f.m.disk[0].seen[opcode], 0);
		assert_int_equal(f.g.error, ATA_ABRT);
		expect_works(&f);
	}
	/* A feature that no row names. */
	assert_false(perform(&f, 0xef, 0x66));
	assert_false(perform(&f, 0xb0, 0xd6));
	assert_int_equal(f.m.disk[0].seen[0xef] + f.m.disk[0].seen[0xb0], 0);
	/* CHS addressing names sectors that the map does not know. */
	guest_ata_out(&f.g, PORT_DEVICE, 0xa0);
	guest_ata_out(&f.g, PORT_COMMAND, 0x30);
	assert_false(guest_ata_wait(&f.g));
	assert_int_equal(f.g.error, ATA_ABRT);
	assert_int_equal(f.m.disk[0].seen[0x30], 0);
	expect_medium_unchanged(&f);
	stop(&f);
}

static void test_guarded(void **state)
{
	static const struct {
		uint64_t lba;
		uint32_t count;
	} spans[] = {{GUARDED, 1}, {GUARDED - 3, 4}, {GUARDED + 63, 9}, {GUARDED - 20, 110}};
	struct fixture f;

	(void)state;
	start(&f, false);
	for (unsigned way = 0; way < 4; way++) {
		for (unsigned i = 0; i < 4; i++) {
			assert_false(guest_ata_write(&f.g, way & 1, way & 2, spans[i].lba, spans[i].count, f.buffer));
			assert_int_equal(f.g.error, ATA_ABRT);
		}
		/* It may be read. */
		assert_true(guest_ata_read(&f.g, way & 1, way & 2, GUARDED, 1, f.buffer));
		assert_memory_equal(memory(&f), f.medium + GUARDED * 512, 512);
	}
	expect_medium_unchanged(&f);
	expect_works(&f);
	stop(&f);
}

/* Writes `count` sectors from PINNED_LBA - 3 on in the given way. */
static bool write_around_pin(struct fixture *f, unsigned way, uint32_t count, uint32_t multiple)
{
	struct guest_ata_command c = guest_ata_transfer(true, way == 0, way == 2, PINNED_LBA - 3, count);

	if (!multiple)
		return guest_ata_write(&f->g, way == 0, way == 2, PINNED_LBA - 3, count, f->buffer);
	c.opcode = way == 2 ? 0x39 : 0xc5;
	return guest_ata_pio_out(&f->g, &c, memory(f), count * 512, multiple * 512);
}

static void fill(struct fixture *f, uint32_t count, uint8_t value)
{
	memset(memory(f), value, count * 512);
	memcpy(memory(f) + 3 * 512 + PINNED_OFFSET, f->pin.value, PINNED_BYTES);
}

/* By DMA, and by PIO in blocks of 1, 2, 4 and 16 sectors: up to the block with the change all is written. */
static void test_pinned(void **state)
{
	struct fixture f;

	(void)state;
	for (unsigned polls = 0; polls < 2; polls++)
		for (unsigned way = 0; way < 3; way++)
			for (uint32_t multiple = 0; multiple <= (way ? 16 : 0); multiple = multiple ? 2 * multiple : 1) {
				struct guest_ata_command set = {.opcode = 0xc6, .count = (uint16_t)multiple};
				/* The map's clear sectors and, behind them, ciphertext. */
				const uint32_t count = 60;
				uint8_t *plain = malloc(count * 512);

				start(&f, polls);
				if (multiple)
					assert_true(guest_ata_plain(&f.g, &set));
				for (uint32_t at = PINNED_OFFSET; at < PINNED_OFFSET + PINNED_BYTES; at += PINNED_BYTES - 1) {
					fill(&f, count, 0x55);
					memory(&f)[3 * 512 + at] ^= 1;
					assert_false(write_around_pin(&f, way, count, multiple));
					assert_int_equal(f.g.error, ATA_ABRT);
					ata_machine_plain(&f.m, 0, PINNED_LBA, count - 3, plain);
					assert_memory_equal(plain, f.medium + PINNED_LBA * 512, 512);
					assert_null(memmem(plain, (count - 3) * 512, "UUUUUUUU", 8));
					assert_null(memmem(f.m.bus.arena, f.m.bus.arena_bytes, "UUUUUUUU", 8));
				}
				fill(&f, count, 0x66);
				assert_true(write_around_pin(&f, way, count, multiple));
				ata_machine_plain(&f.m, 0, PINNED_LBA - 3, count, plain);
				assert_memory_equal(plain, memory(&f), count * 512);
				assert_memory_not_equal(f.m.disk[0].medium + 70 * 512, memory(&f), 512);
				expect_works(&f);
				free(plain);
				stop(&f);
			}
}

/* Where nobody has told how large a block is, a write in blocks is refused there, and only there. */
static void test_pinned_unknown_block(void **state)
{
	struct fixture f;

	(void)state;
	start(&f, false);
	fill(&f, 32, 0x66);
	assert_false(write_around_pin(&f, 1, 32, 16));
	assert_int_equal(f.g.error, ATA_ABRT);
	expect_medium_unchanged(&f);
	/* A block size that the drive refuses is none. */
	assert_false(guest_ata_plain(&f.g, &(struct guest_ata_command){.opcode = 0xc6, .count = 3}));
	assert_false(write_around_pin(&f, 1, 32, 16));
	assert_true(guest_ata_plain(&f.g, &(struct guest_ata_command){.opcode = 0xc6, .count = 16}));
	assert_true(write_around_pin(&f, 1, 32, 16));
	assert_true(guest_ata_reset(&f.g));
	assert_false(write_around_pin(&f, 1, 32, 16));
	stop(&f);
}

static bool trim(struct fixture *f, uint64_t lba, uint64_t count, uint32_t blocks)
{
	struct guest_ata_command c = {.opcode = 0x06, .features = 1, .count = (uint16_t)blocks, .wide = true};
	struct ata_piece piece = {(uint32_t)f->buffer, 512};
	uint64_t range = lba | count << 48;

	memset(memory(f), 0, 512);
	memcpy(memory(f) + 8, &range, 8);
	return guest_ata_dma(&f->g, &c, false, &piece, 1);
}

static void test_trim(void **state)
{
	uint8_t zeroes[4096] = {0};
	struct fixture f;

	(void)state;
	start(&f, false);
	assert_false(trim(&f, GUARDED - 1, 2, 1));
	assert_false(trim(&f, PINNED_LBA, 1, 1));
	/* More blocks than there is memory for, or than are taken. */
	assert_false(trim(&f, 100, 8, 2));
	assert_false(trim(&f, 100, 8, 129));
	assert_false(trim(&f, 100, 8, 0));
	expect_medium_unchanged(&f);
	/* Cut to whole cipher sectors, which begin at multiples of 8 here. */
	assert_true(trim(&f, 65, 18, 1));
	assert_memory_equal(f.m.disk[0].medium + 72 * 512, zeroes, 4096);
	assert_memory_equal(f.m.disk[0].medium + 64 * 512, f.medium + 64 * 512, 4096);
	assert_memory_equal(f.m.disk[0].medium + 80 * 512, f.medium + 80 * 512, 4096);
	expect_works(&f);
	stop(&f);
}

static void test_identify(void **state)
{
	struct guest_ata_command c = {.opcode = 0xec};
	uint8_t sum = 0;
	struct fixture f;
	const uint16_t *word;

	(void)state;
	for (int by_words = 0; by_words < 2; by_words++) {
		start(&f, false);
		f.g.by_words = by_words;
		assert_true(guest_ata_pio_in(&f.g, &c, memory(&f), 512, 512));
		word = (const uint16_t *)memory(&f);
		assert_int_equal(word[60], SECTORS);
		assert_int_equal(word[82] & 0x0402, 0);	   /* security, host protected area */
		assert_int_equal(word[83] & 1 << 10, 1 << 10); /* 48-bit */
		assert_int_equal(word[69] & 0x4020, 0);
		sum = 0;
		for (int i = 0; i < 512; i++)
			sum = (uint8_t)(sum + memory(&f)[i]);
		assert_int_equal(sum, 0);
		stop(&f);
	}
}

/* The drive fails: its status and error are the guest's, and nothing is decrypted. */
static void test_media_error(void **state)
{
	struct fixture f;

	(void)state;
	start(&f, false);
	f.m.disk[0].bad_lba = 105;
	for (int dma = 0; dma < 2; dma++) {
		memset(memory(&f), 0x31, 8192);
		assert_false(guest_ata_read(&f.g, dma, false, 100, 16, f.buffer));
		assert_int_equal(f.g.error, ATA_UNC);
		for (int i = 0; i < 8192; i++)
			assert_int_equal(memory(&f)[i], 0x31);
		assert_false(guest_ata_write(&f.g, dma, true, 100, 16, f.buffer));
		assert_int_equal(f.g.error, ATA_UNC);
		assert_false(guest_ata_read(&f.g, dma, true, SECTORS - 1, 2, f.buffer));
		assert_int_equal(f.g.error, ATA_IDNF);
	}
	expect_medium_unchanged(&f);
	expect_works(&f);
	stop(&f);
}

/* Flushes reach the drive, in their place. */
static void test_flush(void **state)
{
	struct fixture f;

	(void)state;
	start(&f, false);
	assert_true(guest_ata_plain(&f.g, &(struct guest_ata_command){.opcode = 0xe7}));
	assert_true(guest_ata_plain(&f.g, &(struct guest_ata_command){.opcode = 0xea}));
	assert_int_equal(f.m.disk[0].flushes, 2);
	stop(&f);
}

/* ---- resets ------------------------------------------------------------------------------------------------- */

/* Leaves a transfer half done. */
static void begin_half(struct fixture *f, unsigned what)
{
	struct guest_ata_command c = guest_ata_transfer(what & 1, what & 2, false, 100, 8);
	struct ata_piece piece = {(uint32_t)f->buffer, 4096};

	if (what >= 4) /* touches pinned bytes: gathered */
		c = guest_ata_transfer(true, false, false, PINNED_LBA - 1, 8);
	memset(memory(f), 0x44, 4096);
	guest_ata_table(&f->g, &piece, 1);
	ata_machine_out(&f->m, PORT_BM_PRD, 4, f->g.table);
	guest_ata_load(&f->g, &c);
	guest_ata_out(&f->g, PORT_COMMAND, c.opcode);
	if (what >= 4) {
		ata_machine_outs(&f->m, memory(f), 512 + 100);
	} else if (what & 2) {
		guest_ata_bus_master(&f->g, !(what & 1), true);
	} else {
		while (guest_ata_in(&f->g, PORT_CONTROL) & ST_BSY)
			;
		for (int i = 0; i < 300; i++)
			if (what & 1)
				ata_machine_out(&f->m, PORT_DATA, 2, 0x4444);
			else
				ata_machine_in(&f->m, PORT_DATA, 2);
		while (guest_ata_in(&f->g, PORT_CONTROL) & ST_BSY)
			;
		for (int i = 0; i < 20; i++)
			if (what & 1)
				ata_machine_out(&f->m, PORT_DATA, 2, 0x4444);
			else
				ata_machine_in(&f->m, PORT_DATA, 2);
	}
}

static void test_reset_in_transfer(void **state)
{
	struct fixture f;
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
			assert_null(memmem(f.m.bus.arena, f.m.bus.arena_bytes, "DDDDDDDD", 8));
			if (what == 1) {
				ata_machine_plain(&f.m, 0, 101, 1, plain);
				assert_memory_not_equal(plain, memory(&f), 512);
			}
			/* A data register that nobody serves any more. */
			assert_int_equal(ata_machine_in(&f.m, PORT_DATA, 2), 0xffff);
			ata_machine_out(&f.m, PORT_DATA, 4, 0);
			expect_works(&f);
			stop(&f);
		}
}

/* The bus master is stopped in the midst; only a reset gets the drive back. */
static void test_stop_in_dma(void **state)
{
	struct fixture f;

	(void)state;
	for (unsigned what = 2; what < 4; what++) {
		start(&f, false);
		begin_half(&f, what);
		guest_ata_bus_master(&f.g, what == 2, false);
		/* Started again: the drive is given nothing. */
		guest_ata_bus_master(&f.g, what == 2, true);
		assert_false(guest_ata_wait(&f.g));
		assert_int_equal(memory(&f)[0], 0x44);
		assert_true(guest_ata_reset(&f.g));
		expect_medium_unchanged(&f);
		expect_works(&f);
		stop(&f);
	}
}

static void test_diagnostic(void **state)
{
	struct fixture f;

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
	expect_works(&f);
	stop(&f);
}

/* After it nothing moves any more. */
static void test_quiesce(void **state)
{
	struct fixture f;

	(void)state;
	for (unsigned what = 0; what < 5; what++) {
		start(&f, false);
		/* Of clear sectors what was written stays for a while. */
		fill(&f, 32, 0x44);
		assert_true(write_around_pin(&f, 0, 32, 0));
		assert_non_null(memmem(f.m.bus.arena, f.m.bus.arena_bytes, "DDDDDDDD", 8));
		memcpy(f.medium, f.m.disk[0].medium, SECTORS * 512);
		begin_half(&f, what);
		ata_quiesce(f.m.ata);
		assert_int_equal(f.m.channel.bm_command & BM_RUN, 0);
		assert_null(memmem(f.m.bus.arena, f.m.bus.arena_bytes, "DDDDDDDD", 8));
		memset(memory(&f), 0x46, 512);
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
	ata_machine_init(&m, &(struct ata_machine_options){.arena_bytes = ata_arena_bytes() - 4096});
	assert_null(m.ata);
	ata_machine_free(&m);
	ata_machine_init(&m, &(struct ata_machine_options){.high_arena = true});
	assert_null(m.ata);
	ata_machine_free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_row),
		cmocka_unit_test(test_every_other_opcode),
		cmocka_unit_test(test_guarded),
		cmocka_unit_test(test_pinned),
		cmocka_unit_test(test_pinned_unknown_block),
		cmocka_unit_test(test_trim),
		cmocka_unit_test(test_identify),
		cmocka_unit_test(test_media_error),
		cmocka_unit_test(test_flush),
		cmocka_unit_test(test_reset_in_transfer),
		cmocka_unit_test(test_stop_in_dma),
		cmocka_unit_test(test_diagnostic),
		cmocka_unit_test(test_quiesce),
		cmocka_unit_test(test_start_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
