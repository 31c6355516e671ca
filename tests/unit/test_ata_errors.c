/* SPDX-License-Identifier: Apache-2.0 */
/* What is refused on ports, how the guest learns it, and that it goes on. */
#include "storage/ata_commands/commands.h"
#include "tests/model/ata_table.h"
#include "tests/model/ata_fixture.h"
#include "tests/model/layout.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define SECTORS 4096u
#define GUARDED (SECTORS / 2)

static void start(struct ata_fixture *f, bool polls)
{
	assert_true(ata_fixture_start(f, &(struct ata_machine_options){.cipher_a = 4096, .sectors = SECTORS}, polls));
	ata_fixture_pin(f);
}

static void stop(struct ata_fixture *f)
{
	assert_null(ata_fixture_stop(f));
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
static bool perform(struct ata_fixture *f, uint8_t opcode, uint16_t features)
{
	const struct ata_row *row = ata_row(opcode);
	struct guest_ata_command c = {.opcode = opcode, .features = features, .count = 1, .lba = 80, .wide = row->wide};
	struct ata_piece piece = {(uint32_t)f->buffer, 512};

	if (opcode == 0xb0)
		c.lba = 0xc24f00;
	if (row->unit == ATA_LOG)
		c.lba = 0x03;
	if (opcode == 0xb0 && (features == 0xd0 || features == 0xd1 || features == 0xd5))
		return guest_ata_pio_in(&f->g, &c, f->memory, 512, 512);
	if (row->direction == ATA_NO_DATA)
		return guest_ata_plain(&f->g, &c);
	if (row->pio && row->direction == ATA_IN)
		return guest_ata_pio_in(&f->g, &c, f->memory, 512, 512);
	if (row->pio)
		return guest_ata_pio_out(&f->g, &c, f->memory, 512, 512);
	return guest_ata_dma(&f->g, &c, row->direction == ATA_IN, &piece, 1);
}

static void test_every_row(void **state)
{
	struct ata_fixture f;

	(void)state;
	start(&f, false);
	for (unsigned i = 0; i < command_rule_count; i++) {
		const struct command_rule *rule = &command_rules[i];
		unsigned seen = f.m.disk[0].seen[rule->opcode];

		memset(f.memory, 0, 512);
		bool well = perform(&f, rule->opcode, (uint16_t)(rule->feature < 0 ? 0 : rule->feature));

		if (rule->class == COMMAND_REFUSE || rule->protocol == BY_QUEUE) {
			assert_false(well);
			assert_int_equal(f.g.error, ATA_ABRT);
			assert_int_equal(f.m.disk[0].seen[rule->opcode], seen);
		} else if (rule->opcode != 0x08) {
			assert_true(well);
			assert_int_equal(f.m.disk[0].seen[rule->opcode], seen + 1);
		}
		assert_true(ata_fixture_works(&f));
	}
	stop(&f);
}

static void test_every_other_opcode(void **state)
{
	struct ata_fixture f;

	(void)state;
	start(&f, true);
	for (unsigned opcode = 0; opcode < 256; opcode++) {
		if (in_table((uint8_t)opcode) || opcode == 0x01)
			continue;
		assert_false(perform(&f, (uint8_t)opcode, 0));
		assert_int_equal(f.m.disk[0].seen[opcode], 0);
		assert_int_equal(f.g.error, ATA_ABRT);
		assert_true(ata_fixture_works(&f));
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
	assert_true(ata_fixture_unchanged(&f));
	stop(&f);
}

static void test_guarded(void **state)
{
	static const struct {
		uint64_t lba;
		uint32_t count;
	} spans[] = {{GUARDED, 1}, {GUARDED - 3, 4}, {GUARDED + 63, 9}, {GUARDED - 20, 110}};
	struct ata_fixture f;

	(void)state;
	start(&f, false);
	for (unsigned way = 0; way < 4; way++) {
		for (unsigned i = 0; i < 4; i++) {
			assert_false(guest_ata_write(&f.g, way & 1, way & 2, spans[i].lba, spans[i].count, f.buffer));
			assert_int_equal(f.g.error, ATA_ABRT);
		}
		/* It may be read. */
		assert_true(guest_ata_read(&f.g, way & 1, way & 2, GUARDED, 1, f.buffer));
		assert_memory_equal(f.memory, f.medium + GUARDED * 512, 512);
	}
	assert_true(ata_fixture_unchanged(&f));
	assert_true(ata_fixture_works(&f));
	stop(&f);
}

static bool trim(struct ata_fixture *f, uint64_t lba, uint64_t count, uint32_t blocks)
{
	struct guest_ata_command c = {.opcode = 0x06, .features = 1, .count = (uint16_t)blocks, .wide = true};
	/* Too short a table for 2 blocks; long enough for 129. */
	struct ata_piece piece[2] = {{(uint32_t)f->buffer, blocks > 2 ? 65536 : 512}, {(uint32_t)f->buffer, 512}};
	uint64_t range = lba | count << 48;

	memset(f->memory, 0, 512);
	memcpy(f->memory + 8, &range, 8);
	return guest_ata_dma(&f->g, &c, false, piece, blocks > 2 ? 2 : 1);
}

static void test_trim(void **state)
{
	uint8_t zeroes[4096] = {0};
	struct ata_fixture f;

	(void)state;
	start(&f, false);
	assert_false(trim(&f, GUARDED - 1, 2, 1));
	assert_false(trim(&f, PINNED_LBA, 1, 1));
	/* More blocks than there is memory for, or than are taken. */
	assert_false(trim(&f, 100, 8, 2));
	assert_false(trim(&f, 100, 8, 129));
	assert_false(trim(&f, 100, 8, 0));
	assert_true(ata_fixture_unchanged(&f));
	/* Cut to whole cipher sectors, which begin at multiples of 8 here. */
	assert_true(trim(&f, 65, 18, 1));
	assert_memory_equal(f.m.disk[0].medium + 72 * 512, zeroes, 4096);
	assert_memory_equal(f.m.disk[0].medium + 64 * 512, f.medium + 64 * 512, 4096);
	assert_memory_equal(f.m.disk[0].medium + 80 * 512, f.medium + 80 * 512, 4096);
	assert_true(ata_fixture_works(&f));
	stop(&f);
}

static void test_identify(void **state)
{
	struct guest_ata_command c = {.opcode = 0xec};
	uint8_t sum = 0;
	struct ata_fixture f;
	const uint16_t *word;

	(void)state;
	for (int by_words = 0; by_words < 2; by_words++) {
		start(&f, false);
		f.g.by_words = by_words;
		assert_true(guest_ata_pio_in(&f.g, &c, f.memory, 512, 512));
		word = (const uint16_t *)f.memory;
		assert_int_equal(word[60], SECTORS);
		for (unsigned enabled = 0; enabled < 6; enabled += 3) {
			/* Security, host protected area, buffers; queues; the same with FUA. What is left is there. */
			assert_int_equal(word[82 + enabled] & 0x3402, 0);
			assert_int_equal(word[82 + enabled] & 0x4069, 0x4069);
			assert_int_equal(word[83 + enabled] & 0x0903, 0);
			assert_int_equal(word[83 + enabled] & 0x7460, 0x7460); /* 48-bit, FLUSH CACHE EXT */
			assert_int_equal(word[84 + enabled] & 0x0090, 0);
			assert_int_equal(word[84 + enabled] & 0x416b, 0x416b);
		}
		assert_int_equal(word[69] & 0x4020, 0);
		sum = 0;
		for (int i = 0; i < 512; i++)
			sum = (uint8_t)(sum + f.memory[i]);
		assert_int_equal(sum, 0);
		stop(&f);
	}
}

/* The drive fails: its status and error are the guest's, and what it has read before the bad sector is decrypted. */
static void test_media_error(void **state)
{
	struct ata_fixture f;

	(void)state;
	start(&f, false);
	f.m.disk[0].bad_lba = 105;
	for (int dma = 0; dma < 2; dma++) {
		for (int wide = 0; wide < 2; wide++) {
			memset(f.memory, 0x31, 8192);
			assert_false(guest_ata_read(&f.g, dma, wide, 100, 16, f.buffer));
			assert_int_equal(f.g.error, ATA_UNC);
			assert_int_equal(guest_ata_in(&f.g, PORT_LBA_LOW), 105);
			assert_true(ata_fixture_holds(&f, 100, 5, f.memory));
		}
		assert_false(guest_ata_write(&f.g, dma, true, 100, 16, f.buffer));
		assert_int_equal(f.g.error, ATA_UNC);
		assert_false(guest_ata_read(&f.g, dma, true, SECTORS - 1, 2, f.buffer));
		assert_int_equal(f.g.error, ATA_IDNF);
	}
	assert_true(ata_fixture_unchanged(&f));
	assert_true(ata_fixture_works(&f));
	stop(&f);
}

/* A drive that ends a write before the guest has written it all is given no more. */
static void test_ended_early(void **state)
{
	struct guest_ata_command c = guest_ata_transfer(true, false, false, 100, 2);
	struct ata_fixture f;

	(void)state;
	start(&f, false);
	guest_ata_load(&f.g, &c);
	guest_ata_out(&f.g, PORT_COMMAND, c.opcode);
	while (guest_ata_in(&f.g, PORT_CONTROL) & ST_BSY)
		;
	ata_machine_outs(&f.m, f.memory, 100);
	drive_drop(&f.m.channel.drive[0]);
	f.m.channel.drive[0].status = ST_DRDY | ST_DSC | ST_ERR;
	ata_machine_outs(&f.m, f.memory, 924);
	assert_int_equal(guest_ata_in(&f.g, PORT_COMMAND), ST_DRDY | ST_DSC | ST_ERR);
	assert_true(ata_fixture_works(&f));
	stop(&f);
}

/* Flushes reach the drive, in their place. */
static void test_flush(void **state)
{
	struct ata_fixture f;

	(void)state;
	start(&f, false);
	assert_true(guest_ata_plain(&f.g, &(struct guest_ata_command){.opcode = 0xe7}));
	assert_true(guest_ata_plain(&f.g, &(struct guest_ata_command){.opcode = 0xea}));
	assert_int_equal(f.m.disk[0].flushes, 2);
	stop(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_row),
		cmocka_unit_test(test_every_other_opcode),
		cmocka_unit_test(test_guarded),
		cmocka_unit_test(test_trim),
		cmocka_unit_test(test_identify),
		cmocka_unit_test(test_media_error),
		cmocka_unit_test(test_ended_early),
		cmocka_unit_test(test_flush),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
