/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/model/guest_ata.h"
#include <string.h>

#define LOOKS 400 /* at a status before giving up */
#define STEPS 64

uint8_t guest_ata_in(struct guest_ata *g, unsigned port)
{
	return (uint8_t)ata_machine_in(g->m, port, 1);
}

void guest_ata_out(struct guest_ata *g, unsigned port, uint8_t value)
{
	ata_machine_out(g->m, port, 1, value);
}

void guest_ata_select(struct guest_ata *g)
{
	guest_ata_out(g, PORT_DEVICE, (uint8_t)(0xe0 | g->drive << 4));
}

void guest_ata_start(struct guest_ata *g, struct ata_machine *m, unsigned drive, bool polls)
{
	*g = (struct guest_ata){.m = m, .drive = drive, .polls = polls};
	g->table = (uint32_t)ata_machine_ram(m, 4096, 4096);
	guest_ata_select(g);
	guest_ata_out(g, PORT_CONTROL, polls ? CTL_NIEN : 0);
}

void guest_ata_load(struct guest_ata *g, const struct guest_ata_command *c)
{
	const uint16_t values[5] = {c->features, c->count, (uint16_t)((c->lba & 0xff) | (c->lba >> 24 & 0xff) << 8),
		(uint16_t)((c->lba >> 8 & 0xff) | (c->lba >> 32 & 0xff) << 8),
		(uint16_t)((c->lba >> 16 & 0xff) | (c->lba >> 40 & 0xff) << 8)};
	uint8_t top = c->wide ? 0 : (uint8_t)(c->lba >> 24 & 15);

	if (c->wide)
		for (unsigned i = 0; i < 5; i++)
			guest_ata_out(g, PORT_FEATURES + i, (uint8_t)(values[i] >> 8));
	for (unsigned i = 0; i < 5; i++)
		guest_ata_out(g, PORT_FEATURES + i, (uint8_t)values[i]);
	guest_ata_out(g, PORT_DEVICE, (uint8_t)(0xe0 | g->drive << 4 | top));
}

static bool wait_interrupt(struct guest_ata *g)
{
	for (int i = 0; i < STEPS; i++) {
		if (channel_take_interrupt(&g->m->channel))
			return true;
		channel_step(&g->m->channel);
	}
	return false;
}

/* Alternate Status until none of the bits is set. */
static bool poll_while(struct guest_ata *g, uint8_t bits)
{
	for (int i = 0; i < LOOKS; i++)
		if (!(guest_ata_in(g, PORT_CONTROL) & bits))
			return true;
	return false;
}

static bool poll(struct guest_ata *g)
{
	return poll_while(g, ST_BSY);
}

static void take_status(struct guest_ata *g)
{
	g->status = guest_ata_in(g, PORT_COMMAND);
	g->error = g->status & ST_ERR ? guest_ata_in(g, PORT_FEATURES) : 0;
}

bool guest_ata_wait(struct guest_ata *g)
{
	if (!(g->polls ? poll(g) : wait_interrupt(g)))
		return false;
	take_status(g);
	return !(g->status & (ST_BSY | ST_ERR));
}

static void give(struct guest_ata *g, const struct guest_ata_command *c)
{
	channel_take_interrupt(&g->m->channel);
	guest_ata_load(g, c);
	guest_ata_out(g, PORT_COMMAND, c->opcode);
}

bool guest_ata_plain(struct guest_ata *g, const struct guest_ata_command *c)
{
	give(g, c);
	return guest_ata_wait(g) && !(g->status & ST_DRQ);
}

static void words_in(struct guest_ata *g, uint8_t *to, uint32_t bytes)
{
	if (!g->by_words) {
		ata_machine_ins(g->m, to, bytes);
		return;
	}
	/* Some read double words. */
	for (uint32_t at = 0, size = bytes % 1024 ? 2 : 4; at < bytes; at += size) {
		uint32_t value = ata_machine_in(g->m, PORT_DATA, size);

		memcpy(to + at, &value, size);
	}
}

static void words_out(struct guest_ata *g, const uint8_t *from, uint32_t bytes)
{
	if (!g->by_words) {
		ata_machine_outs(g->m, from, bytes);
		return;
	}
	for (uint32_t at = 0, size = bytes % 1024 ? 2 : 4; at < bytes; at += size) {
		uint32_t value = 0;

		memcpy(&value, from + at, size);
		ata_machine_out(g->m, PORT_DATA, size, value);
	}
}

bool guest_ata_pio_in(struct guest_ata *g, const struct guest_ata_command *c, void *to, uint32_t bytes, uint32_t block)
{
	give(g, c);
	for (uint32_t at = 0; at < bytes; at += block) {
		uint32_t part = bytes - at < block ? bytes - at : block;

		if (!guest_ata_wait(g) || !(g->status & ST_DRQ))
			return false;
		words_in(g, (uint8_t *)to + at, part);
	}
	if (!poll(g))
		return false;
	take_status(g);
	return !(g->status & (ST_ERR | ST_DRQ));
}

