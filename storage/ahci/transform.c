/* SPDX-License-Identifier: Apache-2.0 */
/* Between plaintext and ciphertext: what is in place already, and what comes from the guest. */
#include "storage/ahci/internal.h"
#include "storage/volume/transform.h"

/* The whole chunk in bounce memory, in place. */
void transform_bounce(const struct port *port, const struct slot *slot, bool encrypt, struct cipher_scope *scope)
{
	const uint32_t size = port->map->lba_size;

	transform_memory(port->map, slot->device_lba * size, slot->bounce, slot->device_count * size, encrypt, scope);
}

/* Our own table's entries: the guest cannot change them. */
struct table {
	const struct ahci *ahci;
	const struct command_table *command;
};

static uint8_t *table_piece(const void *context, uint32_t index, uint32_t *bytes)
{
	const struct table *table = context;
	const struct prd *prd = &table->command->prd[index];

	*bytes = PRD_BYTES(prd);
	return guest_memory(table->ahci, prd->address, *bytes);
}

/* A read that the device has put into the guest's buffers: decrypted where it lies. */
void transform_direct(const struct ahci *ahci, const struct port *port, unsigned tag, struct cipher_scope *scope)
{
	const struct slot *slot = &port->slot[tag];
	const struct table table = {ahci, &port->table[tag]};
	const uint64_t size = port->map->lba_size;

	transform_pieces(port->map, slot->device_lba * size, slot->device_count * size, false,
		&(struct pieces){table_piece, &table}, scope);
}

/* One run of a write: whole sectors straight from the guest's pieces, split ones by way of the bounce. */
static int encrypt_run(const struct ahci *ahci, const struct slot *slot, struct sg_cursor *cursor,
	const struct disk_range *range, uint64_t tweak, uint8_t *to, uint32_t bytes)
{
	while (bytes) {
		struct sg_cursor here = *cursor;
		uint32_t part;
		const uint8_t *piece = scatter_piece(ahci, slot, &here, bytes, &part);

		if (!piece)
			return -1;
		part -= part % range->sector_size;
		if (part) {
			if (scatter_skip(ahci, slot, cursor, part))
				return -1;
			xts_encrypt(range->key, tweak, range->sector_size, piece, to, part);
		} else {
			part = range->sector_size;
			if (scatter_copy_in(ahci, slot, cursor, to, part))
				return -1;
			xts_encrypt(range->key, tweak, range->sector_size, to, to, part);
		}
		tweak += part / 512;
		to += part;
		bytes -= part;
	}
	return 0;
}

/* An aligned write: the guest's plaintext becomes ciphertext in bounce memory. Moves slot->end. */
int transform_from_guest(const struct ahci *ahci, const struct port *port, struct slot *slot,
	struct cipher_scope *scope)
{
	uint8_t *to = slot->bounce;
	uint64_t lba = slot->lba, left = slot->count;
	int error = 0;

	slot->end = slot->start;
	while (left && !error) {
		struct disk_run run = disk_map_run(port->map, lba, left);
		uint32_t bytes = (uint32_t)run.count * port->map->lba_size;

		if (run.range && run.range->kind == SECTOR_CIPHERTEXT) {
			cipher_begin(scope);
			error = encrypt_run(ahci, slot, &slot->end, run.range,
				disk_range_tweak(port->map, run.range, lba), to, bytes);
		} else {
			error = scatter_copy_in(ahci, slot, &slot->end, to, bytes);
		}
		to += bytes;
		lba += run.count;
		left -= run.count;
	}
	return error;
}
