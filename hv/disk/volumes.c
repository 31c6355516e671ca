/* SPDX-License-Identifier: Apache-2.0 */
#include "hv/disk/volumes.h"
#include "hv/core/keys.h"
#include "hv/core/memory.h"

int disk_add_volume(struct disk_map *map, const struct boot_info *info, uint32_t index)
{
	static struct disk_pin pins[BOOT_MAX_VOLUMES][GPT_PINS];
	const struct boot_volume *volume = &info->volume[index];
	const struct disk_range data = {
		.first_lba = volume->first_lba,
		.last_lba = volume->last_lba,
		.kind = SECTOR_CIPHERTEXT,
		.sector_size = volume->sector_bytes,
		.iv_offset = volume->iv_offset,
		.key = keys_of_volume(index),
	};
	const struct disk_range header = {
		.first_lba = volume->header_first_lba,
		.last_lba = volume->header_last_lba,
		.kind = SECTOR_GUARDED,
	};

	map->lba_size = volume->lba_bytes;
	return disk_map_add(map, &data) | disk_map_add(map, &header) | gpt_pin(map, &volume->gpt, pins[index]);
}

void *disk_guest_ram(void *context, uint64_t gpa, uint64_t bytes)
{
	(void)context;
	return memory_guest(gpa, bytes);
}

uint64_t disk_bus_address(void *context, const void *memory)
{
	(void)context;
	return (uint64_t)memory;
}
