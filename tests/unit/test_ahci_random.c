/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random commands through the mediator against a plain array: many in flight,
 * completed in any order, on two protected ports at once, with splits of memory,
 * failures, resets and small bounce memory. The seed is printed; SEED sets it.
 */
#include "tests/model/guest_ahci.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#define PIECES	   24
#define MAX_BYTES  (64u * 1024)
#define SLOT_BYTES (MAX_BYTES + PIECES * 16)

static const unsigned ports[2] = {0, 3};

struct operation {
	bool write;
	uint64_t lba;
	uint32_t count;
	uint64_t memory; /* SLOT_BYTES of guest RAM */
	struct guest_piece piece[PIECES];
	uint32_t pieces;
	uint8_t data[MAX_BYTES]; /* what a read must give, or what is written */
};

struct side {
	struct guest g;
	struct operation op[32];
	uint8_t *reference; /* the disk as its owner sees it */
	uint8_t *torn;	    /* by sector: cut off in flight, either content is right */
};

struct world {
	struct machine m;
	struct side side[2];
	bool ncq; /* this while's commands */
};

static uint32_t below(uint32_t n)
{
	return (uint32_t)random() % n;
}

static void split(struct operation *op, uint32_t bytes)
{
	uint64_t at = op->memory;

	op->pieces = 0;
	while (bytes) {
		uint32_t n = bytes;

		if (op->pieces + 1 < PIECES && below(3))
			n = below(4) ? 2 * (1 + below(bytes / 2)) : 2;
		op->piece[op->pieces++] = (struct guest_piece){at, n};
		at += n + 2 * below(8);
		bytes -= n;
	}
}

static void copy_pieces(struct world *w, struct operation *op, bool to_guest)
{
	uint32_t at = 0;

	for (uint32_t i = 0; i < op->pieces; at += op->piece[i++].bytes) {
		void *memory = machine_pointer(&w->m, op->piece[i].address);

		if (to_guest)
			memcpy(memory, op->data + at, op->piece[i].bytes);
		else
			assert_int_equal(memcmp(memory, op->data + at, op->piece[i].bytes), 0);
	}
}

/* Ranges in flight do not meet, for the order of queued commands is the disk's choice. */
static bool meets_another(const struct side *side, unsigned slot)
{
	const struct operation *op = &side->op[slot];

	for (unsigned i = 0; i < 32; i++)
		if (i != slot && side->g.active >> i & 1 && op->lba < side->op[i].lba + side->op[i].count &&
			side->op[i].lba < op->lba + op->count)
			return true;
	return false;
}

/* Somewhere that matters: near an edge of the map, or anywhere. */
static void choose_range(struct world *w, struct side *side, struct operation *op)
{
	const uint64_t edge[] = {machine_a_first(&w->m), machine_guarded_first(&w->m),
		machine_guarded_first(&w->m) + 64, machine_b_first(&w->m), machine_b_last(&w->m) + 1};
	const struct ata_disk *disk = &w->m.disk[side->g.port];
	uint32_t most = MAX_BYTES / disk->lba_size;

	op->count = below(3) ? 1 + below(16) : 1 + below(most);
	if (op->count > most)
		op->count = most;
	op->lba = below(2) ? edge[below(5)] + below(24) - 12 : below((uint32_t)disk->sectors - op->count);
	if (op->lba + op->count > disk->sectors)
		op->lba = disk->sectors - op->count;
}

static void submit(struct world *w, struct side *side)
{
	uint32_t lba_size = w->m.disk[0].lba_size;
	unsigned slot = below(w->ncq ? 32 : 4);
	struct operation *op = &side->op[slot];
	struct guest_command c;

	if (side->g.active >> slot & 1)
		return;
	choose_range(w, side, op);
	op->write =
		below(2) && !disk_map_touches(&w->m.map[side->g.port], op->lba, op->count, SECTOR_GUARDED);
	if (meets_another(side, slot))
		return;
	split(op, op->count * lba_size);
	if (op->write) {
		for (uint32_t i = 0; i < op->count * lba_size; i++)
			op->data[i] = (uint8_t)random();
		copy_pieces(w, op, true);
	} else {
		memset(machine_pointer(&w->m, op->memory), 0x5c, SLOT_BYTES);
	}
	c = guest_transfer(op->write, w->ncq, slot, op->lba, op->count, op->piece, op->pieces);
	/* The other opcodes of the same meaning. */
	if (!w->ncq && op->lba + op->count < 1 << 28 && op->count <= 256) {
		static const uint8_t other[2][6] = {
			{0x20, 0x24, 0x29, 0xc4, 0xc8, 0x25}, {0x30, 0x34, 0x39, 0xc5, 0xca, 0x3d}};

		c.opcode = other[op->write][below(6)];
	}
	guest_build(&side->g, slot, &c);
	guest_issue(&side->g, below(2), 1u << slot);
}

static void compare_read(struct world *w, struct side *side, struct operation *op)
{
	uint32_t lba_size = w->m.disk[0].lba_size;

	for (uint32_t i = 0; i < op->count; i++)
		if (side->torn[op->lba + i])
			return; /* what it holds is compared at the end */
	memcpy(op->data, side->reference + op->lba * lba_size, op->count * lba_size);
	copy_pieces(w, op, false);
}

