/* SPDX-License-Identifier: Apache-2.0 */
/* Finished chunks: decrypted before the guest is shown anything of them. */
#include "storage/ahci/internal.h"

static void adjust_identify(struct ahci *ahci, const struct slot *slot)
{
	struct sg_cursor in = {0, 0}, out = {0, 0};
	uint16_t words[256];

	if (scatter_copy_in(ahci, slot, &in, words, sizeof(words)))
		return;
	identify_adjust(words);
	scatter_copy_out(ahci, slot, &out, words, sizeof(words));
}

/* The data of a finished chunk reaches the guest. -1: its scatter list is not legal any more. */
static int deliver(struct ahci *ahci, struct port *port, unsigned tag, struct cipher_scope *scope)
{
	struct slot *slot = &port->slot[tag];
	uint32_t lba_size = port->map->lba_size;

	switch (slot->kind) {
	case CHUNK_DIRECT:
		slot->end = slot->start;
		if (slot->command.class == COMMAND_READ)
			transform_direct(ahci, port, tag, scope);
		return slot->done + slot->count == slot->command.count
			       ? 0
			       : scatter_skip(ahci, slot, &slot->end, (uint64_t)slot->count * lba_size);
	case CHUNK_BOUNCE_READ:
		transform_bounce(port, slot, false, scope);
		slot->end = slot->start;
		return scatter_copy_out(ahci, slot, &slot->end,
			slot->bounce + (slot->lba - slot->device_lba) * lba_size, slot->count * lba_size);
	case CHUNK_PASS:
		if (slot->command.class == COMMAND_IDENTIFY)
			adjust_identify(ahci, slot);
		slot->transferred = port->list[tag].prdbc;
		return 0;
	case CHUNK_TRIM:
		slot->transferred = port->list[tag].prdbc;
		return 0;
	case CHUNK_BOUNCE_WRITE:
	case CHUNK_MODIFY_READ:
	case CHUNK_REFUSED:
		break;
	}
	return 0;
}

static void complete(struct ahci *ahci, unsigned number, unsigned tag)
{
	struct port *port = &ahci->port[number];
	struct slot *slot = &port->slot[tag];

	release_bounce(ahci, slot);
	if (port->guest_list)
		*(volatile uint32_t *)&port->guest_list[tag].prdbc = slot->transferred;
	slot->state = SLOT_FREE;
	port->guest_ci &= ~(1u << tag);
	port->guest_sact &= ~(1u << tag);
}

static void count_bytes(struct port *port, const struct slot *slot, uint32_t bytes)
{
	if (slot->command.class == COMMAND_READ)
		port->statistics.bytes_read += bytes;
	else
		port->statistics.bytes_written += bytes;
}

/*
 * The chunk's status is taken back: from PxIS, and from our FIS area, which then
 * holds what the guest has been shown.
 */
static bool hide_chunk(struct ahci *ahci, unsigned number, struct slot *slot)
{
	struct port *port = &ahci->port[number];

	if (!slot->quiet)
		return false;
	device_write(ahci, port_offset(number, PORT_IS), slot->quiet);
	memcpy(port->fis, port->shown, RFIS_USED_BYTES);
	return true;
}

/* One finished chunk: the next half, the next chunk, or the completion. Returns the tag's bit to ring at once. */
static uint32_t finish_chunk(struct ahci *ahci, unsigned number, unsigned tag, bool failed,
	struct cipher_scope *scope)
{
	struct port *port = &ahci->port[number];
	struct slot *slot = &port->slot[tag];
	bool data = slot->command.class == COMMAND_READ || slot->command.class == COMMAND_WRITE;

	port->issued &= ~(1u << tag);
	port->issued_ncq &= ~(1u << tag);
	if (failed || slot->kind == CHUNK_REFUSED) {
		complete(ahci, number, tag);
		return 0;
	}
	if (slot->kind == CHUNK_MODIFY_READ) {
		issue_modified(ahci, number, tag, scope);
		return 1u << tag;
	}
	/*
	 * A list that has gone bad since it was accepted: the guest gets what it asked
	 * for, a transfer to nowhere.
	 */
	if (deliver(ahci, port, tag, scope) || !data) {
		complete(ahci, number, tag);
		return 0;
	}
	slot->done += slot->count;
	slot->transferred += slot->count * port->map->lba_size;
	count_bytes(port, slot, slot->count * port->map->lba_size);
	slot->start = slot->end;
	if (slot->done == slot->command.count) {
		complete(ahci, number, tag);
		return 0;
	}
	release_bounce(ahci, slot);
	slot->state = SLOT_WAITING;
	port->waiting |= 1u << tag;
	return 0;
}

