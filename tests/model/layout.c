/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/model/layout.h"
#include <stdlib.h>
#include <string.h>

uint64_t layout_a_last(uint64_t sectors)
{
	return sectors / 2 - 1;
}

uint64_t layout_b_first(uint64_t sectors)
{
	return layout_a_last(sectors) + 1 + 2 * LAYOUT_GUARDED;
}

uint64_t layout_b_last(uint64_t sectors)
{
	return sectors - 65;
}

void layout_key(struct xts_key *key, unsigned number)
{
	uint8_t raw[64];

	for (unsigned i = 0; i < sizeof(raw); i++)
		raw[i] = (uint8_t)(i * 7 + number * 13 + 1);
	xts_key_init(key, raw, sizeof(raw));
}

void layout_map(struct disk_map *map, uint32_t lba_size, uint64_t sectors, uint32_t cipher_a, const struct xts_key *a_key,
	const struct xts_key *b_key)
{
	uint64_t last = layout_a_last(sectors);
	struct disk_range a = {LAYOUT_A_FIRST, last, SECTOR_CIPHERTEXT, cipher_a, 0, a_key};
	struct disk_range guarded = {last + 1, last + LAYOUT_GUARDED, SECTOR_GUARDED, 0, 0, NULL};
	struct disk_range b = {
		layout_b_first(sectors), layout_b_last(sectors), SECTOR_CIPHERTEXT, lba_size, 0x123456789ull, b_key};

	map->lba_size = lba_size;
	if (disk_map_add(map, &b) | disk_map_add(map, &a) | disk_map_add(map, &guarded))
		abort();
}

void layout_pattern(const struct layout *layout, uint64_t lba, uint8_t *out)
{
	for (uint32_t at = 0; at < layout->lba_size; at += 8) {
		uint64_t word = (lba << 16 | at) * 0x9e3779b97f4a7c15ull + layout->number;

		memcpy(out + at, &word, 8);
	}
}

void layout_fill(const struct layout *layout)
{
	uint64_t lba = 0;

	for (uint64_t i = 0; i < layout->sectors; i++)
		layout_pattern(layout, i, layout->medium + i * layout->lba_size);
	while (layout->map->count && lba < layout->sectors) {
		struct disk_run run = disk_map_run(layout->map, lba, layout->sectors - lba);
		uint8_t *at = layout->medium + lba * layout->lba_size;

		if (run.range && run.range->kind == SECTOR_CIPHERTEXT)
			xts_encrypt(run.range->key, disk_range_tweak(layout->map, run.range, lba),
				run.range->sector_size, at, at, run.count * layout->lba_size);
		lba += run.count;
	}
}

static void plain_sector(const struct layout *layout, uint64_t sector, uint8_t *out)
{
	struct disk_run run = disk_map_run(layout->map, sector, 1);
	uint32_t size = layout->lba_size;
	uint32_t unit = run.range && run.range->sector_size ? run.range->sector_size / size : 1;
	uint64_t first = run.range ? sector - (sector - run.range->first_lba) % unit : sector;
	uint8_t buffer[4096];

	memcpy(buffer, layout->medium + first * size, unit * size);
	if (run.range && run.range->kind == SECTOR_CIPHERTEXT)
		xts_decrypt(run.range->key, run.range->iv_offset + (first - run.range->first_lba) * (size / 512),
			run.range->sector_size, buffer, buffer, run.range->sector_size);
	memcpy(out, buffer + (sector - first) * size, size);
}

void layout_plain(const struct layout *layout, uint64_t lba, uint64_t count, uint8_t *out)
{
	for (uint64_t i = 0; i < count; i++)
		plain_sector(layout, lba + i, out + i * layout->lba_size);
}
