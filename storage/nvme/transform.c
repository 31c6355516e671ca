/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between plaintext and ciphertext, run by run of the namespace's map.
 *
 * A block of XTS depends on its key, the sector's number and its own place in the
 * sector, and on nothing else of the sector (IEEE 1619, 5.3; sectors are multiples
 * of 16 bytes, so nothing is stolen). So a part of a cipher sector is transformed
 * without the rest, where the cipher's sector is larger than the namespace's block.
 */
#include "storage/nvme/internal.h"
#include "storage/crypt/wipe.h"

#define CIPHER_MAX 4096

struct cursor {
	const struct nvme_buffer *buffer;
	uint32_t index, offset;
};

/* The bytes at the cursor that lie one behind the other, at most `most`. */
static uint8_t *piece(const struct cursor *cursor, uint32_t most, uint32_t *bytes)
{
	uint8_t *at = cursor->buffer->page[cursor->index] + cursor->offset;
	uint32_t next = cursor->index + 1, have = NVME_PAGE_BYTES - cursor->offset;

	while (have < most && next < cursor->buffer->count && cursor->buffer->page[next] == at + have) {
		have += NVME_PAGE_BYTES;
		next++;
	}
	*bytes = have < most ? have : most;
	return at;
}

static void advance(struct cursor *cursor, uint32_t bytes)
{
	bytes += cursor->offset;
	cursor->index += bytes / NVME_PAGE_BYTES;
	cursor->offset = bytes % NVME_PAGE_BYTES;
}

static void move(struct cursor *cursor, uint8_t *ours, uint32_t bytes, bool out)
{
	while (bytes) {
		uint32_t part;
		uint8_t *at = piece(cursor, bytes, &part);

		memcpy(out ? at : ours, out ? ours : at, part);
		advance(cursor, part);
		ours += part;
		bytes -= part;
	}
}

struct job {
	const struct disk_range *range;
	bool encrypt;
	struct cursor from, to;
};

static void apply(const struct job *job, uint64_t tweak, const void *from, void *to, uint32_t bytes)
{
	if (job->encrypt)
		xts_encrypt(job->range->key, tweak, job->range->sector_size, from, to, bytes);
	else
		xts_decrypt(job->range->key, tweak, job->range->sector_size, from, to, bytes);
}

/* `bytes` from `into` on of one sector, by way of a sector of ours. */
static void apply_part(struct job *job, uint64_t tweak, uint32_t into, uint32_t bytes)
{
	uint8_t sector[CIPHER_MAX] __attribute__((aligned(16)));

	memset(sector, 0, job->range->sector_size);
	move(&job->from, sector + into, bytes, false);
	apply(job, tweak, sector, sector, job->range->sector_size);
	move(&job->to, sector + into, bytes, true);
	secret_wipe(sector, job->range->sector_size);
}

/* `into` is where in its sector the first byte stands. */
static void apply_run(struct job *job, uint64_t tweak, uint32_t into, uint32_t bytes)
{
	const uint32_t sector = job->range->sector_size;

	while (bytes) {
		uint32_t part, there;
		const uint8_t *from = piece(&job->from, bytes, &part);
		uint8_t *to = piece(&job->to, part, &there);

		there -= there % sector;
		if (!into && there) {
			apply(job, tweak, from, to, there);
			advance(&job->from, there);
			advance(&job->to, there);
			tweak += there / 512;
			bytes -= there;
			continue;
		}
		part = sector - into < bytes ? sector - into : bytes;
		apply_part(job, tweak, into, part);
		tweak += sector / 512;
		bytes -= part;
		into = 0;
	}
}

static void skip_or_copy(struct job *job, uint32_t bytes)
{
	if (job->from.buffer == job->to.buffer) {
		advance(&job->from, bytes);
		advance(&job->to, bytes);
		return;
	}
	while (bytes) {
		uint32_t part;
		uint8_t *from = piece(&job->from, bytes, &part);

		move(&job->to, from, part, true);
		advance(&job->from, part);
		bytes -= part;
	}
}

void nvme_transform(const struct disk_map *map, bool encrypt, uint64_t lba, uint32_t blocks,
	const struct nvme_buffer *from, const struct nvme_buffer *to, struct cipher_scope *scope)
{
	struct job job = {NULL, encrypt, {from, 0, from->offset}, {to, 0, to->offset}};

	while (blocks) {
		struct disk_run run = disk_map_run(map, lba, blocks);
		uint32_t bytes = (uint32_t)run.count * map->lba_size;

		job.range = run.range;
		if (run.range && run.range->kind == SECTOR_CIPHERTEXT) {
			uint64_t into = (lba - run.range->first_lba) % (run.range->sector_size / map->lba_size);

			cipher_begin(scope);
			apply_run(&job, disk_range_tweak(map, run.range, lba - into), (uint32_t)into * map->lba_size,
				bytes);
		} else {
			skip_or_copy(&job, bytes);
		}
		lba += run.count;
		blocks -= (uint32_t)run.count;
	}
}
