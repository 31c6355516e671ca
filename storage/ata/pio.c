/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Data through the data register. The drive is asked for a piece when the guest
 * reads its first word, and given one when the guest has written its last: words in
 * between cost the drive nothing, and what it has not asked for does not reach it.
 *
 * A write that touches pinned bytes is gathered: block by block it is taken from the
 * guest, looked at, and made a command of the drive's own, so that the drive can be
 * made to abort it. Each block ends with the interrupt that the guest expects of it.
 */
#include "storage/ata/internal.h"
#include "storage/ata_commands/identify.h"
#include "storage/crypt/wipe.h"

/* ACS-3, 7.12.7: sectors of a block of READ and WRITE MULTIPLE. */
#define IDENTIFY_MULTIPLE       59
#define IDENTIFY_MULTIPLE_VALID 0x100u

static bool asks(uint8_t status)
{
	return (status & (STATUS_BSY | STATUS_DRQ)) == STATUS_DRQ && status != STATUS_NOBODY_IDLE;
}

/* The drive of the command in flight wants to move data: no other can be selected meanwhile. */
static bool is_asked_for(const struct ata *ata)
{
	return asks(device_in(ata, ATA_CONTROL));
}

static uint64_t place_on_disk(const struct ata *ata)
{
	return ata->command.lba * map_of(ata)->lba_size + ata->moved;
}

/* A driver that finds the size of blocks set does not set it. */
static void fetch_identify(struct ata *ata)
{
	uint16_t word = ((const uint16_t *)ata->piece)[IDENTIFY_MULTIPLE];

	ata->drive[ata->busy].multiple = word & IDENTIFY_MULTIPLE_VALID ? (uint8_t)word : 0;
	identify_adjust((uint16_t *)ata->piece);
}

static bool fetch_piece(struct ata *ata, struct cipher_scope *scope)
{
	if (ata->flow != FLOW_PIO_IN || !is_asked_for(ata))
		return false;
	ata->env->data_in(ata->env->context, ata->piece, PIECE_BYTES / 2);
	if (ata->command.class == COMMAND_READ)
		transform_memory(map_of(ata), place_on_disk(ata), ata->piece, PIECE_BYTES, false, scope);
	else if (ata->command.class == COMMAND_IDENTIFY)
		fetch_identify(ata);
	ata->piece_full = true;
	ata->piece_at = 0;
	return true;
}

static void finish_piece_in(struct ata *ata)
{
	ata->piece_full = false;
	ata->moved += PIECE_BYTES;
	if (ata->moved >= ata->total)
		command_forget(ata);
}

static bool passes(const struct ata *ata)
{
	return ata->flow == FLOW_PASS && ata->busy == selected(ata);
}

void pio_in(struct ata *ata, uint8_t *to, uint32_t bytes, struct cipher_scope *scope)
{
	if (passes(ata)) {
		ata->env->data_in(ata->env->context, to, bytes / 2);
		return;
	}
	while (bytes) {
		uint32_t part;

		if (!ata->piece_full && !fetch_piece(ata, scope)) {
			memset(to, 0xff, bytes);
			return;
		}
		part = PIECE_BYTES - ata->piece_at < bytes ? PIECE_BYTES - ata->piece_at : bytes;
		memcpy(to, ata->piece + ata->piece_at, part);
		ata->piece_at += part;
		if (ata->piece_at == PIECE_BYTES)
			finish_piece_in(ata);
		to += part;
		bytes -= part;
	}
}

/* False where the drive does not ask for it: it has ended the command while the guest wrote. */
static bool give(struct ata *ata, uint8_t *piece, struct cipher_scope *scope)
{
	if (!is_asked_for(ata))
		return false;
	transform_memory(map_of(ata), place_on_disk(ata), piece, PIECE_BYTES, true, scope);
	ata->env->data_out(ata->env->context, piece, PIECE_BYTES / 2);
	ata->moved += PIECE_BYTES;
	return true;
}

static void give_piece(struct ata *ata, struct cipher_scope *scope)
{
	ata->piece_at = 0;
	if (!give(ata, ata->piece, scope) || ata->moved >= ata->total)
		command_forget(ata);
}

/* ---- gathered writes ------------------------------------------------------------------------------------ */

void gather_begin(struct ata *ata)
{
	uint64_t left = ata->total - ata->moved;
	uint32_t sectors = ata->command.protocol == BY_PIO_MULTIPLE ? ata->drive[ata->busy].multiple : 1;

	ata->flow = FLOW_GATHER;
	ata->block = sectors * map_of(ata)->lba_size;
	if (ata->block > left)
		ata->block = (uint32_t)left;
	ata->piece_at = 0;
}

static void give_block(struct ata *ata, struct cipher_scope *scope)
{
	for (uint32_t at = 0; at < ata->block; at += PIECE_BYTES)
		if (!give(ata, ata->bounce + at, scope)) {
			log_warning("%s: drive %u does not take the whole of a block", ata->name, ata->busy);
			command_forget(ata);
			return;
		}
}

/* The whole block is here: a command of its own. */
static void write_block(struct ata *ata, struct cipher_scope *scope)
{
	const struct disk_map *map = map_of(ata);
	uint64_t lba = ata->command.lba + ata->moved / map->lba_size;
	uint32_t count = ata->block / map->lba_size;
	struct fis_h2d fis = ata->fis;
	uint8_t status;

	if (!disk_map_keeps_pins(map, lba, count, ata->bounce)) {
		command_refuse(ata, "it changes the partition table where a protected partition stands");
		return;
	}
	command_set_range(&fis, ata->command.address, lba, count);
	command_issue(ata, &fis);
	ata->flow = FLOW_GATHERED;
	/* No interrupt tells of the first block of a write. */
	if (!wait_while(ata, STATUS_BSY, &status))
		log_warning("%s: drive %u does not ask for the data of a write", ata->name, ata->busy);
	else if (asks(status))
		give_block(ata, scope);
}

/* ---- both ------------------------------------------------------------------------------------------------ */

static bool takes_data(const struct ata *ata)
{
	if (ata->flow == FLOW_GATHER)
		return true;
	return ata->flow == FLOW_PIO_OUT && (ata->piece_at || is_asked_for(ata));
}

void pio_out(struct ata *ata, const uint8_t *from, uint32_t bytes, struct cipher_scope *scope)
{
	if (passes(ata)) {
		ata->env->data_out(ata->env->context, from, bytes / 2);
		return;
	}
	while (bytes && takes_data(ata)) {
		bool gathers = ata->flow == FLOW_GATHER;
		uint8_t *to = gathers ? ata->bounce : ata->piece;
		uint32_t size = gathers ? ata->block : PIECE_BYTES;
		uint32_t part = size - ata->piece_at < bytes ? size - ata->piece_at : bytes;

		memcpy(to + ata->piece_at, from, part);
		ata->piece_at += part;
		from += part;
		bytes -= part;
		if (ata->piece_at < size)
			return;
		if (gathers)
			write_block(ata, scope);
		else
			give_piece(ata, scope);
	}
}