/*
 * A queued command is done when its PxSACT bit is clear, another when its PxCI
 * bit is. When the device has failed one that is not queued, the task file tells.
 */
static uint32_t finished(const struct ahci *ahci, const struct port *port, unsigned number, bool *failed)
{
	uint32_t plain = port->issued & ~port->issued_ncq, done = 0;

	*failed = false;
	if (port->issued_ncq)
		done |= port->issued_ncq & ~device_read(ahci, port_offset(number, PORT_SACT));
	if (plain)
		done |= plain & ~device_read(ahci, port_offset(number, PORT_CI));
	if (done & plain)
		*failed = device_read(ahci, port_offset(number, PORT_TFD)) & (TFD_ERR | TFD_DF);
	return done;
}

static void show_fis(struct port *port, uint32_t offset, uint32_t bytes)
{
	memcpy(port->shown + offset, port->fis + offset, bytes);
	if (port->guest_fis)
		memcpy(port->guest_fis + offset, port->shown + offset, bytes);
}

/* A driver may clear its area and wait for the next FIS: an old one does not come twice. */
void collect_fis(struct port *port)
{
	static const struct {
		uint8_t offset, bytes;
	} areas[] = {{0x00, 28}, {0x20, 20}, {0x40, 20}, {0x58, 8}, {0x60, 64}};

	for (unsigned i = 0; i < sizeof(areas) / sizeof(areas[0]); i++)
		if (memcmp(port->shown + areas[i].offset, port->fis + areas[i].offset, areas[i].bytes))
			show_fis(port, areas[i].offset, areas[i].bytes);
}

bool collect(struct ahci *ahci, unsigned number, struct cipher_scope *scope)
{
	struct port *port = &ahci->port[number];
	uint32_t ring = 0, issued = port->issued;
	bool failed, hidden = false;

	/* A device that stops clears the bits of what it has not done. */
	if (!issued || port->dead || port->stopping)
		return false;
	uint32_t done = finished(ahci, port, number, &failed);

	if (!done)
		return false;
	/* What the device wrote is read after its register said so. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	for (uint32_t rest = done; rest; rest &= rest - 1) {
		unsigned tag = (unsigned)__builtin_ctz(rest);

		ring |= finish_chunk(ahci, number, tag, failed && !port->slot[tag].command.ncq, scope);
	}
	struct slot *slot = &port->slot[__builtin_ctz(done)];

	if (done == issued && slot->state != SLOT_FREE)
		hidden = hide_chunk(ahci, number, slot);
	/* Decrypted, then shown: the FIS area, then the registers. */
	if (!hidden)
		show_fis(port, 0, RFIS_USED_BYTES);
	copy_show_commands(ahci, number);
	if (ring)
		issue_doorbell(ahci, number, ring);
	issue_waiting(ahci, number, scope);
	return hidden;
}

/*
 * A device that meets a bad sector has transferred those before it, names it (ACS-4,
 * 6.2, LBA of the first error), and systems take what lies before it for read. Where
 * nothing was transferred, what is in the buffers means nothing, before and after: nor
 * does it after a reset, when the task file reads as 7Fh.
 */
static void deliver_before_error(struct ahci *ahci, unsigned number)
{
	struct port *port = &ahci->port[number];
	struct cipher_scope scope = {.saved = false};

	if (!(device_read(ahci, port_offset(number, PORT_TFD)) & (TFD_ERR | TFD_DF)))
		return;
	for (uint32_t rest = port->issued; rest; rest &= rest - 1) {
		unsigned tag = (unsigned)__builtin_ctz(rest);

		if (port->slot[tag].kind == CHUNK_DIRECT || port->slot[tag].kind == CHUNK_BOUNCE_READ)
			deliver(ahci, port, tag, &scope);
	}
	cipher_end(&scope);
}

void collect_abandon(struct ahci *ahci, unsigned number)
{
	struct port *port = &ahci->port[number];

	deliver_before_error(ahci, number);
	for (unsigned tag = 0; tag < COMMAND_SLOTS; tag++) {
		release_bounce(ahci, &port->slot[tag]);
		port->slot[tag].state = SLOT_FREE;
	}
	port->issued = port->issued_ncq = port->waiting = 0;
	port->guest_ci = port->guest_sact = 0;
	port->stopping = false;
	copy_show_commands(ahci, number);
}
