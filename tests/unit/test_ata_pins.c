/* SPDX-License-Identifier: Apache-2.0 */
/* Writes that touch pinned bytes: by PIO they are gathered; those that change them are refused. */
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

/* Writes `count` sectors from PINNED_LBA - 3 on in the given way. */
static bool write_around_pin(struct ata_fixture *f, unsigned way, uint32_t count, uint32_t multiple)
{
	struct guest_ata_command c = guest_ata_transfer(true, way == 0, way == 2, PINNED_LBA - 3, count);

	if (!multiple)
		return guest_ata_write(&f->g, way == 0, way == 2, PINNED_LBA - 3, count, f->buffer);
	c.opcode = way == 2 ? 0x39 : 0xc5;
	return guest_ata_pio_out(&f->g, &c, f->memory, count * 512, multiple * 512);
}

static void fill(struct ata_fixture *f, uint32_t count, uint8_t value)
{
	memset(f->memory, value, count * 512);
	memcpy(f->memory + 3 * 512 + PINNED_OFFSET, f->pin.value, PINNED_BYTES);
}

/* By DMA, and by PIO in blocks of 1, 2, 4 and 16 sectors: up to the block with the change all is written. */
static void test_pinned(void **state)
{
	struct ata_fixture f;

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
					f.memory[3 * 512 + at] ^= 1;
					assert_false(write_around_pin(&f, way, count, multiple));
					assert_int_equal(f.g.error, ATA_ABRT);
					ata_machine_plain(&f.m, 0, PINNED_LBA, count - 3, plain);
					assert_memory_equal(plain, f.medium + PINNED_LBA * 512, 512);
					assert_null(memmem(plain, (count - 3) * 512, "UUUUUUUU", 8));
					assert_false(ata_fixture_keeps(&f, "UUUUUUUU", 8));
				}
				fill(&f, count, 0x66);
				assert_true(write_around_pin(&f, way, count, multiple));
				ata_machine_plain(&f.m, 0, PINNED_LBA - 3, count, plain);
				assert_memory_equal(plain, f.memory, count * 512);
				assert_memory_not_equal(f.m.disk[0].medium + 70 * 512, f.memory, 512);
				assert_true(ata_fixture_works(&f));
				free(plain);
				stop(&f);
			}
}

/* Where nobody has told how large a block is, a write in blocks is refused there, and only there. */
static void test_pinned_unknown_block(void **state)
{
	struct ata_fixture f;
	uint8_t data[512];

	(void)state;
	start(&f, false);
	fill(&f, 32, 0x66);
	assert_false(write_around_pin(&f, 1, 32, 16));
	assert_int_equal(f.g.error, ATA_ABRT);
	assert_true(ata_fixture_unchanged(&f));
	/* A block size that the drive refuses is none. */
	assert_false(guest_ata_plain(&f.g, &(struct guest_ata_command){.opcode = 0xc6, .count = 3}));
	assert_false(write_around_pin(&f, 1, 32, 16));
	assert_int_equal(f.g.error, ATA_ABRT);
	assert_true(ata_fixture_unchanged(&f));
	assert_true(guest_ata_plain(&f.g, &(struct guest_ata_command){.opcode = 0xc6, .count = 16}));
	assert_true(write_around_pin(&f, 1, 32, 16));
	memcpy(f.medium, f.m.disk[0].medium, SECTORS * 512);
	memset(f.memory, 0x67, 512);
	/* IDENTIFY tells it as well. A size of 0 is none, and the drive does not take writes in blocks then. */
	assert_true(guest_ata_reset(&f.g));
	assert_true(guest_ata_pio_in(&f.g, &(struct guest_ata_command){.opcode = 0xec}, data, 512, 512));
	memset(f.memory, 0x68, 512);
	assert_true(write_around_pin(&f, 1, 32, 16));
	memcpy(f.medium, f.m.disk[0].medium, SECTORS * 512);
	assert_true(guest_ata_plain(&f.g, &(struct guest_ata_command){.opcode = 0xc6, .count = 0}));
	memset(f.memory, 0x67, 512);
	assert_false(write_around_pin(&f, 1, 32, 16));
	assert_true(guest_ata_pio_in(&f.g, &(struct guest_ata_command){.opcode = 0xec}, data, 512, 512));
	assert_false(write_around_pin(&f, 1, 32, 16));
	assert_int_equal(f.g.error, ATA_ABRT);
	assert_int_equal(f.m.disk[0].seen[0xc5], 4);
	/* Both kinds of reset forget it. */
	assert_true(guest_ata_reset(&f.g));
	assert_false(write_around_pin(&f, 1, 32, 16));
	assert_int_equal(f.g.error, ATA_ABRT);
	assert_true(guest_ata_plain(&f.g, &(struct guest_ata_command){.opcode = 0xc6, .count = 16}));
	assert_true(guest_ata_plain(&f.g, &(struct guest_ata_command){.opcode = 0x90}));
	assert_false(write_around_pin(&f, 1, 32, 16));
	assert_int_equal(f.g.error, ATA_ABRT);
	assert_true(ata_fixture_unchanged(&f));
	stop(&f);
}

