/* SPDX-License-Identifier: Apache-2.0 */
/* Registers, interrupt line and bus master of the model channel. */
#include "tests/model/channel.h"
#include <stdlib.h>
#include <string.h>

#define PATIENCE 3 /* looks at a busy drive until it has gone on */

void channel_init(struct channel *ch, struct bus *bus)
{
	memset(ch, 0, sizeof(*ch));
	ch->bus = bus;
}

void channel_free(struct channel *ch)
{
	for (unsigned i = 0; i < CHANNEL_DRIVES; i++)
		drive_drop(&ch->drive[i]);
}

void channel_connect(struct channel *ch, unsigned drive, struct ata_disk *disk)
{
	ch->drive[drive].disk = disk;
	drive_signature(&ch->drive[drive]);
}

void channel_connect_packet(struct channel *ch, unsigned drive)
{
	ch->drive[drive].packet = true;
	drive_signature(&ch->drive[drive]);
}

static bool is_present(const struct channel_drive *d)
{
	return d->disk || d->packet;
}

static struct channel_drive *selected(struct channel *ch)
{
	return &ch->drive[ch->unit];
}

/* INTRQ is the selected drive's, and reaches the host unless nIEN is set. */
void channel_update_line(struct channel *ch)
{
	bool line = selected(ch)->pending && !(ch->control & CTL_NIEN);

	if (line && !ch->line) {
		ch->edge = true;
		ch->bm_status |= BM_INTR;
	}
	ch->line = line;
}

bool channel_take_interrupt(struct channel *ch)
{
	bool edge = ch->edge;

	ch->edge = false;
	return edge;
}

bool channel_step(struct channel *ch)
{
	bool went_on = false;

	ch->looks = 0;
	for (unsigned i = 0; i < CHANNEL_DRIVES && !ch->stuck; i++)
		if (is_present(&ch->drive[i]))
			went_on |= drive_step(ch, i);
	channel_update_line(ch);
	return went_on;
}

/* ---- reads ------------------------------------------------------------------------------------------------- */

static uint8_t read_status(struct channel *ch, bool acknowledges)
{
	struct channel_drive *d = selected(ch);
	uint8_t status = d->status;

	if (!is_present(d))
		return 0; /* drive 0 answers for an absent drive 1 */
	if (acknowledges)
		d->pending = false;
	channel_update_line(ch);
	if ((status & ST_BSY || d->phase == PHASE_DMA) && ++ch->looks > PATIENCE)
		channel_step(ch);
	return status;
}

static uint8_t read_half(const struct channel *ch, uint16_t value)
{
	return (uint8_t)(ch->control & CTL_HOB ? value >> 8 : value);
}

static bool is_empty(const struct channel *ch)
{
	return !is_present(&ch->drive[0]) && !is_present(&ch->drive[1]);
}

uint32_t channel_in(struct channel *ch, unsigned port)
{
	struct channel_drive *d = selected(ch);

	ch->reads++;
	switch (port) {
	case PORT_BM_COMMAND:
		return ch->bm_command;
	case PORT_BM_STATUS:
		return ch->bm_status;
	case PORT_BM_PRD:
		return ch->bm_prd;
	}
	if (is_empty(ch))
		return 0xff;
	switch (port) {
	case PORT_COMMAND:
	case PORT_CONTROL:
		return read_status(ch, port == PORT_COMMAND);
	case PORT_DEVICE:
		return ch->device;
	}
	if (!is_present(d))
		return 0;
	if (d->status & ST_BSY)
		return d->status;
	switch (port) {
	case PORT_FEATURES:
		return d->error;
	case PORT_COUNT:
		return read_half(ch, d->count);
	default:
		return port <= PORT_LBA_HIGH ? read_half(ch, d->lba[port - PORT_LBA_LOW]) : 0xff;
	}
}

/* ---- writes ------------------------------------------------------------------------------------------------- */

static void push(uint16_t *reg, uint8_t value)
{
	*reg = (uint16_t)(*reg << 8 | value);
}

/* Every drive hears what is written to the registers. */
static void write_register(struct channel *ch, unsigned port, uint8_t value)
{
	struct channel_drive *d = selected(ch);

	if (d->strict && d->status & (ST_BSY | ST_DRQ))
		bus_fault(ch->bus, "register %u written while the status is %x", port, d->status);
	if (d->status & (ST_BSY | ST_DRQ))
		return;
	ch->control &= (uint8_t)~CTL_HOB;
	if (port == PORT_DEVICE) {
		ch->device = value;
		ch->unit = value >> 4 & 1;
		channel_update_line(ch);
		return;
	}
	for (unsigned i = 0; i < CHANNEL_DRIVES; i++) {
		struct channel_drive *each = &ch->drive[i];

		push(port == PORT_FEATURES ? &each->features :
			port == PORT_COUNT ? &each->count :
					     &each->lba[port - PORT_LBA_LOW],
			value);
	}
}

