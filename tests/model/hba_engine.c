/* SPDX-License-Identifier: Apache-2.0 */
/* The command engine of the model HBA: AHCI 1.3.1 sections 4, 5 and 6. */
#include "tests/model/ata_table.h"
#include "tests/model/hba.h"
#include <stdlib.h>
#include <string.h>

/* In the received-FIS area. */
#define DMA_SETUP 0x00
#define PIO_SETUP 0x20
#define REGISTER  0x40
#define SET_BITS  0x58

struct header {
	uint32_t flags, transferred, table, table_high, reserved[4];
};

struct prd {
	uint32_t address, address_high, reserved, bytes;
};

static struct header *header_of(struct hba *hba, const struct hba_port *p, unsigned slot)
{
	uint64_t list = p->clb | (uint64_t)p->clbu << 32;

	return bus_dma(hba->bus, list + slot * sizeof(struct header), sizeof(struct header));
}

void hba_post_fis(struct hba *hba, unsigned port, unsigned offset, const uint8_t *fis, unsigned bytes)
{
	struct hba_port *p = &hba->port[port];
	uint8_t *area = p->cmd & PXCMD_FR ? bus_dma(hba->bus, p->fb | (uint64_t)p->fbu << 32, 256) : NULL;

	if (area)
		memcpy(area + offset, fis, bytes);
}

/* A device-to-host register FIS, and what the HBA takes from it. */
void hba_post_status(struct hba *hba, unsigned port, const struct ata_command *command, uint8_t status,
	uint8_t error, bool interrupt)
{
	uint64_t lba = command->lba;
	uint8_t fis[20] = {0x34, interrupt ? 0x40 : 0, status, error, (uint8_t)lba, (uint8_t)(lba >> 8),
		(uint8_t)(lba >> 16), command->device, (uint8_t)(lba >> 24), (uint8_t)(lba >> 32),
		(uint8_t)(lba >> 40), 0, (uint8_t)command->count, (uint8_t)(command->count >> 8)};

	hba_post_fis(hba, port, REGISTER, fis, sizeof(fis));
	hba->port[port].tfd = status | (uint32_t)error << 8;
	hba_raise(hba, port, (interrupt ? PXIS_DHRS : 0) | (status & PXTFD_ERR ? PXIS_TFES : 0));
}

static void post_pio_setup(
	struct hba *hba, unsigned port, const struct hba_slot *s, uint32_t bytes, bool last)
{
	const struct ata_command *c = &s->command;
	bool in = s->plan.direction == ATA_IN;
	uint8_t fis[20] = {0x5f, (uint8_t)((in ? 0x20 : 0) | 0x40), 0x58, 0, (uint8_t)c->lba,
		(uint8_t)(c->lba >> 8), (uint8_t)(c->lba >> 16), c->device, 0, 0, 0, 0, (uint8_t)c->count, 0,
		0, in && last ? 0x50 : 0xd0, (uint8_t)bytes, (uint8_t)(bytes >> 8)};

	hba_post_fis(hba, port, PIO_SETUP, fis, sizeof(fis));
}

static void post_set_bits(struct hba *hba, unsigned port, uint8_t status, uint8_t error, uint32_t done)
{
	struct hba_port *p = &hba->port[port];
	uint8_t fis[8] = {0xa1, 0x40, status & 0x77, error};

	memcpy(fis + 4, &done, 4);
	hba_post_fis(hba, port, SET_BITS, fis, sizeof(fis));
	p->sact &= ~done;
	/* BSY and DRQ are not in this FIS. */
	p->tfd = (p->tfd & (PXTFD_BSY | PXTFD_DRQ)) | (status & 0x77) | (uint32_t)error << 8;
	hba_raise(hba, port, PXIS_SDBS | (status & PXTFD_ERR ? PXIS_TFES : 0));
}

/*
 * Walks the PRD table over `bytes` bytes of `data`; `from_memory` tells the
 * direction. Returns the bytes moved: fewer where the table is too short.
 */
static uint32_t walk(struct hba *hba, unsigned port, const struct hba_slot *s, uint8_t *data, uint32_t bytes,
	bool from_memory)
{
	uint32_t moved = 0;

	for (unsigned i = 0; i < s->prds && moved < bytes; i++) {
		const struct prd *entry = bus_dma(hba->bus, s->table + 0x80 + i * 16, 16);
		struct prd prd;
		uint8_t *memory;
		uint32_t length;

		if (!entry)
			return moved;
		prd = *entry;
		length = (prd.bytes & 0x3fffff) + 1;
		if (hba->port[port].strict && (length & 1 || prd.address & 1))
			bus_fault(hba->bus, "port %u: PRD %u is odd", port, i);
		if (length > bytes - moved)
			length = bytes - moved;
		memory = bus_dma(hba->bus, prd.address | (uint64_t)prd.address_high << 32, length);
		if (memory && from_memory)
			memcpy(data + moved, memory, length);
		else if (memory)
			memcpy(memory, data + moved, length);
		if (prd.bytes >> 31)
			hba->port[port].interrupts |= PXIS_DPS;
		moved += length;
	}
	return moved;
}