bool guest_ata_pio_out(struct guest_ata *g, const struct guest_ata_command *c, const void *from, uint32_t bytes,
	uint32_t block)
{
	give(g, c);
	for (uint32_t at = 0; at < bytes; at += block) {
		uint32_t part = bytes - at < block ? bytes - at : block;

		/* No interrupt asks for the first block. */
		if (at ? !guest_ata_wait(g) : !poll(g))
			return false;
		if (!at)
			take_status(g);
		if ((g->status & (ST_ERR | ST_DRQ)) != ST_DRQ)
			return false;
		words_out(g, (const uint8_t *)from + at, part);
	}
	return guest_ata_wait(g) && !(g->status & ST_DRQ);
}

void guest_ata_table(struct guest_ata *g, const struct ata_piece *piece, uint32_t pieces)
{
	uint32_t *table = ata_machine_pointer(g->m, g->table);

	for (uint32_t i = 0; i < pieces; i++) {
		table[2 * i] = piece[i].address;
		table[2 * i + 1] = (piece[i].bytes & 0xffff) | (i + 1 == pieces ? 1u << 31 : 0);
	}
}

void guest_ata_bus_master(struct guest_ata *g, bool in, bool start)
{
	guest_ata_out(g, PORT_BM_COMMAND, (uint8_t)((in ? BM_READS : 0) | (start ? BM_RUN : 0)));
}

/* The order of Bus Master IDE 1.0, section 3.1; PRD table and start after the command where it is late. */
bool guest_ata_dma(struct guest_ata *g, const struct guest_ata_command *c, bool in, const struct ata_piece *piece,
	uint32_t pieces)
{
	bool well;

	guest_ata_table(g, piece, pieces);
	guest_ata_out(g, PORT_BM_STATUS, BM_INTR | BM_ERROR);
	if (!g->prd_late)
		ata_machine_out(g->m, PORT_BM_PRD, 4, g->table);
	guest_ata_bus_master(g, in, false);
	give(g, c);
	if (g->prd_late)
		ata_machine_out(g->m, PORT_BM_PRD, 4, g->table);
	guest_ata_bus_master(g, in, true);
	if (!(g->polls ? poll_while(g, ST_BSY | ST_DRQ) : wait_interrupt(g)))
		return false;
	g->bm_status = guest_ata_in(g, PORT_BM_STATUS);
	guest_ata_bus_master(g, in, false);
	take_status(g);
	well = !(g->status & (ST_BSY | ST_DRQ | ST_ERR));
	return well && (g->polls || g->bm_status & BM_INTR) && !(g->bm_status & BM_ERROR);
}

struct guest_ata_command guest_ata_transfer(bool write, bool dma, bool wide, uint64_t lba, uint32_t count)
{
	static const uint8_t opcodes[2][2][2] = {{{0x20, 0x24}, {0xc8, 0x25}}, {{0x30, 0x34}, {0xca, 0x35}}};

	return (struct guest_ata_command){
		.opcode = opcodes[write][dma][wide], .wide = wide, .count = (uint16_t)count, .lba = lba};
}

static uint32_t split(uint64_t address, uint64_t bytes, struct ata_piece *piece)
{
	uint32_t pieces = 0;

	while (bytes) {
		uint32_t part = 0x10000 - (uint32_t)(address & 0xffff);

		part = part < bytes ? part : (uint32_t)bytes;
		piece[pieces++] = (struct ata_piece){(uint32_t)address, part};
		address += part;
		bytes -= part;
	}
	return pieces;
}

static bool transfer(struct guest_ata *g, bool write, bool dma, bool wide, uint64_t lba, uint32_t count,
	uint64_t address)
{
	uint32_t lba_size = g->m->disk[g->drive].lba_size, bytes = count * lba_size;
	struct guest_ata_command c = guest_ata_transfer(write, dma, wide, lba, count);
	struct ata_piece piece[128];

	if (dma)
		return guest_ata_dma(g, &c, !write, piece, split(address, bytes, piece));
	if (write)
		return guest_ata_pio_out(g, &c, ata_machine_pointer(g->m, address), bytes, lba_size);
	return guest_ata_pio_in(g, &c, ata_machine_pointer(g->m, address), bytes, lba_size);
}

bool guest_ata_read(struct guest_ata *g, bool dma, bool wide, uint64_t lba, uint32_t count, uint64_t address)
{
	return transfer(g, false, dma, wide, lba, count, address);
}

bool guest_ata_write(struct guest_ata *g, bool dma, bool wide, uint64_t lba, uint32_t count, uint64_t address)
{
	return transfer(g, true, dma, wide, lba, count, address);
}

bool guest_ata_reset(struct guest_ata *g)
{
	uint8_t control = g->polls ? CTL_NIEN : 0;

	guest_ata_bus_master(g, false, false);
	guest_ata_out(g, PORT_CONTROL, control | CTL_SRST);
	guest_ata_out(g, PORT_CONTROL, control);
	if (!poll(g))
		return false;
	guest_ata_select(g);
	channel_take_interrupt(&g->m->channel);
	return poll(g) && guest_ata_in(g, PORT_COUNT) == 1 && guest_ata_in(g, PORT_LBA_LOW) == 1;
}
