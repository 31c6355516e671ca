/* SPDX-License-Identifier: Apache-2.0 */
#include "storage/volume/map.h"
#include <string.h>

static bool range_is_sound(const struct disk_map *map, const struct disk_range *range)
{
	uint32_t size = range->sector_size;

	if (range->first_lba > range->last_lba || range->kind == SECTOR_CLEAR)
		return false;
	if (range->kind != SECTOR_CIPHERTEXT)
		return true;
	if (!range->key || size < 512 || size > 4096 || size & (size - 1) || size % map->lba_size)
		return false;
	/* The difference, not the count: the count of a whole 64-bit space is 0. */
	uint64_t per_cipher_sector = size / map->lba_size;

	return (range->last_lba - range->first_lba) % per_cipher_sector == per_cipher_sector - 1;
}

int disk_map_add(struct disk_map *map, const struct disk_range *range)
{
	unsigned at = 0;

	if (map->count == DISK_MAP_RANGES || (map->lba_size != 512 && map->lba_size != 4096) ||
		!range_is_sound(map, range))
		return -1;
	while (at < map->count && map->range[at].last_lba < range->first_lba)
		at++;
	if (at < map->count && map->range[at].first_lba <= range->last_lba)
		return -1;
	memmove(&map->range[at + 1], &map->range[at], (map->count - at) * sizeof(map->range[0]));
	map->range[at] = *range;
	map->count++;
	return 0;
}

/* The first range that ends at or after `lba`, or NULL. */
static const struct disk_range *range_from(const struct disk_map *map, uint64_t lba)
{
	for (unsigned i = 0; i < map->count; i++)
		if (map->range[i].last_lba >= lba)
			return &map->range[i];
	return NULL;
}

struct disk_run disk_map_run(const struct disk_map *map, uint64_t lba, uint64_t count)
{
	const struct disk_range *range = range_from(map, lba);
	struct disk_run run = {.lba = lba, .count = count};
	uint64_t beyond; /* how far the run's last sector may lie from `lba` */

	if (!range)
		return run;
	if (range->first_lba > lba) {
		beyond = range->first_lba - lba - 1;
	} else {
		beyond = range->last_lba - lba;
		run.range = range;
	}
	if (count - 1 > beyond)
		run.count = beyond + 1;
	return run;
}

bool disk_map_touches(const struct disk_map *map, uint64_t lba, uint64_t count, enum sector_kind kind)
{
	while (count) {
		struct disk_run run = disk_map_run(map, lba, count);

		if ((run.range ? run.range->kind : SECTOR_CLEAR) == kind)
			return true;
		lba += run.count;
		count -= run.count;
	}
	return false;
}

int disk_map_pin(struct disk_map *map, struct disk_pin *pin)
{
	if (pin->bytes > DISK_PIN_BYTES || pin->offset > map->lba_size || pin->bytes > map->lba_size - pin->offset ||
		disk_map_run(map, pin->lba, 1).range)
		return -1;
	pin->next = map->pins;
	map->pins = pin;
	return 0;
}

bool disk_map_pinned(const struct disk_map *map, uint64_t lba, uint64_t count)
{
	for (const struct disk_pin *pin = map->pins; pin; pin = pin->next)
		if (pin->lba >= lba && pin->lba - lba < count)
			return true;
	return false;
}

bool disk_map_keeps_pins(const struct disk_map *map, uint64_t lba, uint64_t count, const uint8_t *data)
{
	for (const struct disk_pin *pin = map->pins; pin; pin = pin->next)
		if (pin->lba >= lba && pin->lba - lba < count &&
			memcmp(data + (pin->lba - lba) * map->lba_size + pin->offset, pin->value, pin->bytes))
			return false;
	return true;
}

uint64_t disk_range_unit(const struct disk_map *map, const struct disk_range *range)
{
	return range && range->kind == SECTOR_CIPHERTEXT ? range->sector_size / map->lba_size : 1;
}

uint64_t disk_range_tweak(const struct disk_map *map, const struct disk_range *range, uint64_t lba)
{
	return range->iv_offset + (lba - range->first_lba) * (map->lba_size / 512);
}