static void move_pio_setups(struct hba *hba, unsigned port, const struct hba_slot *s)
{
	for (uint32_t at = 0; at < s->plan.bytes; at += s->plan.block) {
		uint32_t left = s->plan.bytes - at;
		bool last = left <= s->plan.block;

		post_pio_setup(hba, port, s, last ? left : s->plan.block, last);
	}
	hba->port[port].interrupts |= PXIS_PSS;
}

void hba_move(struct hba *hba, unsigned port, unsigned slot)
{
	struct hba_port *p = &hba->port[port];
	struct hba_slot *s = &p->slot[slot];
	struct header *header;
	uint8_t *data = NULL;
	uint32_t bytes = s->plan.bytes, moved = 0;

	if (!(p->accepted >> slot & 1) || p->moved >> slot & 1 || !(p->cmd & PXCMD_CR))
		return;
	p->moved |= 1u << slot;
	if (s->control || (s->error && !bytes))
		return;
	if (s->plan.ncq) {
		uint8_t setup[28] = {0x41, s->plan.direction == ATA_IN ? 0x20 : 0, 0, 0, (uint8_t)slot};

		hba_post_fis(hba, port, DMA_SETUP, setup, sizeof(setup));
	}
	if (s->plan.pio && bytes)
		move_pio_setups(hba, port, s);
	if (bytes)
		data = malloc(bytes);
	if (s->plan.direction == ATA_OUT) {
		moved = walk(hba, port, s, data, bytes, true);
		if (moved < bytes) /* the disk waits for the rest for ever; nothing is written */
			s->error = ATA_ABRT;
	}
	if (s->plan.direction == ATA_IN)
		s->error |= ata_disk_in(p->disk, &s->command, data, bytes);
	else if (!s->error)
		s->error = ata_disk_out(p->disk, &s->command, data, bytes);
	if (s->plan.direction == ATA_IN && (!s->error || s->error == ATA_UNC)) {
		moved = walk(hba, port, s, data, bytes, false);
		if (moved < bytes)
			p->interrupts |= PXIS_OFS;
	}
	free(data);
	header = header_of(hba, p, slot);
	if (header && !s->plan.ncq)
		header->transferred = moved;
}

static void finish_queued(struct hba *hba, unsigned port, unsigned slot)
{
	struct hba_port *p = &hba->port[port];
	struct hba_slot *s = &p->slot[slot];

	if (!s->error) {
		post_set_bits(hba, port, 0x50, 0, 1u << slot);
		return;
	}
	/* The disk gives all queued commands up; SACT keeps their bits. */
	ata_disk_ncq_failed(p->disk, &s->command, 0x41, s->error);
	p->accepted = p->moved = 0;
	p->halted = true;
	post_set_bits(hba, port, 0x41, s->error, 0);
}

static void finish_single(struct hba *hba, unsigned port, unsigned slot)
{
	struct hba_port *p = &hba->port[port];
	struct hba_slot *s = &p->slot[slot];

	if (s->control) {
		p->ci &= ~(1u << slot);
		return;
	}
	if (s->error) {
		p->halted = true;
		p->accepted = p->moved = 0;
		hba_post_status(hba, port, &s->command, 0x51, s->error, true);
		return;
	}
	p->ci &= ~(1u << slot);
	if (s->plan.pio && s->plan.direction == ATA_IN)
		p->tfd = 0x50; /* E_STATUS of the last PIO Setup FIS; no register FIS follows */
	else
		hba_post_status(hba, port, &s->command, 0x50, 0, true);
}

void hba_finish(struct hba *hba, unsigned port, unsigned slot)
{
	struct hba_port *p = &hba->port[port];
	uint32_t bits;

	if (!(p->accepted >> slot & 1) || !(p->cmd & PXCMD_CR))
		return;
	hba_move(hba, port, slot);
	p->accepted &= ~(1u << slot);
	p->moved &= ~(1u << slot);
	bits = p->interrupts;
	p->interrupts = 0;
	if (p->slot[slot].plan.ncq)
		finish_queued(hba, port, slot);
	else
		finish_single(hba, port, slot);
	if (bits)
		hba_raise(hba, port, bits);
}

