/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Commands of I/O at random. What they may change lies in the scratch range; what
 * devices may write to lies in pages of this file's own.
 */
#include "tests/guest/queues/queues.h"

#define DUMP_PAGES   160u
#define LIST_PAGES   4u
#define RANGES       256u
#define MOST_BLOCKS  1024u
#define FLUSH        0x00
#define WRITE        0x01
#define DATASET      0x09
#define VERIFY       0x0c
#define LIST_ENTRIES (PAGE / 8)

static uint8_t *dump, *lists;
static struct dsm_range {
	uint32_t attributes, blocks;
	uint64_t lba;
} *ranges;
static uint64_t own, own_bytes;

bool one_in(uint64_t n)
{
	return !random_below(n);
}

void random_io_begin(void)
{
	dump = take_memory(DUMP_PAGES * PAGE, PAGE);
	lists = take_memory(LIST_PAGES * PAGE, PAGE);
	ranges = take_memory(PAGE, PAGE);
	if (beneath())
		own_memory(&own, &own_bytes);
}

static uint64_t bad_address(void)
{
	switch (random_below(6)) {
	case 0:
		return own + random_below(own_bytes / PAGE) * PAGE;
	case 1:
		return own - PAGE + random_below(2 * PAGE) / 4 * 4 + PAGE;
	case 2:
		return (1ull << 37) + random_below(1 << 20) * PAGE;
	case 3:
		return 0xfee00000 + random_below(PAGE) / 4 * 4;
	case 4:
		return random_next() | 1ull << 45;
	}
	return 0 - (uint64_t)PAGE;
}

/* Alone there is nobody to refuse one. */
uint64_t random_address(bool *bad)
{
	if (own && one_in(24)) {
		*bad = true;
		return bad_address();
	}
	return (uint64_t)dump + random_below(DUMP_PAGES) * PAGE;
}

/* Where a change may fall: in the scratch range, where it is refused, or beyond the end. True: it must fail. */
static bool draw_place(uint64_t *lba, uint32_t *blocks)
{
	uint32_t most = one_in(8) ? MOST_BLOCKS : one_in(3) ? 200 : 12;

	*blocks = 1 + (uint32_t)random_below(most);
	switch (random_below(12)) {
	case 0:
		if (!guarded.blocks || !beneath())
			break;
		*blocks = *blocks < 16 ? *blocks : 16;
		*lba = guarded.first + random_below(guarded.blocks - *blocks + 1);
		return true;
	case 1:
		*blocks += 4;
		*lba = controller.blocks - random_below(4);
		return true;
	case 2:
		*lba = random_next() | 1ull << 40;
		return true;
	}
	*lba = scratch.first + random_below(scratch.blocks - *blocks + 1);
	return false;
}

static void draw_ranges(struct nvme_command *command)
{
	for (unsigned i = 0; i < RANGES; i++) {
		draw_place(&ranges[i].lba, &ranges[i].blocks);
		ranges[i].attributes = (uint32_t)random_next();
		if (one_in(8))
			ranges[i].blocks = 0;
	}
	command->prp1 = (uint64_t)ranges;
	command->prp2 = (uint64_t)dump;
	command->cdw10 = one_in(4) ? (uint32_t)random_next() : (uint32_t)random_below(4);
	command->cdw11 = (uint32_t)random_below(8);
}

/* A list for as much as is moved at most, or another that may lead anywhere but to memory that is in use. */
static void draw_prps(struct nvme_command *command, bool *bad)
{
	uint64_t *list = (uint64_t *)lists;
	uint32_t at = one_in(2) ? 0 : (uint32_t)random_below(LIST_ENTRIES);
	bool somewhere = false;

	command->prp1 = random_address(bad) + (one_in(3) ? random_below(PAGE / 4) * 4 : 0);
	if (one_in(64))
		command->prp1 += 1 + random_below(3);
	if (one_in(6)) {
		command->prp2 = random_address(&somewhere);
		return;
	}
	for (uint32_t i = at; i < LIST_PAGES * LIST_ENTRIES; i++) {
		list[i] = one_in(400) && own ? bad_address() : (uint64_t)dump + random_below(DUMP_PAGES) * PAGE;
		if (i % LIST_ENTRIES == LIST_ENTRIES - 1)
			list[i] = (uint64_t)lists + (one_in(4) ? random_below(LIST_PAGES) : (i / LIST_ENTRIES + 1) % LIST_PAGES) * PAGE;
		if (one_in(600))
			list[i] += 8;
	}
	command->prp2 = (uint64_t)&list[at] + (one_in(50) ? random_below(8) : 0);
}

static uint8_t draw_opcode(void)
{
	switch (random_below(12)) {
	case 0:
		return (uint8_t)random_next();
	case 1:
		return FLUSH;
	case 2:
		return one_in(2) ? DATASET : VERIFY;
	case 3:
		return (uint8_t)random_below(0x1a);
	}
	return one_in(2) ? WRITE : NVME_READ_OPCODE;
}

/* What has no meaning for the command, or should have none. */
static void draw_rest(struct nvme_command *command)
{
	command->metadata = one_in(4) ? random_next() : 0;
	command->cdw2 = one_in(4) ? (uint32_t)random_next() : 0;
	command->cdw3 = one_in(4) ? (uint32_t)random_next() : 0;
	command->cdw13 = one_in(4) ? (uint32_t)random_next() : 0;
	command->cdw14 = one_in(4) ? (uint32_t)random_next() : 0;
	command->cdw15 = one_in(4) ? (uint32_t)random_next() : 0;
	if (one_in(8))
		command->cdw12 |= (uint32_t)random_next() & 0xffff0000;
	if (one_in(20))
		command->flags = (uint8_t)random_next();
}

bool random_io(struct nvme_command *command)
{
	bool bad = false, beyond;
	uint64_t lba;
	uint32_t blocks;
	uint8_t opcode = draw_opcode();

	memset(command, 0, sizeof(*command));
	beyond = draw_place(&lba, &blocks);
	if (opcode == NVME_READ_OPCODE && one_in(4)) {
		lba = random_below(controller.blocks - blocks);
		beyond = false;
	}
	command->opcode = opcode;
	command->nsid = NAMESPACE;
	command->cdw10 = (uint32_t)lba;
	command->cdw11 = (uint32_t)(lba >> 32);
	command->cdw12 = blocks - 1;
	draw_prps(command, &bad);
	if (opcode == DATASET)
		draw_ranges(command);
	draw_rest(command);
	if (one_in(40)) {
		command->nsid = one_in(2) ? (uint32_t)random_below(4) : (uint32_t)random_next();
		return false;
	}
	if (opcode == NVME_READ_OPCODE)
		return bad || (beyond && lba >= controller.blocks - 4);
	return opcode == WRITE && (bad || beyond);
}
