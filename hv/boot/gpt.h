/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a GUID partition table (UEFI 2.10, 5.3), the primary or else the backup. Pure code: no firmware. */
#ifndef HV_BOOT_GPT_H
#define HV_BOOT_GPT_H

#include "storage/volume/gpt_pins.h"
#include "storage/volume/luks2.h"
#include <stdbool.h>
#include <stdint.h>

/* Partition entries of one disk at most this many bytes: 128 entries are 16 KiB. */
#define GPT_TABLE_BYTES   (256 * 1024)
#define GPT_SCRATCH_BYTES (GPT_TABLE_BYTES + 4096)

struct gpt {
	uint8_t disk_guid[16];
	uint32_t lba_bytes;
	uint64_t disk_last_lba, first_usable_lba, last_usable_lba;
	struct gpt_copy copy[GPT_COPIES];
	uint32_t protective_record; /* of the MBR, or GPT_NO_RECORD */
	uint32_t entries, entry_bytes;
	const uint8_t *entry; /* in the scratch */
	bool backup;	      /* the primary was damaged */
};

struct gpt_partition {
	uint8_t type[16], guid[16];
	uint64_t first_lba, last_lba;
	char name[37]; /* ASCII, anything else as '?' */
};

/*
 * Reads the table of the disk behind `source` (source->bytes a multiple of
 * lba_bytes). Both checksums and all bounds are checked. Returns 0, or -1 when
 * there is no whole table. `scratch` is GPT_SCRATCH_BYTES and stays in use.
 */
int gpt_read(struct gpt *gpt, const struct luks2_source *source, uint32_t lba_bytes, void *scratch);

/* The partition of entry `index` (< gpt->entries); false when it is unused or reaches beyond the usable sectors. */
bool gpt_partition(const struct gpt *gpt, uint32_t index, struct gpt_partition *partition);

/* The partition of that unique GUID and its entry; false when there is none, or more than one. */
bool gpt_find(const struct gpt *gpt, const uint8_t guid[16], struct gpt_partition *partition, uint32_t *index);

/* The table's place and its entries `data` and `header`, for gpt_pin(). */
struct gpt_place gpt_place_of(const struct gpt *gpt, uint32_t data, uint32_t header);

#endif