static void fetch_control(struct hba *hba, unsigned port, struct hba_slot *s, uint32_t flags)
{
	struct hba_port *p = &hba->port[port];

	s->control = true;
	s->plan = (struct ata_plan){0};
	if (p->strict && !p->rude && !(flags & 0x400))
		bus_fault(hba->bus, "port %u: a control FIS that nobody answers, without bit C", port);
	if (s->command.control & 4) {
		ata_disk_reset(p->disk);
		p->stale = false;
		p->accepted = p->moved = 0;
		p->tfd = 0x80;
	} else if (p->tfd & PXTFD_BSY) {
		p->signature = true;
	}
}

static int next_slot(const struct hba_port *p)
{
	if (!(p->cmd & PXCMD_ST) || !(p->cmd & PXCMD_CR) || p->halted || !p->disk || !p->ci ||
		(p->ssts & 15) != 3)
		return -1;
	for (unsigned i = 1; i <= MODEL_SLOTS; i++) {
		unsigned slot = (p->last + i) % MODEL_SLOTS;

		if (p->ci >> slot & 1 && !(p->accepted >> slot & 1))
			return (int)slot;
	}
	return -1;
}

/* Whether the command that the disk is executing keeps it from taking another. */
static bool busy(const struct hba_port *p)
{
	for (uint32_t rest = p->accepted; rest; rest &= rest - 1)
		if (!p->slot[__builtin_ctz(rest)].plan.ncq)
			return true;
	return false;
}

int hba_fetch(struct hba *hba, unsigned port)
{
	struct hba_port *p = &hba->port[port];
	int slot = next_slot(p);
	struct header *header;
	const uint8_t *fis;
	struct hba_slot *s;

	if (slot < 0)
		return -1;
	header = header_of(hba, p, (unsigned)slot);
	if (!header)
		goto bus_error;
	s = &p->slot[slot];
	*s = (struct hba_slot){0};
	s->table = header->table | (uint64_t)header->table_high << 32;
	s->prds = (uint16_t)(header->flags >> 16);
	if (p->strict && ((header->flags & 0x1f) != 5 || header->table & 0x7f))
		bus_fault(hba->bus, "port %u: header %x, table %llx", port, header->flags,
			(unsigned long long)s->table);
	fis = bus_dma(hba->bus, s->table, 64);
	if (!fis)
		goto bus_error;
	s->command = ata_command_parse(fis);
	if (p->strict && fis[0] != 0x27)
		bus_fault(hba->bus, "port %u: a FIS of type %x", port, fis[0]);
	if (!s->command.update) {
		p->last = (uint8_t)slot;
		fetch_control(hba, port, s, header->flags);
		p->accepted |= 1u << slot;
		return slot;
	}
	if (busy(p) || p->tfd & (PXTFD_BSY | PXTFD_DRQ))
		return -1;
	p->last = (uint8_t)slot;
	s->error = ata_disk_plan(p->disk, &s->command, &s->plan);
	if (p->strict && ata_row(s->command.command)->unit == ATA_SECTORS && s->plan.bytes &&
		(s->plan.direction == ATA_OUT) != (header->flags >> 6 & 1))
		bus_fault(hba->bus, "port %u: command %x with W %u", port, s->command.command,
			header->flags >> 6 & 1);
	/* Queued and other commands do not mix: the disk gives up what it has. */
	if (p->stale || (p->accepted && !s->plan.ncq))
		s->error = ATA_ABRT;
	p->stale = false;
	p->accepted |= 1u << slot;
	if (s->plan.ncq) {
		if (p->strict && (s->command.count >> 3 & 31) != slot)
			bus_fault(hba->bus, "port %u: tag %u in slot %d", port, s->command.count >> 3 & 31,
				slot);
		/* Taken into the queue: BSY was set and is clear again. */
		p->ci &= ~(1u << slot);
	} else {
		p->tfd |= PXTFD_BSY;
	}
	return slot;

bus_error:
	p->halted = true;
	hba_raise(hba, port, PXIS_HBFS);
	return -1;
}

void hba_run(struct hba *hba)
{
	bool more = true;

	while (more) {
		more = false;
		for (uint32_t ports = hba->pi; ports; ports &= ports - 1) {
			unsigned port = (unsigned)__builtin_ctz(ports);
			struct hba_port *p = &hba->port[port];

			while (hba_fetch(hba, port) >= 0)
				more = true;
			while (p->accepted && p->cmd & PXCMD_CR) {
				hba_finish(hba, port, (unsigned)__builtin_ctz(p->accepted));
				more = true;
			}
		}
	}
}
