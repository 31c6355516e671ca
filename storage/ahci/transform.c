/* SPDX-License-Identifier: Apache-2.0 */
/* Between plaintext and ciphertext, run by run of the disk's map. */
#include "storage/ahci/internal.h"
#include "storage/crypt/wipe.h"

static void apply(const struct disk_range *range, uint64_t tweak, bool encrypt, const void *from, void *to,
	uint32_t bytes)
{
	if (encrypt)
		xts_encrypt(range->key, tweak, range->sector_size, from, to, bytes);
	else
		xts_decrypt(range->key, tweak, range->sector_size, from, to, bytes);
}

/* The whole chunk in bounce memory, in place. */
void transform_bounce(const struct port *port, const struct slot *slot, bool encrypt, struct cipher_scope *scope)
{
	uint8_t *at = slot->bounce;
	uint64_t lba = slot->device_lba, left = slot->device_count;

	while (left) {
		struct disk_run run = disk_map_run(port->map, lba, left);
		uint32_t bytes = (uint32_t)run.count * port->map->lba_size;

		if (run.range && run.range->kind == SECTOR_CIPHERTEXT) {
			cipher_begin(scope);
			apply(run.range, disk_range_tweak(port->map, run.range, lba), encrypt, at, at, bytes);
		}
		at += bytes;
		lba += run.count;
		left -= run.count;
	}
}

/* Our own table's entries: the guest cannot change them. */
struct table_cursor {
	const struct ahci *ahci;
	const struct command_table *table;
	uint32_t entry, offset;
};

static uint8_t *table_piece(struct table_cursor *cursor, uint32_t *bytes)
{
	const struct prd *prd = &cursor->table->prd[cursor->entry];

	*bytes = PRD_BYTES(prd) - cursor->offset;
	return (uint8_t *)guest_memory(cursor->ahci, prd->address, PRD_BYTES(prd)) + cursor->offset;
}

static void table_advance(struct table_cursor *cursor, uint32_t bytes)
{
	cursor->offset += bytes;
	if (cursor->offset == PRD_BYTES(&cursor->table->prd[cursor->entry])) {
		cursor->entry++;
		cursor->offset = 0;
	}
}

/* A cipher sector that lies in several pieces: gathered, decrypted, scattered. */
static void decrypt_split(const struct disk_range *range, uint64_t tweak, struct table_cursor *cursor)
{
	uint8_t sector[CIPHER_MAX] __attribute__((aligned(16)));
	struct table_cursor back = *cursor;

	for (uint32_t done = 0, part; done < range->sector_size; done += part) {
		const uint8_t *piece = table_piece(cursor, &part);

		part = part < range->sector_size - done ? part : range->sector_size - done;
		memcpy(sector + done, piece, part);
		table_advance(cursor, part);
	}
	apply(range, tweak, false, sector, sector, range->sector_size);
	for (uint32_t done = 0, part; done < range->sector_size; done += part) {
		uint8_t *piece = table_piece(&back, &part);

		part = part < range->sector_size - done ? part : range->sector_size - done;
		memcpy(piece, sector + done, part);
		table_advance(&back, part);
	}
	secret_wipe(sector, sizeof(sector));
}

static void decrypt_run(const struct disk_range *range, uint64_t tweak, struct table_cursor *cursor, uint32_t bytes)
{
	while (bytes) {
		uint32_t part;
		uint8_t *piece = table_piece(cursor, &part);

		part = part < bytes ? part : bytes;
		part -= part % range->sector_size;
		if (part) {
			apply(range, tweak, false, piece, piece, part);
			table_advance(cursor, part);
		} else {
			part = range->sector_size;
			decrypt_split(range, tweak, cursor);
		}
		tweak += part / 512;
		bytes -= part;
	}
}

/* A read that the device has put into the guest's buffers: decrypted where it lies. */
void transform_direct(const struct ahci *ahci, const struct port *port, unsigned tag, struct cipher_scope *scope)
{
	const struct slot *slot = &port->slot[tag];
	struct table_cursor cursor = {ahci, &port->table[tag], 0, 0};
	uint64_t lba = slot->device_lba, left = slot->device_count;

	while (left) {
		struct disk_run run = disk_map_run(port->map, lba, left);
		uint32_t bytes = (uint32_t)run.count * port->map->lba_size;

		if (run.range && run.range->kind == SECTOR_CIPHERTEXT) {
			cipher_begin(scope);
			decrypt_run(run.range, disk_range_tweak(port->map, run.range, lba), &cursor, bytes);
		} else {
			for (uint32_t part; bytes; bytes -= part) {
				table_piece(&cursor, &part);
				part = part < bytes ? part : bytes;
				table_advance(&cursor, part);
			}
		}
		lba += run.count;
		left -= run.count;
	}
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
			apply(range, tweak, true, piece, to, part);
		} else {
			part = range->sector_size;
			if (scatter_copy_in(ahci, slot, cursor, to, part))
				return -1;
			apply(range, tweak, true, to, to, part);
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
