/* SPDX-License-Identifier: Apache-2.0 */
#include "storage/ata_commands/trim.h"

/* A range: LBA in bits 0-47, sectors in bits 48-63. */
static uint64_t cut(const struct disk_map *map, uint64_t lba, uint64_t sectors)
{
	struct disk_run run = disk_map_run(map, lba, sectors);
	uint64_t unit = disk_range_unit(map, run.range), end = lba + sectors;

	if (unit > 1)
		lba += (unit - (lba - run.range->first_lba) % unit) % unit;
	run = disk_map_run(map, end - 1, 1);
	unit = disk_range_unit(map, run.range);
	if (unit > 1)
		end -= (end - run.range->first_lba) % unit;
	return end > lba ? lba | (end - lba) << 48 : 0;
}

int trim_cut(const struct disk_map *map, uint64_t *ranges, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		uint64_t lba = ranges[i] & 0xffffffffffffull, sectors = ranges[i] >> 48;

		if (!sectors)
			continue;
		if (disk_map_touches(map, lba, sectors, SECTOR_GUARDED) || disk_map_pinned(map, lba, sectors))
			return -1;
		ranges[i] = cut(map, lba, sectors);
	}
	return 0;
}
