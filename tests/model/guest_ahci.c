/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/model/guest_ahci.h"
#include <string.h>

#define PATIENCE     200 /* looks at a register before giving up */
#define ERROR_STATUS 0x7d800010u

uint32_t guest_register(struct guest *g, uint32_t reg)
{
	return machine_read(g->m, 0, HBA_PX(g->port, reg));
}

void guest_set_register(struct guest *g, uint32_t reg, uint32_t value)
{
	machine_write(g->m, 0, HBA_PX(g->port, reg), value);
}

static bool wait_for(struct guest *g, uint32_t reg, uint32_t mask, uint32_t value)
{
	for (int i = 0; i < PATIENCE; i++)
		if ((guest_register(g, reg) & mask) == value)
			return true;
	return false;
}

bool guest_stop(struct guest *g)
{
	guest_set_register(g, PX_CMD, guest_register(g, PX_CMD) & ~PXCMD_ST);
	g->active = g->queued = 0;
	return wait_for(g, PX_CMD, PXCMD_CR, 0);
}

bool guest_begin(struct guest *g)
{
	uint32_t cmd = guest_register(g, PX_CMD);

	guest_set_register(g, PX_CMD, cmd | PXCMD_FRE);
	if (!wait_for(g, PX_TFD, PXTFD_BSY | PXTFD_DRQ, 0))
		return false;
	guest_set_register(g, PX_SERR, UINT32_MAX);
	guest_set_register(g, PX_IS, UINT32_MAX);
	machine_write(g->m, 0, ABAR_IS, 1u << g->port);
	guest_set_register(g, PX_CMD, cmd | PXCMD_FRE | PXCMD_ST);
	g->errors = g->failed = g->done = 0;
	return true;
}

static void program(struct guest *g)
{
	guest_set_register(g, PX_CLB, (uint32_t)g->list);
	guest_set_register(g, PX_CLBU, (uint32_t)(g->list >> 32));
	guest_set_register(g, PX_FB, (uint32_t)g->received);
	guest_set_register(g, PX_FBU, (uint32_t)(g->received >> 32));
	guest_set_register(g, PX_IE, 0x7dc0007fu);
}

void guest_start(struct guest *g, struct machine *m, unsigned port, uint32_t prds)
{
	*g = (struct guest){.m = m, .port = port, .table_prds = prds};
	g->list = machine_ram(m, 1024, 1024);
	g->received = machine_ram(m, 256, 256);
	for (int i = 0; i < 32; i++)
		g->table[i] = i && prds > 4096 ? g->table[0] : machine_ram(m, 0x80 + prds * 16ull, 128);
	machine_write(m, 0, ABAR_GHC, ABAR_GHC_AE | ABAR_GHC_IE);
	guest_stop(g);
	program(g);
	guest_begin(g);
}

static void put32(uint8_t *at, uint32_t value)
{
	memcpy(at, &value, 4);
}

void guest_build(struct guest *g, unsigned slot, const struct guest_command *c)
{
	uint8_t *header = machine_pointer(g->m, g->list + slot * 32);
	uint8_t *table = machine_pointer(g->m, g->table[slot]);
	uint8_t fis[20] = {0x27, 0x80, c->opcode, (uint8_t)c->features, (uint8_t)c->lba,
		(uint8_t)(c->lba >> 8), (uint8_t)(c->lba >> 16), c->device ? c->device : 0x40,
		(uint8_t)(c->lba >> 24), (uint8_t)(c->lba >> 32), (uint8_t)(c->lba >> 40),
		(uint8_t)(c->features >> 8), (uint8_t)c->count, (uint8_t)(c->count >> 8)};

	memset(header, 0, 32);
	put32(header, 5 | (c->write ? 0x40 : 0) | c->pieces << 16);
	put32(header + 8, (uint32_t)g->table[slot]);
	put32(header + 12, (uint32_t)(g->table[slot] >> 32));
	memset(table, 0, 0x80);
	memcpy(table, fis, sizeof(fis));
	for (uint32_t i = 0; i < c->pieces; i++) {
		put32(table + 0x80 + i * 16, (uint32_t)c->piece[i].address);
		put32(table + 0x84 + i * 16, (uint32_t)(c->piece[i].address >> 32));
		put32(table + 0x88 + i * 16, 0);
		put32(table + 0x8c + i * 16, (c->piece[i].bytes - 1) & 0x3fffff);
	}
}

static bool slot_is_queued(struct guest *g, unsigned slot)
{
	const uint8_t *table = machine_pointer(g->m, g->table[slot]);

	return ata_is_ncq(table[2]);
}

void guest_issue(struct guest *g, unsigned cpu, uint32_t slots)
{
	uint32_t queued = 0;

	for (unsigned i = 0; i < 32; i++)
		if (slots >> i & 1 && slot_is_queued(g, i))
			queued |= 1u << i;
	g->done &= ~slots;
	g->active |= slots;
	g->queued = (g->queued & ~slots) | queued;
	if (queued)
		machine_write(g->m, cpu, HBA_PX(g->port, PX_SACT), queued);
	machine_write(g->m, cpu, HBA_PX(g->port, PX_CI), slots);
}

static void note_error(struct guest *g, unsigned cpu, uint32_t status)
{
	if (!(status & ERROR_STATUS))
		return;
	g->errors |= status & ERROR_STATUS;
	g->tfd = machine_read(g->m, cpu, HBA_PX(g->port, PX_TFD));
	g->failed |= g->active;
}

static uint32_t take_completions(struct guest *g, unsigned cpu)
{
	uint32_t still, done;

	still = g->active & g->queued ? machine_read(g->m, cpu, HBA_PX(g->port, PX_SACT))
				      : machine_read(g->m, cpu, HBA_PX(g->port, PX_CI));
	done = g->active & ~still;
	g->active &= ~done;
	g->done |= done;
	return done;
}

