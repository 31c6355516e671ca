/* SPDX-License-Identifier: Apache-2.0 */
/* A drive of the model channel at work: the protocols of ATA/ATAPI-7 volume 2, chapter 9. */
#include "tests/model/ata_table.h"
#include "tests/model/channel.h"
#include <stdlib.h>
#include <string.h>

#define IDLE_STATUS (ST_DRDY | ST_DSC)

void channel_packet_pattern(uint32_t sector, uint8_t out[2048])
{
	for (uint32_t i = 0; i < 2048; i++)
		out[i] = (uint8_t)(sector * 7 + i * 3 + (i >> 8));
}

void drive_drop(struct channel_drive *d)
{
	free(d->data);
	d->data = NULL;
	d->phase = PHASE_IDLE;
}

void drive_signature(struct channel_drive *d)
{
	d->count = 1;
	d->lba[0] = 1;
	d->lba[1] = d->packet ? 0x14 : 0;
	d->lba[2] = d->packet ? 0xeb : 0;
	d->error = 1;
	d->status = d->packet ? 0 : IDLE_STATUS;
	if (d->disk)
		ata_disk_reset(d->disk);
}

static void finish(struct channel_drive *d, uint8_t error, bool interrupt)
{
	drive_drop(d);
	d->error = error;
	d->status = (uint8_t)(IDLE_STATUS | (error ? ST_ERR : 0));
	d->pending |= interrupt;
}

static void begin_block(struct channel_drive *d, bool interrupt)
{
	d->end = d->plan.bytes - d->at < d->plan.block ? d->plan.bytes : d->at + d->plan.block;
	d->phase = PHASE_BLOCK;
	d->status = IDLE_STATUS | ST_DRQ;
	d->pending |= interrupt;
}

/* Either of BSY and DRQ is set meanwhile; here DRQ in a disk, BSY in a packet drive. */
static void begin_dma(struct channel_drive *d)
{
	d->phase = PHASE_DMA;
	d->status = IDLE_STATUS | (d->disk ? ST_DRQ : ST_BSY);
}

/* The registers that a command leaves: where it ended. */
static void leave_registers(struct channel_drive *d)
{
	d->count = d->command.count;
	for (int i = 0; i < 3; i++)
		d->lba[i] = (uint16_t)((d->command.lba >> 8 * i & 0xff) | (d->command.lba >> (24 + 8 * i) & 0xff) << 8);
}

/* What the host has written so far goes to the medium, block by block. */
static uint8_t save(struct channel_drive *d)
{
	struct ata_command command = d->command;
	uint32_t sectors;

	if (ata_row(d->command.command)->unit != ATA_SECTORS)
		return d->at == d->plan.bytes ? ata_disk_out(d->disk, &d->command, d->data, d->plan.bytes) : 0;
	sectors = d->saved / d->disk->lba_size;
	command.lba = ata_first_lba(&d->command) + sectors;
	command.device = (uint8_t)((command.device & 0xf0) | (command.lba >> 24 & 15));
	uint8_t error = ata_disk_out(d->disk, &command, d->data + d->saved, d->at - d->saved);

	d->saved = d->at;
	return error;
}

void drive_block_end(struct channel *ch, struct channel_drive *d)
{
	bool last = d->at == d->plan.bytes;

	(void)ch;
	if (d->plan.direction == ATA_IN && last && !d->fails) {
		finish(d, 0, false); /* its interrupt came with the block */
		return;
	}
	d->status = ST_BSY | IDLE_STATUS;
	d->phase = last ? PHASE_LAST : PHASE_NEXT;
}

void drive_command(struct channel *ch, unsigned drive, uint8_t opcode)
{
	struct channel_drive *d = &ch->drive[drive];

	memset(&d->command, 0, sizeof(d->command));
	d->command.command = opcode;
	d->command.device = ch->device;
	d->command.update = true;
	/* Only 48-bit commands look at what was written before. */
	d->command.features = ata_row(opcode)->wide ? d->features : d->features & 0xff;
	d->command.count = ata_row(opcode)->wide ? d->count : d->count & 0xff;
	for (int i = 0; i < 3; i++)
		d->command.lba |= (uint64_t)(d->lba[i] & 0xff) << 8 * i | (uint64_t)(d->lba[i] >> 8) << (24 + 8 * i);
	d->status = ST_BSY | IDLE_STATUS;
	d->phase = PHASE_GIVEN;
	d->at = d->saved = 0;
	d->fails = 0;
}

/* ---- the packet drive ---------------------------------------------------------------------------------------- */

static void packet_given(struct channel *ch, struct channel_drive *d)
{
	(void)ch;
	memset(&d->plan, 0, sizeof(d->plan));
	switch (d->command.command) {
	case 0xa0: /* PACKET: the command packet is asked for */
		d->plan.direction = ATA_OUT;
		d->plan.bytes = d->plan.block = PACKET_BYTES;
		d->data = calloc(1, PACKET_BYTES);
		begin_block(d, false);
		return;
	case 0xa1: /* IDENTIFY PACKET DEVICE */
		d->plan.direction = ATA_IN;
		d->plan.bytes = d->plan.block = 512;
		d->data = calloc(1, 512);
		d->data[1] = 0x85;
		begin_block(d, true);
		return;
	default:
		drive_signature(d);
		finish(d, ATA_ABRT, true);
	}
}

