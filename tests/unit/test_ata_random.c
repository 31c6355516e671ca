/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random commands through the ATA mediator against a plain array: both drives, every
 * opcode that moves sectors, scattered memory, polling and interrupts, resets at any
 * point. The seed is printed; SEED sets it.
 */
#include "tests/model/guest_ata.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#define PIECES	  24
#define MAX_BYTES (128u * 1024)

struct side {
	struct guest_ata g;
	uint8_t *reference; /* the disk as its owner sees it */
	uint8_t *torn;	    /* by sector: cut off in flight, either content is right */
	unsigned multiple;
};

struct world {
	struct ata_machine m;
	struct side side[2];
	uint64_t memory; /* twice MAX_BYTES of guest RAM */
	uint8_t data[MAX_BYTES];
	struct ata_piece piece[PIECES];
	uint32_t pieces;
	struct disk_pin pin;
};

static uint32_t below(uint32_t n)
{
	return (uint32_t)random() % n;
}

/* Pieces of even length with gaps between them, none across 64 KiB. */
static void split(struct world *w, uint32_t bytes)
{
	uint64_t at = w->memory + 2 * below(100);

	w->pieces = 0;
	while (bytes) {
		uint32_t room = 0x10000 - (uint32_t)(at & 0xffff), n = bytes < room ? bytes : room;

		if (w->pieces + 6 < PIECES && n > 2 && below(3))
			n = 2 * (1 + below(n / 2));
		w->piece[w->pieces++] = (struct ata_piece){(uint32_t)at, n};
		at += n + 2 * below(8);
		bytes -= n;
	}
}

static void copy_pieces(struct world *w, bool to_guest)
{
	uint32_t at = 0;

	for (uint32_t i = 0; i < w->pieces; at += w->piece[i++].bytes) {
		void *memory = ata_machine_pointer(&w->m, w->piece[i].address);

		if (to_guest)
			memcpy(memory, w->data + at, w->piece[i].bytes);
		else
			memcpy(w->data + at, memory, w->piece[i].bytes);
	}
}

/* Near an edge of the map, or anywhere. */
static void choose_range(struct world *w, const struct side *side, struct guest_ata_command *c)
{
	const struct ata_disk *disk = &w->m.disk[side->g.drive];
	const struct disk_map *map = &w->m.map[0];
	uint32_t most = MAX_BYTES / disk->lba_size < 256 ? MAX_BYTES / disk->lba_size : 256;
	uint64_t edge = map->range[below(map->count)].first_lba + below(24) - 12;

	c->count = (uint16_t)(1 + below(below(3) ? 16 : most));
	if (c->count > most)
		c->count = (uint16_t)most;
	c->lba = below(2) ? edge : below((uint32_t)disk->sectors);
	if (c->lba + c->count > disk->sectors)
		c->lba = disk->sectors - c->count;
}

static bool may_write(struct world *w, const struct side *side, const struct guest_ata_command *c)
{
	return !disk_map_touches(&w->m.map[side->g.drive], c->lba, c->count, SECTOR_GUARDED);
}

static bool give(struct world *w, struct side *side, struct guest_ata_command *c, bool write, bool dma, uint32_t bytes)
{
	uint32_t block = w->m.disk[0].lba_size;

	if (!dma && side->multiple && below(2)) {
		static const uint8_t opcodes[2][2] = {{0xc4, 0x29}, {0xc5, 0x39}};

		c->opcode = opcodes[write][c->wide];
		block *= side->multiple;
	}
	if (dma)
		return guest_ata_dma(&side->g, c, !write, w->piece, w->pieces);
	return write ? guest_ata_pio_out(&side->g, c, w->data, bytes, block)
		     : guest_ata_pio_in(&side->g, c, w->data, bytes, block);
}

static void compare(struct world *w, const struct side *side, const struct guest_ata_command *c)
{
	uint32_t size = w->m.disk[0].lba_size;

	for (uint32_t i = 0; i < c->count; i++)
		if (!side->torn[c->lba + i])
			assert_memory_equal(w->data + i * size, side->reference + (c->lba + i) * size, size);
}

static void transfer(struct world *w, struct side *side)
{
	bool write = below(2), dma = below(2), well;
	struct guest_ata_command c = guest_ata_transfer(write, dma, below(2), 0, 1);
	uint32_t size = w->m.disk[0].lba_size;

	choose_range(w, side, &c);
	split(w, c.count * size);
	for (uint32_t i = 0; write && i < c.count * size; i++)
		w->data[i] = (uint8_t)random();
	if (write && c.lba <= w->pin.lba && w->pin.lba < c.lba + c.count)
		memcpy(w->data + (w->pin.lba - c.lba) * size + w->pin.offset, w->pin.value, w->pin.bytes);
	side->g.by_words = !below(8);
	side->g.prd_late = below(2);
	if (write)
		copy_pieces(w, true);
	well = give(w, side, &c, write, dma, c.count * size);
	if (write && !may_write(w, side, &c)) {
		assert_false(well);
		return;
	}
	assert_true(well);
	if (!write) {
		if (dma)
			copy_pieces(w, false);
		compare(w, side, &c);
		return;
	}
	memcpy(side->reference + c.lba * size, w->data, c.count * size);
	memset(side->torn + c.lba, 0, c.count);
}