uint32_t guest_handler(struct guest *g, unsigned cpu)
{
	uint32_t is = machine_read(g->m, cpu, ABAR_IS), status, done = 0;

	if (!(is >> g->port & 1))
		return 0;
	status = machine_read(g->m, cpu, HBA_PX(g->port, PX_IS));
	machine_write(g->m, cpu, HBA_PX(g->port, PX_IS), status);
	note_error(g, cpu, status);
	if (!g->errors)
		done = take_completions(g, cpu);
	machine_write(g->m, cpu, ABAR_IS, 1u << g->port);
	return done;
}

uint32_t guest_poll(struct guest *g, unsigned cpu)
{
	uint32_t status = machine_read(g->m, cpu, HBA_PX(g->port, PX_IS));

	if (status)
		machine_write(g->m, cpu, HBA_PX(g->port, PX_IS), status);
	note_error(g, cpu, status);
	return g->errors ? 0 : take_completions(g, cpu);
}

/*
 * A completed chunk of the mediator may make it issue the next one: the device
 * gets several turns.
 */
void guest_finish_all(struct guest *g)
{
	for (int idle = 0, turn = 0; idle < 3 && turn < 100000; turn++) {
		hba_run(&g->m->hba);
		if (g->level ? hba_interrupt(&g->m->hba) : hba_take_interrupt(&g->m->hba)) {
			guest_handler(g, 0);
			idle = 0;
		} else {
			idle++;
		}
		if (!g->active || g->errors)
			break;
	}
}

bool guest_do(struct guest *g, unsigned slot, const struct guest_command *command)
{
	guest_build(g, slot, command);
	guest_issue(g, 0, 1u << slot);
	guest_finish_all(g);
	return g->done >> slot & 1 && !g->errors;
}

bool guest_recover(struct guest *g)
{
	return guest_stop(g) && guest_begin(g);
}

bool guest_comreset(struct guest *g)
{
	if (!guest_stop(g))
		return false;
	guest_set_register(g, PX_SCTL, 0x301);
	guest_set_register(g, PX_SCTL, 0x300);
	return wait_for(g, PX_SSTS, 15, 3) && guest_begin(g);
}

static bool control_fis(struct guest *g, uint8_t control, uint32_t flags)
{
	uint8_t *header = machine_pointer(g->m, g->list);
	uint8_t *table = machine_pointer(g->m, g->table[0]);

	memset(header, 0, 8);
	put32(header, 5 | flags);
	put32(header + 8, (uint32_t)g->table[0]);
	put32(header + 12, (uint32_t)(g->table[0] >> 32));
	memset(table, 0, 0x80);
	table[0] = 0x27;
	table[15] = control;
	guest_set_register(g, PX_CI, 1);
	for (int i = 0; i < PATIENCE; i++) {
		hba_run(&g->m->hba);
		if (!(guest_register(g, PX_CI) & 1))
			return true;
	}
	return false;
}

bool guest_software_reset(struct guest *g)
{
	if (!guest_stop(g))
		return false;
	guest_set_register(g, PX_CMD, guest_register(g, PX_CMD) | PXCMD_CLO);
	if (!guest_begin(g) || !control_fis(g, 4, 0x500) || !control_fis(g, 0, 0x400))
		return false;
	return wait_for(g, PX_TFD, PXTFD_BSY, 0) && guest_register(g, PX_SIG) == 0x101;
}

bool guest_hba_reset(struct guest *g)
{
	int i = 0;

	machine_write(g->m, 0, ABAR_GHC, ABAR_GHC_AE | ABAR_GHC_HR);
	while (machine_read(g->m, 0, ABAR_GHC) & ABAR_GHC_HR)
		if (++i == PATIENCE)
			return false;
	machine_write(g->m, 0, ABAR_GHC, ABAR_GHC_AE | ABAR_GHC_IE);
	g->active = g->queued = 0;
	program(g);
	guest_set_register(g, PX_CMD, PXCMD_SUD);
	return wait_for(g, PX_SSTS, 15, 3) && guest_begin(g);
}

struct guest_command guest_transfer(bool write, bool ncq, unsigned slot, uint64_t lba, uint32_t count,
	const struct guest_piece *piece, uint32_t pieces)
{
	struct guest_command c = {.lba = lba, .write = write, .piece = piece, .pieces = pieces};

	c.opcode = ncq ? (write ? 0x61 : 0x60) : (write ? 0x35 : 0x25);
	c.features = ncq ? (uint16_t)count : 0;
	c.count = ncq ? (uint16_t)(slot << 3) : (uint16_t)count;
	return c;
}

static bool transfer(struct guest *g, bool write, bool ncq, uint64_t lba, uint32_t count, uint64_t address)
{
	uint64_t left = (uint64_t)count * g->m->disk[g->port].lba_size;
	struct guest_piece piece[80];
	uint32_t pieces = 0;
	struct guest_command c;

	for (; left; pieces++) {
		uint32_t bytes = left > 0x400000 ? 0x400000 : (uint32_t)left;

		piece[pieces] = (struct guest_piece){address, bytes};
		address += bytes;
		left -= bytes;
	}
	c = guest_transfer(write, ncq, 0, lba, count, piece, pieces);
	return guest_do(g, 0, &c);
}

bool guest_read(struct guest *g, bool ncq, uint64_t lba, uint32_t count, uint64_t address)
{
	return transfer(g, false, ncq, lba, count, address);
}

bool guest_write(struct guest *g, bool ncq, uint64_t lba, uint32_t count, uint64_t address)
{
	return transfer(g, true, ncq, lba, count, address);
}