static void finish(struct world *w, struct side *side, uint32_t slots)
{
	uint32_t lba_size = w->m.disk[0].lba_size;

	for (unsigned i = 0; i < 32; i++) {
		struct operation *op = &side->op[i];

		if (!(slots >> i & 1))
			continue;
		if (!op->write) {
			compare_read(w, side, op);
			continue;
		}
		copy_pieces(w, op, false); /* the guest's pages are as they were */
		memcpy(side->reference + op->lba * lba_size, op->data, op->count * lba_size);
		memset(side->torn + op->lba, 0, op->count);
	}
}

static void device_goes_on(struct world *w, struct side *side)
{
	struct hba_port *p = &w->m.hba.port[side->g.port];
	unsigned slot = below(32);

	if (below(2))
		hba_fetch(&w->m.hba, side->g.port);
	for (unsigned i = 0; i < 32; i++, slot = (slot + 1) % 32)
		if (p->accepted >> slot & 1) {
			if (below(3))
				hba_finish(&w->m.hba, side->g.port, slot);
			else
				hba_move(&w->m.hba, side->g.port, slot);
			return;
		}
}

static void take_interrupt(struct world *w)
{
	if (!hba_take_interrupt(&w->m.hba))
		return;
	for (int s = 0; s < 2; s++)
		finish(w, &w->side[s], guest_handler(&w->side[s].g, 0));
}

/* Commands that are cut off may have reached the medium in part. */
static void reset(struct side *side)
{
	for (unsigned i = 0; i < 32; i++)
		if (side->g.active >> i & 1 && side->op[i].write)
			memset(side->torn + side->op[i].lba, 1, side->op[i].count);
	assert_true(below(2) ? guest_comreset(&side->g) : guest_software_reset(&side->g));
}

static void drain(struct world *w)
{
	for (int turn = 0; turn < 20000 && (w->side[0].g.active || w->side[1].g.active); turn++) {
		device_goes_on(w, &w->side[turn & 1]);
		take_interrupt(w);
	}
	assert_int_equal(w->side[0].g.active | w->side[1].g.active, 0);
}

static void begin(struct world *w, const struct machine_options *options)
{
	machine_init(&w->m, options);
	assert_non_null(w->m.ahci);
	for (int s = 0; s < 2; s++) {
		struct side *side = &w->side[s];
		const struct ata_disk *disk = &w->m.disk[ports[s]];

		guest_start(&side->g, &w->m, ports[s], PIECES);
		for (int i = 0; i < 32; i++)
			side->op[i].memory = machine_ram(&w->m, SLOT_BYTES, 2);
		side->reference = malloc(disk->sectors * disk->lba_size);
		side->torn = calloc(1, disk->sectors);
		machine_plain(&w->m, ports[s], 0, disk->sectors, side->reference);
	}
}

static void compare_disks(struct world *w)
{
	uint32_t lba_size = w->m.disk[0].lba_size;

	for (int s = 0; s < 2; s++)
		for (uint64_t lba = 0; lba < w->m.disk[0].sectors; lba++) {
			uint8_t plain[4096];

			machine_plain(&w->m, ports[s], lba, 1, plain);
			if (!w->side[s].torn[lba])
				assert_memory_equal(plain, w->side[s].reference + lba * lba_size, lba_size);
		}
}

static void end(struct world *w)
{
	drain(w);
	compare_disks(w);
	assert_int_equal(w->m.bus.faults, 0);
	for (int s = 0; s < 2; s++) {
		free(w->side[s].reference);
		free(w->side[s].torn);
	}
	machine_free(&w->m);
}

static void random_world(const struct machine_options *options, bool resets)
{
	struct world *w = calloc(1, sizeof(*w));

	begin(w, options);
	for (int i = 0; i < 6000; i++) {
		struct side *side = &w->side[below(2)];

		if (i % 500 == 0) {
			drain(w);
			w->ncq = below(4);
		}
		switch (below(8)) {
		case 0:
		case 1:
		case 2:
			submit(w, side);
			break;
		case 3:
			take_interrupt(w);
			break;
		case 4:
			if (resets && !below(60))
				reset(side);
			break;
		default:
			device_goes_on(w, side);
			break;
		}
	}
	end(w);
	free(w);
}

static void test_random(void **state)
{
	const char *given = getenv("SEED");
	unsigned seed = given ? (unsigned)strtoul(given, NULL, 0) : (unsigned)time(NULL);
	static const struct {
		uint32_t lba_size, cipher;
		unsigned sectors;
	} layout[] = {{512, 512, 1024}, {512, 1024, 2048}, {512, 4096, 1024}, {4096, 4096, 1024}};

	(void)state;
	printf("seed %u\n", seed);
	srandom(seed);
	for (unsigned i = 0; i < 8; i++) {
		struct machine_options options = {.lba_size = layout[i % 4].lba_size,
			.cipher_a = layout[i % 4].cipher,
			.sectors = layout[i % 4].sectors,
			.arena_bytes = i < 4 ? 0 : ahci_arena_bytes(2)};

		random_world(&options, i >= 4);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
