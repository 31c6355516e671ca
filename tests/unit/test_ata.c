/* SPDX-License-Identifier: Apache-2.0 */
/* Sectors through the ATA mediator as a driver moves them: PIO and DMA, both widths, polling and interrupts. */
#include "tests/model/ata_fixture.h"
#include "tests/model/layout.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

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

/* Places that matter: within and across the ranges of the map, and within a cipher sector. */
static const struct {
	uint64_t lba;
	uint32_t count;
} spans[] = {{70, 1}, {64, 8}, {62, 5}, {67, 3}, {69, 20}, {2040, 30}, {2170, 40}, {3, 2}, {4030, 10}, {64, 200}};

#define SPANS (sizeof(spans) / sizeof(spans[0]))

static void read_spans(struct ata_fixture *f, bool dma, bool wide)
{
	for (unsigned i = 0; i < SPANS; i++) {
		memset(f->memory, 0x77, ATA_FIXTURE_BUFFER);
		assert_true(guest_ata_read(&f->g, dma, wide, spans[i].lba, spans[i].count, f->buffer));
		assert_true(ata_fixture_shows(f, spans[i].lba, spans[i].count));
		assert_int_equal(f->memory[spans[i].count * f->m.disk[0].lba_size], 0x77);
	}
}

static void write_spans(struct ata_fixture *f, bool dma, bool wide)
{
	uint32_t size = f->m.disk[0].lba_size;

	for (unsigned i = 0; i < SPANS; i++) {
		uint64_t lba = spans[i].lba, after = lba + spans[i].count;
		uint32_t bytes = spans[i].count * size;

		if (disk_map_touches(&f->m.map[0], lba, spans[i].count, SECTOR_GUARDED))
			continue;
		for (uint32_t at = 0; at < bytes; at++)
			f->memory[at] = (uint8_t)random();
		uint8_t *written = malloc(bytes), *near = malloc(2 * size), *after_write = malloc(2 * size);

		memcpy(written, f->memory, bytes);
		ata_machine_plain(&f->m, 0, lba - 1, 1, near);
		ata_machine_plain(&f->m, 0, after, 1, near + size);
		assert_true(guest_ata_write(&f->g, dma, wide, lba, spans[i].count, f->buffer));
		assert_true(ata_fixture_holds(f, lba, spans[i].count, written));
		/* Its neighbours, perhaps of the same cipher sector, and the guest's page are as they were. */
		ata_machine_plain(&f->m, 0, lba - 1, 1, after_write);
		ata_machine_plain(&f->m, 0, after, 1, after_write + size);
		assert_memory_equal(near, after_write, 2 * size);
		assert_memory_equal(f->memory, written, bytes);
		free(written);
		free(near);
		free(after_write);
	}
}

static void test_every_way(void **state)
{
	static const struct ata_machine_options layouts[] = {
		{.second = SECOND_NOBODY}, {.cipher_a = 4096}, {.cipher_a = 1024}, {.lba_size = 4096, .cipher_a = 4096}};
	struct ata_fixture f;

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		for (unsigned way = 0; way < 16; way++) {
			start(&f, &layouts[i], 0, way & 1);
			f.g.by_words = way & 8;
			f.g.prd_late = way & 8;
			read_spans(&f, way & 2, way & 4);
			write_spans(&f, way & 2, way & 4);
			stop(&f);
		}
}

/* Nothing of a volume reaches the medium as it is. */
static void test_ciphertext(void **state)
{
	struct ata_fixture f;
	const uint8_t *medium;

	(void)state;
	start(&f, &(struct ata_machine_options){0}, 0, false);
	for (int dma = 0; dma < 2; dma++) {
		memset(f.memory, 0x41, 512);
		assert_true(guest_ata_write(&f.g, dma, false, 100, 1, f.buffer));
		medium = f.m.disk[0].medium + 100 * 512;
		for (int i = 0; i + 8 <= 512; i += 8)
			assert_memory_not_equal(medium + i, "AAAAAAAA", 8);
		assert_true(guest_ata_write(&f.g, dma, false, 10, 1, f.buffer));
		assert_memory_equal(f.m.disk[0].medium + 10 * 512, f.memory, 512);
	}
	stop(&f);
}