/* A command that a reset cuts off, with some of its data moved. */
static void cut_off(struct world *w, struct side *side)
{
	bool write = below(2), dma = below(2);
	struct guest_ata_command c = guest_ata_transfer(write, dma, below(2), 0, 1);

	choose_range(w, side, &c);
	split(w, c.count * w->m.disk[0].lba_size);
	memset(w->data, 0x5d, sizeof(w->data));
	copy_pieces(w, true);
	guest_ata_table(&side->g, w->piece, w->pieces);
	ata_machine_out(&w->m, PORT_BM_PRD, 4, side->g.table);
	guest_ata_load(&side->g, &c);
	guest_ata_out(&side->g, PORT_COMMAND, c.opcode);
	if (dma && below(4))
		guest_ata_bus_master(&side->g, !write, true);
	for (uint32_t i = below(12); i; i--) {
		uint32_t bytes = 2 * (1 + below(600));

		if (below(2))
			channel_step(&w->m.channel);
		else if (write)
			ata_machine_outs(&w->m, w->data, bytes);
		else
			ata_machine_ins(&w->m, w->data, bytes);
		if (!below(3))
			guest_ata_in(&side->g, below(2) ? PORT_COMMAND : PORT_CONTROL);
	}
	if (write && may_write(w, side, &c))
		memset(side->torn + c.lba, 1, c.count);
	assert_true(guest_ata_reset(&side->g));
	w->side[0].multiple = w->side[1].multiple = 0;
}

static void begin(struct world *w, const struct ata_machine_options *options)
{
	ata_machine_init(&w->m, options);
	assert_non_null(w->m.ata);
	for (unsigned s = 0; s < 2; s++) {
		struct side *side = &w->side[s];
		const struct ata_disk *disk = &w->m.disk[s];

		guest_ata_start(&side->g, &w->m, s, false);
		side->reference = malloc(disk->sectors * disk->lba_size);
		side->torn = calloc(1, disk->sectors);
		ata_machine_plain(&w->m, s, 0, disk->sectors, side->reference);
	}
	w->memory = ata_machine_ram(&w->m, 2 * MAX_BYTES, 2);
	w->pin = (struct disk_pin){.lba = 10, .offset = 30, .bytes = 60};
	memcpy(w->pin.value, w->side[0].reference + 10 * w->m.disk[0].lba_size + 30, 60);
	assert_int_equal(disk_map_pin(&w->m.map[0], &w->pin), 0);
}

static void compare_disks(struct world *w)
{
	uint32_t size = w->m.disk[0].lba_size;
	uint8_t plain[4096];

	for (unsigned s = 0; s < 2; s++)
		for (uint64_t lba = 0; lba < w->m.disk[s].sectors; lba++) {
			ata_machine_plain(&w->m, s, lba, 1, plain);
			if (!w->side[s].torn[lba])
				assert_memory_equal(plain, w->side[s].reference + lba * size, size);
			/* What was cut off is ciphertext as well. */
			if (disk_map_touches(&w->m.map[s], lba, 1, SECTOR_CIPHERTEXT))
				assert_null(memmem(w->m.disk[s].medium + lba * size, size, "]]]]]]]]", 8));
		}
	ata_machine_plain(&w->m, 0, 10, 1, plain);
	assert_memory_equal(plain + 30, w->pin.value, 60);
}

static void end(struct world *w)
{
	compare_disks(w);
	assert_int_equal(w->m.bus.faults, 0);
	for (unsigned s = 0; s < 2; s++) {
		free(w->side[s].reference);
		free(w->side[s].torn);
	}
	ata_machine_free(&w->m);
}

static void set_multiple(struct side *side)
{
	side->multiple = 1u << below(5);
	assert_true(guest_ata_plain(
		&side->g, &(struct guest_ata_command){.opcode = 0xc6, .count = (uint16_t)side->multiple}));
}

static void random_world(const struct ata_machine_options *options)
{
	struct world *w = calloc(1, sizeof(*w));

	begin(w, options);
	for (int i = 0; i < 600; i++) {
		struct side *side = &w->side[below(2)];

		if (!below(20)) {
			side->g.polls = !side->g.polls;
			w->side[0].g.polls = w->side[1].g.polls = side->g.polls;
			guest_ata_out(&side->g, PORT_CONTROL, side->g.polls ? CTL_NIEN : 0);
		}
		/* The driver goes to another CPU now and then. */
		if (!below(5))
		guest_ata_select(&side->g);
		if (!below(30))
			set_multiple(side);
		if (!below(25))
			cut_off(w, side);
		else
			transfer(w, side);
	}
	end(w);
	free(w);
}

static void test_random(void **state)
{
	const char *given = getenv("SEED");
	unsigned seed = given ? (unsigned)strtoul(given, NULL, 0) : (unsigned)time(NULL);
	static const struct ata_machine_options options[] = {
		{.sectors = 1024, .second = SECOND_PROTECTED},
		{.sectors = 2048, .cipher_a = 1024, .second = SECOND_PLAIN},
		{.sectors = 1024, .cipher_a = 4096, .second = SECOND_PROTECTED},
		{.sectors = 1024, .lba_size = 4096, .second = SECOND_PROTECTED},
	};

	(void)state;
	printf("seed %u\n", seed);
	srandom(seed);
	for (unsigned i = 0; i < 8; i++)
		random_world(&options[i % 4]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