/* READ(10) by PIO or DMA; everything else ends without data. */
static void packet_command(struct channel_drive *d)
{
	uint8_t *packet = d->data;
	uint32_t lba = (uint32_t)packet[2] << 24 | (uint32_t)packet[3] << 16 | (uint32_t)packet[4] << 8 | packet[5];
	uint32_t sectors = (uint32_t)packet[7] << 8 | packet[8];

	if (packet[0] != 0x28 || !sectors) {
		finish(d, 0, true);
		return;
	}
	drive_drop(d);
	d->plan.direction = ATA_IN;
	d->plan.bytes = sectors * 2048;
	d->plan.block = 2048;
	d->data = malloc(d->plan.bytes);
	for (uint32_t i = 0; i < sectors; i++)
		channel_packet_pattern(lba + i, d->data + i * 2048);
	d->at = 0;
	if (d->command.features & 1)
		begin_dma(d);
	else
		begin_block(d, true);
}

/* ---- steps ---------------------------------------------------------------------------------------------------- */

static void given(struct channel *ch, struct channel_drive *d)
{
	uint8_t error = ata_disk_plan(d->disk, &d->command, &d->plan);

	if (d->command.command == 0x90) {
		for (unsigned i = 0; i < CHANNEL_DRIVES; i++)
			drive_signature(&ch->drive[i]);
		ch->device = 0;
		if (!ch->keeps_unit)
			ch->unit = 0;
		d->phase = PHASE_IDLE;
		ch->drive[0].pending = true;
		return;
	}
	/* What lies before a bad sector is read, and that is named. */
	if (error == ATA_UNC && d->plan.direction == ATA_IN && d->plan.bytes) {
		d->fails = error;
		d->plan.pio = ata_row(d->command.command)->pio;
		error = 0;
	}
	/* Queued commands are not for ports. */
	if (d->plan.ncq)
		error = ATA_ABRT;
	if (!error && d->plan.direction == ATA_NO_DATA)
		error = ata_disk_out(d->disk, &d->command, NULL, 0);
	if (error || d->plan.direction == ATA_NO_DATA) {
		leave_registers(d);
		finish(d, error, true);
		return;
	}
	d->data = calloc(1, d->plan.bytes);
	if (d->plan.direction == ATA_IN)
		error = ata_disk_in(d->disk, &d->command, d->data, d->plan.bytes);
	if (error)
		finish(d, error, true);
	else if (d->plan.pio)
		begin_block(d, d->plan.direction == ATA_IN);
	else
		begin_dma(d);
}

static bool dma(struct channel *ch, struct channel_drive *d)
{
	bool in = d->plan.direction == ATA_IN;
	uint32_t moved;
	uint8_t error = 0;

	if (!(ch->bm_status & BM_ACTIVE))
		return false;
	if (d->strict && in != !!(ch->bm_command & BM_READS))
		bus_fault(ch->bus, "the bus master moves the wrong way");
	moved = channel_walk(ch, d->data, d->plan.bytes, in);
	if (moved < d->plan.bytes) {
		if (d->strict)
			bus_fault(ch->bus, "a PRD table of %u bytes for %u", moved, d->plan.bytes);
		ch->bm_status &= (uint8_t)~BM_ACTIVE;
		return false; /* it waits until it is reset */
	}
	if (!in)
		error = ata_disk_out(d->disk, &d->command, d->data, d->plan.bytes);
	if (d->fails)
		d->command.lba = d->disk->bad_lba;
	if (d->disk)
		leave_registers(d);
	finish(d, error ? error : d->fails, true);
	return true;
}

static void last(struct channel_drive *d)
{
	uint8_t error;

	if (d->packet) {
		packet_command(d);
		return;
	}
	if (d->fails)
		d->command.lba = d->disk->bad_lba;
	error = d->fails ? d->fails : save(d);
	leave_registers(d);
	finish(d, error, true);
}

bool drive_step(struct channel *ch, unsigned drive)
{
	struct channel_drive *d = &ch->drive[drive];

	switch (d->phase) {
	case PHASE_IDLE:
	case PHASE_BLOCK:
		return false;
	case PHASE_GIVEN:
		if (d->packet)
			packet_given(ch, d);
		else
			given(ch, d);
		return true;
	case PHASE_NEXT:
		if (d->plan.direction == ATA_OUT)
			save(d);
		begin_block(d, true);
		return true;
	case PHASE_DMA:
		return dma(ch, d);
	case PHASE_LAST:
		last(d);
		return true;
	case PHASE_RESET:
		drive_drop(d);
		drive_signature(d);
		return true;
	}
	return false;
}
