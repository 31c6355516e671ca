/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between plaintext and ciphertext, run by run of the disk's map. In XTS each block
 * of 16 bytes stands for itself, given its sector's tweak: a part of a cipher
 * sector is transformed without the rest of it, which only keeps the place.
 */
#include "storage/ata/internal.h"
#include "storage/crypt/wipe.h"

/* Data that lies in one piece, or in the regions of our table. */
struct place {
	const struct ata *ata; /* NULL: one piece */
	uint8_t *memory;
	uint32_t entry, offset;
};

static uint8_t *piece(const struct place *place, uint32_t *bytes)
{
	if (!place->ata) {
		*bytes = UINT32_MAX;
		return place->memory;
	}
	const struct prd *prd = &place->ata->table[place->entry];

	*bytes = PRD_SIZE(prd) - place->offset;
	return (uint8_t *)guest_memory(place->ata, prd->address, PRD_SIZE(prd)) + place->offset;
}

static void advance(struct place *place, uint32_t bytes)
{
	if (!place->ata) {
		place->memory += bytes;
		return;
	}
	place->offset += bytes;
	if (place->offset == PRD_SIZE(&place->ata->table[place->entry])) {
		place->entry++;
		place->offset = 0;
	}
}

static void skip(struct place *place, uint64_t bytes)
{
	while (bytes) {
		uint32_t part;

		piece(place, &part);
		part = part < bytes ? part : (uint32_t)bytes;
		advance(place, part);
		bytes -= part;
	}
}

/* Between the place and a buffer; the place moves on. */
static void copy(struct place *place, uint8_t *buffer, uint32_t bytes, bool to_place)
{
	for (uint32_t done = 0, part; done < bytes; done += part) {
		uint8_t *memory = piece(place, &part);

		part = part < bytes - done ? part : bytes - done;
		if (to_place)
			memcpy(memory, buffer + done, part);
		else
			memcpy(buffer + done, memory, part);
		advance(place, part);
	}
}

static void apply(const struct disk_range *range, uint64_t tweak, bool encrypt, uint8_t *memory, uint32_t bytes)
{
	if (encrypt)
		xts_encrypt(range->key, tweak, range->sector_size, memory, memory, bytes);
	else
		xts_decrypt(range->key, tweak, range->sector_size, memory, memory, bytes);
}

/* `bytes` of one cipher sector from `into` on, gathered and scattered again. */
static void transform_split(struct place *place, const struct disk_range *range, uint64_t tweak, uint32_t into,
	uint32_t bytes, bool encrypt)
{
	uint8_t sector[CIPHER_MAX] __attribute__((aligned(16))) = {0};
	struct place back = *place;

	copy(place, sector + into, bytes, false);
	apply(range, tweak, encrypt, sector, range->sector_size);
	copy(&back, sector + into, bytes, true);
	secret_wipe(sector, sizeof(sector));
}

/* `offset` is that of the data in the range, in bytes. */
static void transform_range(struct place *place, const struct disk_range *range, uint64_t offset, uint64_t bytes,
	bool encrypt)
{
	uint32_t unit = range->sector_size;

	while (bytes) {
		uint32_t into = (uint32_t)(offset % unit), part;
		uint64_t tweak = range->iv_offset + (offset - into) / 512;
		uint8_t *memory = piece(place, &part);

		part = part < bytes ? part : (uint32_t)bytes;
		part -= part % unit;
		if (part && !into) {
			apply(range, tweak, encrypt, memory, part);
			advance(place, part);
		} else {
			part = unit - into < bytes ? unit - into : (uint32_t)bytes;
			transform_split(place, range, tweak, into, part, encrypt);
		}
		offset += part;
		bytes -= part;
	}
}

static void transform(struct place *place, const struct disk_map *map, uint64_t at, uint64_t bytes, bool encrypt,
	struct cipher_scope *scope)
{
	while (bytes) {
		uint64_t lba = at / map->lba_size, into = at % map->lba_size;
		struct disk_run run = disk_map_run(map, lba, (into + bytes + map->lba_size - 1) / map->lba_size);
		uint64_t part = run.count * map->lba_size - into;

		part = part < bytes ? part : bytes;
		if (run.range && run.range->kind == SECTOR_CIPHERTEXT) {
			cipher_begin(scope);
			transform_range(place, run.range, at - run.range->first_lba * map->lba_size, part, encrypt);
		} else {
			skip(place, part);
		}
		at += part;
		bytes -= part;
	}
}

void transform_memory(const struct disk_map *map, uint64_t at, uint8_t *memory, uint32_t bytes, bool encrypt,
	struct cipher_scope *scope)
{
	struct place place = {NULL, memory, 0, 0};

	transform(&place, map, at, bytes, encrypt, scope);
}

void transform_table(const struct ata *ata, uint64_t at, uint64_t bytes, struct cipher_scope *scope)
{
	struct place place = {ata, NULL, 0, 0};

	transform(&place, map_of(ata), at, bytes, false, scope);
}
