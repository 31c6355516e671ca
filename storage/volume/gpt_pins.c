/* SPDX-License-Identifier: Apache-2.0 */
#include "storage/volume/gpt_pins.h"
#include <string.h>

/* UEFI 2.10, tables 5.1 and 5.5. */
#define MBR_TYPE(record) (446 + 16 * (record) + 4)
#define MBR_SIGNATURE    510
#define HEADER_MY_LBA    24
#define HEADER_DISK_GUID 56

/* Of the header what follows the disk's GUID. */
struct geometry {
	uint8_t disk_guid[16];
	uint64_t entries_lba;
	uint32_t entries, entry_bytes;
};

struct pinning {
	struct disk_map *map;
	struct disk_pin *next;
};

static int pin(struct pinning *pinning, uint64_t lba, uint32_t offset, const void *value, uint32_t bytes)
{
	struct disk_pin *new = pinning->next++;

	*new = (struct disk_pin){.lba = lba, .offset = offset, .bytes = bytes};
	memcpy(new->value, value, bytes);
	return disk_map_pin(pinning->map, new);
}

/* Without its MBR a system takes the disk for an empty one. */
static int pin_protective_record(struct pinning *pinning, const struct gpt_place *place)
{
	static const uint8_t protective = 0xee, signature[] = {0x55, 0xaa};

	if (place->protective_record >= GPT_NO_RECORD)
		return 0;
	return pin(pinning, 0, MBR_TYPE(place->protective_record), &protective, 1) |
	       pin(pinning, 0, MBR_SIGNATURE, signature, sizeof(signature));
}

static int pin_copy(struct pinning *pinning, const struct gpt_place *place, const struct gpt_copy *copy)
{
	const uint64_t numbers[] = {copy->header_lba, copy->alternate_lba};
	struct geometry geometry = {
		.entries_lba = copy->entries_lba, .entries = place->entries, .entry_bytes = place->entry_bytes};
	int error;

	memcpy(geometry.disk_guid, place->disk_guid, sizeof(geometry.disk_guid));
	error = pin(pinning, copy->header_lba, 0, "EFI PART", 8) |
		pin(pinning, copy->header_lba, HEADER_MY_LBA, numbers, sizeof(numbers)) |
		pin(pinning, copy->header_lba, HEADER_DISK_GUID, &geometry, sizeof(geometry));
	for (unsigned i = 0; i < GPT_ENTRIES; i++) {
		uint64_t at = (uint64_t)place->index[i] * place->entry_bytes;

		error |= pin(pinning, copy->entries_lba + at / pinning->map->lba_size,
			(uint32_t)(at % pinning->map->lba_size), place->entry[i], GPT_ENTRY_BYTES);
	}
	return error;
}

int gpt_pin(struct disk_map *map, const struct gpt_place *place, struct disk_pin *pins)
{
	struct pinning pinning = {map, pins};
	int error = pin_protective_record(&pinning, place);

	for (unsigned i = 0; i < GPT_COPIES; i++)
		if (place->copy[i].header_lba)
			error |= pin_copy(&pinning, place, &place->copy[i]);
	return error;
}