static void multiple_way(struct ata_fixture *f, unsigned sectors, uint8_t read_opcode, uint8_t write_opcode, bool wide)
{
	struct guest_ata_command set = {.opcode = 0xc6, .count = (uint16_t)sectors};
	struct guest_ata_command c = {.opcode = read_opcode, .wide = wide, .lba = 61, .count = 21};

	assert_true(guest_ata_plain(&f->g, &set));
	assert_true(guest_ata_pio_in(&f->g, &c, f->memory, 21 * 512, sectors * 512));
	assert_true(ata_fixture_shows(f, 61, 21));
	c.opcode = write_opcode;
	c.lba = 2040 - 64;
	assert_true(guest_ata_pio_out(&f->g, &c, f->memory, 21 * 512, sectors * 512));
	assert_true(ata_fixture_holds(f, 2040 - 64, 21, f->memory));
}

static void test_multiple(void **state)
{
	struct ata_fixture f;

	(void)state;
	for (unsigned way = 0; way < 4; way++)
		for (unsigned sectors = 1; sectors <= 16; sectors *= 2) {
			start(&f, &(struct ata_machine_options){.cipher_a = 4096}, 0, way & 1);
			f.g.by_words = way & 2;
			multiple_way(&f, sectors, 0xc4, 0xc5, false);
			multiple_way(&f, sectors, 0x29, 0x39, true);
			multiple_way(&f, sectors, 0x29, 0xce, true);
			stop(&f);
		}
}

/* The most that each width can name. */
static void test_largest(void **state)
{
	struct ata_fixture f;

	(void)state;
	start(&f, &(struct ata_machine_options){.sectors = 8192}, 0, false);
	for (int dma = 0; dma < 2; dma++) {
		assert_true(guest_ata_read(&f.g, dma, false, 100, 256, f.buffer));
		assert_true(ata_fixture_shows(&f, 100, 256));
		assert_true(guest_ata_write(&f.g, dma, false, 100, 256, f.buffer));
		assert_true(ata_fixture_holds(&f, 100, 256, f.memory));
		assert_true(guest_ata_read(&f.g, dma, true, 100, 2048, f.buffer));
		assert_true(ata_fixture_shows(&f, 100, 2048));
		assert_true(guest_ata_write(&f.g, dma, true, 100, 2048, f.buffer));
		assert_true(ata_fixture_holds(&f, 100, 2048, f.memory));
	}
	stop(&f);
}

/* What does not fit bounce memory is refused whole; a read needs none. */
static void test_too_long(void **state)
{
	struct ata_piece piece[66];
	struct guest_ata_command c = guest_ata_transfer(true, true, true, 100, 8321);
	struct ata_fixture f;

	(void)state;
	start(&f, &(struct ata_machine_options){.sectors = 20480, .arena_bytes = ata_arena_bytes(ATA_LONGEST_WRITE)}, 0, false);
	for (uint32_t i = 0; i < 66; i++)
		piece[i] = (struct ata_piece){(uint32_t)f.buffer + i % 16 * 65536, 65536};
	/* There is room for a little more than there must be. */
	assert_false(guest_ata_dma(&f.g, &c, false, piece, 66));
	assert_int_equal(f.g.error, ATA_ABRT);
	assert_true(ata_fixture_unchanged(&f));
	c.opcode = 0x25;
	assert_true(guest_ata_dma(&f.g, &c, true, piece, 66));
	c.opcode = 0x35;
	c.count = 8192;
	for (uint32_t i = 0; i < 16; i++)
		memset(f.memory + i * 65536, (int)(i + 1), 65536);
	assert_true(guest_ata_dma(&f.g, &c, false, piece, 64));
	for (uint32_t i = 0; i < 4; i++)
		assert_true(ata_fixture_holds(&f, 100 + 2048 * i, 2048, f.memory));
	stop(&f);
}