/*
 * A gathered block's end by interrupt: whichever Status the guest looks at first, it
 * is asked for the next block, and a read of Status itself acknowledges.
 */
static void test_gathered_status(void **state)
{
	struct guest_ata_command c = guest_ata_transfer(true, false, false, PINNED_LBA - 1, 2);
	struct ata_fixture f;

	(void)state;
	for (unsigned first = 0; first < 2; first++) {
		start(&f, false);
		memcpy(f.memory + 512 + PINNED_OFFSET, f.pin.value, PINNED_BYTES);
		guest_ata_load(&f.g, &c);
		guest_ata_out(&f.g, PORT_COMMAND, c.opcode);
		assert_int_equal(guest_ata_in(&f.g, PORT_COMMAND) & (ST_BSY | ST_DRQ), ST_DRQ);
		ata_machine_outs(&f.m, f.memory, 512);
		while (!channel_take_interrupt(&f.m.channel))
			assert_true(channel_step(&f.m.channel));
		if (first)
			assert_int_equal(guest_ata_in(&f.g, PORT_CONTROL) & (ST_BSY | ST_DRQ), ST_DRQ);
		assert_true(f.m.channel.line);
		assert_int_equal(guest_ata_in(&f.g, PORT_COMMAND) & (ST_BSY | ST_DRQ), ST_DRQ);
		assert_false(f.m.channel.line);
		ata_machine_outs(&f.m, f.memory + 512, 512);
		assert_true(guest_ata_wait(&f.g));
		assert_true(ata_fixture_holds(&f, PINNED_LBA - 1, 2, f.memory));
		stop(&f);
	}
}

/* The second block of a gathered write fails. */
static void test_gathered_error(void **state)
{
	struct ata_fixture f;

	(void)state;
	start(&f, false);
	f.m.disk[0].bad_lba = PINNED_LBA - 2;
	fill(&f, 8, 0x31);
	assert_false(write_around_pin(&f, 1, 8, 0));
	assert_int_equal(f.g.error, ATA_UNC);
	assert_true(ata_fixture_holds(&f, PINNED_LBA - 2, 4, f.medium + (PINNED_LBA - 2) * 512));
	assert_true(ata_fixture_works(&f));
	stop(&f);
}

/* A drive whose blocks are smaller than it has said is given no more than it asks for. */
static void test_gathered_short_block(void **state)
{
	struct ata_fixture f;

	(void)state;
	start(&f, false);
	assert_true(guest_ata_plain(&f.g, &(struct guest_ata_command){.opcode = 0xc6, .count = 16}));
	f.m.disk[0].multiple = 2;
	fill(&f, 16, 0x69);
	assert_false(write_around_pin(&f, 1, 16, 16));
	assert_false(ata_fixture_keeps(&f, "iiiiiiii", 8));
	assert_true(guest_ata_reset(&f.g));
	assert_true(ata_fixture_works(&f));
	stop(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pinned),
		cmocka_unit_test(test_pinned_unknown_block),
		cmocka_unit_test(test_gathered_status),
		cmocka_unit_test(test_gathered_error),
		cmocka_unit_test(test_gathered_short_block),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
