/* SPDX-License-Identifier: Apache-2.0 */
#include "storage/volume/transform.h"
#include "storage/crypt/wipe.h"

#define CIPHER_MAX 4096

struct cursor {
	const struct pieces *pieces;
	uint32_t index, offset;
	uint32_t size; /* of the piece that was looked at last */
};

/* What of the piece lies at the cursor, at most `most` bytes. */
static uint8_t *here(struct cursor *cursor, uint64_t most, uint32_t *bytes)
{
	uint8_t *memory = cursor->pieces->piece(cursor->pieces->context, cursor->index, &cursor->size);
	uint32_t left = cursor->size - cursor->offset;

	*bytes = left < most ? left : (uint32_t)most;
	return memory + cursor->offset;
}

/* By what here() has told of. */
static void advance(struct cursor *cursor, uint32_t bytes)
{
	cursor->offset += bytes;
	if (cursor->offset == cursor->size) {
		cursor->index++;
		cursor->offset = 0;
	}
}

static void skip(struct cursor *cursor, uint64_t bytes)
{
	for (uint32_t part; bytes; bytes -= part) {
		here(cursor, bytes, &part);
		advance(cursor, part);
	}
}

/* Between the pieces and a buffer; the cursor moves on. */
static void copy(struct cursor *cursor, uint8_t *buffer, uint32_t bytes, bool to_pieces)
{
	for (uint32_t done = 0, part; done < bytes; done += part) {
		uint8_t *memory = here(cursor, bytes - done, &part);

		memcpy(to_pieces ? memory : buffer + done, to_pieces ? buffer + done : memory, part);
		advance(cursor, part);
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
static void apply_part(struct cursor *cursor, const struct disk_range *range, uint64_t tweak, uint32_t into,
	uint32_t bytes, bool encrypt)
{
	uint8_t sector[CIPHER_MAX] __attribute__((aligned(16)));
	struct cursor back = *cursor;

	memset(sector, 0, range->sector_size);
	copy(cursor, sector + into, bytes, false);
	apply(range, tweak, encrypt, sector, range->sector_size);
	copy(&back, sector + into, bytes, true);
	secret_wipe(sector, range->sector_size);
}

/* `offset` is that of the data in the range, in bytes. */
static void apply_run(struct cursor *cursor, const struct disk_range *range, uint64_t offset, uint64_t bytes, bool encrypt)
{
	const uint32_t unit = range->sector_size;

	while (bytes) {
		uint32_t into = (uint32_t)(offset % unit), part;
		uint64_t tweak = range->iv_offset + (offset - into) / 512;
		uint8_t *memory = here(cursor, bytes, &part);

		part -= part % unit;
		if (part && !into) {
			apply(range, tweak, encrypt, memory, part);
			advance(cursor, part);
		} else {
			part = unit - into < bytes ? unit - into : (uint32_t)bytes;
			apply_part(cursor, range, tweak, into, part, encrypt);
		}
		offset += part;
		bytes -= part;
	}
}

void transform_pieces(const struct disk_map *map, uint64_t at, uint64_t bytes, bool encrypt, const struct pieces *pieces,
	struct cipher_scope *scope)
{
	struct cursor cursor = {.pieces = pieces};

	while (bytes) {
		uint64_t lba = at / map->lba_size, into = at % map->lba_size;
		struct disk_run run = disk_map_run(map, lba, (into + bytes + map->lba_size - 1) / map->lba_size);
		uint64_t part = run.count * map->lba_size - into;

		part = part < bytes ? part : bytes;
		if (run.range && run.range->kind == SECTOR_CIPHERTEXT) {
			cipher_begin(scope);
			apply_run(&cursor, run.range, at - run.range->first_lba * map->lba_size, part, encrypt);
		} else {
			skip(&cursor, part);
		}
		at += part;
		bytes -= part;
	}
}

struct memory {
	uint8_t *at;
	uint32_t bytes;
};

static uint8_t *whole(const void *context, uint32_t index, uint32_t *bytes)
{
	const struct memory *memory = context;

	(void)index;
	*bytes = memory->bytes;
	return memory->at;
}

void transform_memory(const struct disk_map *map, uint64_t at, uint8_t *memory, uint32_t bytes, bool encrypt,
	struct cipher_scope *scope)
{
	const struct memory one = {memory, bytes};

	transform_pieces(map, at, bytes, encrypt, &(struct pieces){whole, &one}, scope);
}