/* Cipher sectors in pieces that end anywhere. */
static void test_scattered(void **state)
{
	static const uint16_t lengths[] = {2, 510, 4096, 14, 498, 4, 508, 512, 1024, 3000, 1096, 30, 2018};
	struct ata_piece piece[13];
	struct guest_ata_command c = guest_ata_transfer(false, true, false, 60, 26);
	uint8_t expected[26 * 512];
	uint32_t total = 0;
	struct ata_fixture f;

	(void)state;
	for (uint32_t cipher = 512; cipher <= 4096; cipher *= 8) {
		start(&f, &(struct ata_machine_options){.cipher_a = cipher}, 0, false);
		total = 0;
		for (unsigned i = 0; i < 13; i++) {
			piece[i] = (struct ata_piece){(uint32_t)f.buffer + i * 8192 + 2 * i, lengths[i]};
			total += lengths[i];
		}
		assert_int_equal(total, 26 * 512);
		ata_fixture_patterns(&f, 60, 26, expected);
		c.opcode = 0xc8;
		c.lba = 60;
		assert_true(guest_ata_dma(&f.g, &c, true, piece, 13));
		for (uint32_t i = 0, at = 0; i < 13; at += lengths[i++])
			assert_memory_equal(ata_machine_pointer(&f.m, piece[i].address), expected + at, lengths[i]);
		c.opcode = 0xca;
		c.lba = 100;
		assert_true(guest_ata_dma(&f.g, &c, false, piece, 13));
		assert_true(ata_fixture_holds(&f, 100, 26, expected));
		stop(&f);
	}
}

/* Whichever register the guest looks at first, it finds its data decrypted. */
static void test_where_the_end_is_seen(void **state)
{
	static const uint8_t ports[] = {PORT_COMMAND, PORT_CONTROL, PORT_BM_STATUS, PORT_COUNT};
	struct guest_ata_command c = guest_ata_transfer(false, true, false, 100, 4);
	struct ata_piece piece;
	struct ata_fixture f;

	(void)state;
	for (unsigned i = 0; i < sizeof(ports); i++) {
		start(&f, &(struct ata_machine_options){.cipher_a = 4096}, 0, false);
		piece = (struct ata_piece){(uint32_t)f.buffer, 2048};
		guest_ata_table(&f.g, &piece, 1);
		ata_machine_out(&f.m, PORT_BM_PRD, 4, f.g.table);
		guest_ata_load(&f.g, &c);
		guest_ata_out(&f.g, PORT_COMMAND, c.opcode);
		guest_ata_bus_master(&f.g, true, true);
		while (!channel_take_interrupt(&f.m.channel))
			assert_true(channel_step(&f.m.channel));
		if (ports[i] == PORT_COUNT)
			/* It begins the next command at once. */
			guest_ata_load(&f.g, &c);
		else
			guest_ata_in(&f.g, ports[i]);
		assert_true(ata_fixture_shows(&f, 100, 4));
		stop(&f);
	}
}

/* What was read of a volume does not stay in the mediator's memory. */
static void test_wiped(void **state)
{
	struct ata_fixture f;
	uint8_t pattern[512];

	(void)state;
	start(&f, &(struct ata_machine_options){.cipher_a = 4096}, 0, false);
	assert_true(guest_ata_read(&f.g, false, false, 100, 3, f.buffer));
	ata_machine_pattern(&f.m, 0, 102, pattern);
	assert_false(ata_fixture_keeps(&f, pattern, 16));
	memset(f.memory, 0x43, 4096);
	assert_true(guest_ata_write(&f.g, false, false, 100, 3, f.buffer));
	assert_true(guest_ata_write(&f.g, true, false, 101, 3, f.buffer));
	assert_false(ata_fixture_keeps(&f, f.memory, 16));
	/* In the midst of a sector it is there, and goes when the machine ends. */
	struct guest_ata_command c = guest_ata_transfer(false, false, false, 110, 1);

	guest_ata_load(&f.g, &c);
	guest_ata_out(&f.g, PORT_COMMAND, c.opcode);
	assert_true(guest_ata_wait(&f.g));
	ata_machine_in(&f.m, PORT_DATA, 2);
	ata_machine_pattern(&f.m, 0, 110, pattern);
	assert_true(ata_fixture_keeps(&f, pattern + 16, 16));
	ata_quiesce(f.m.ata);
	assert_false(ata_fixture_keeps(&f, pattern + 16, 16));
	stop(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_way),
		cmocka_unit_test(test_ciphertext),
		cmocka_unit_test(test_multiple),
		cmocka_unit_test(test_largest),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_scattered),
		cmocka_unit_test(test_where_the_end_is_seen),
		cmocka_unit_test(test_wiped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