static void write_command(struct channel *ch, uint8_t opcode)
{
	struct channel_drive *d = selected(ch);

	ch->control &= (uint8_t)~CTL_HOB;
	if (!is_present(d))
		return;
	if (d->packet && opcode == 0x08) {
		drive_drop(d);
		drive_signature(d);
		return;
	}
	if (d->status & (ST_BSY | ST_DRQ)) {
		if (d->strict)
			bus_fault(ch->bus, "command %x while the status is %x", opcode, d->status);
		return;
	}
	d->pending = false;
	channel_update_line(ch);
	drive_command(ch, ch->unit, opcode);
}

static void write_control(struct channel *ch, uint8_t value)
{
	bool was = ch->control & CTL_SRST;

	ch->control = value;
	for (unsigned i = 0; i < CHANNEL_DRIVES; i++) {
		struct channel_drive *d = &ch->drive[i];

		if (!is_present(d))
			continue;
		if (value & CTL_SRST) {
			drive_drop(d);
			d->status = ST_BSY;
			d->pending = false;
		} else if (was) {
			d->phase = PHASE_RESET;
		}
	}
	if (value & CTL_SRST) {
		ch->device = 0;
		if (!ch->keeps_unit)
			ch->unit = 0;
	}
	channel_update_line(ch);
}

static void write_bm_command(struct channel *ch, uint8_t value)
{
	bool was = ch->bm_command & BM_RUN;

	ch->bm_command = value & (BM_RUN | BM_READS);
	if (!(value & BM_RUN))
		ch->bm_status &= (uint8_t)~BM_ACTIVE;
	else if (!was)
		ch->bm_status |= BM_ACTIVE;
}

void channel_out(struct channel *ch, unsigned port, uint32_t value)
{
	ch->writes++;
	switch (port) {
	case PORT_COMMAND:
		write_command(ch, (uint8_t)value);
		return;
	case PORT_CONTROL:
		write_control(ch, (uint8_t)value);
		return;
	case PORT_BM_COMMAND:
		write_bm_command(ch, (uint8_t)value);
		return;
	case PORT_BM_STATUS:
		ch->bm_status = (uint8_t)((value & 0x60) | (ch->bm_status & BM_ACTIVE) |
					  (ch->bm_status & ~value & (BM_INTR | BM_ERROR)));
		return;
	case PORT_BM_PRD:
		ch->bm_prd = value & ~3u;
		return;
	default:
		if (port >= PORT_FEATURES && port <= PORT_DEVICE)
			write_register(ch, port, (uint8_t)value);
	}
}

/* ---- data ---------------------------------------------------------------------------------------------------- */

static bool may_move(struct channel *ch, struct channel_drive *d, bool in, uint32_t bytes)
{
	bool right = is_present(d) && d->phase == PHASE_BLOCK && (d->plan.direction == ATA_IN) == in &&
		     bytes <= d->end - d->at;

	if (!right && d->strict)
		bus_fault(ch->bus, "%u bytes of data %s in phase %d, %u are asked for", bytes,
			in ? "read" : "written", d->phase, d->end - d->at);
	return right;
}

void channel_data_in(struct channel *ch, void *to, uint32_t words)
{
	struct channel_drive *d = selected(ch);

	memset(to, 0x5a, 2 * words);
	if (!may_move(ch, d, true, 2 * words))
		return;
	memcpy(to, d->data + d->at, 2 * words);
	d->at += 2 * words;
	if (d->at == d->end)
		drive_block_end(ch, d);
}

void channel_data_out(struct channel *ch, const void *from, uint32_t words)
{
	struct channel_drive *d = selected(ch);

	if (!may_move(ch, d, false, 2 * words))
		return;
	memcpy(d->data + d->at, from, 2 * words);
	d->at += 2 * words;
	if (d->at == d->end)
		drive_block_end(ch, d);
}

/* ---- the bus master ------------------------------------------------------------------------------------------- */

uint32_t channel_walk(struct channel *ch, uint8_t *data, uint32_t bytes, bool to_memory)
{
	uint32_t moved = 0;

	for (uint32_t at = ch->bm_prd; moved < bytes; at += 8) {
		const void *entry = bus_dma(ch->bus, at, 8);
		uint32_t address, size, length;
		uint8_t *memory;

		if (!entry)
			return moved;
		memcpy(&address, entry, 4);
		memcpy(&size, (const uint8_t *)entry + 4, 4);
		length = size & 0xffff ? size & 0xffff : 0x10000;
		if (address & 1 || length & 1)
			bus_fault(ch->bus, "a PRD of %u bytes at %x", length, address);
		if ((address & 0xffff) + length > 0x10000 || (at ^ ch->bm_prd) >> 16)
			bus_fault(ch->bus, "a PRD at %x, in a table at %x, crosses 64 KiB", address, ch->bm_prd);
		if (length > bytes - moved)
			length = bytes - moved;
		memory = bus_dma(ch->bus, address, length);
		if (memory && to_memory)
			memcpy(memory, data + moved, length);
		else if (memory)
			memcpy(data + moved, memory, length);
		moved += length;
		if (size >> 31) {
			ch->bm_status &= (uint8_t)~BM_ACTIVE;
			break;
		}
	}
	return moved;
}
