/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What of a GUID partition table (UEFI 2.10, 5.3) a guest may not change: where the
 * table stands, and the entries of a volume and of its header partition, in both
 * copies. Checksums are not among it: they change with every other entry, and a
 * wrong one leaves a table that is damaged, not one that says something else.
 */
#ifndef STORAGE_VOLUME_GPT_PINS_H
#define STORAGE_VOLUME_GPT_PINS_H

#include "storage/volume/map.h"

#define GPT_COPIES      2   /* the primary, the backup */
#define GPT_ENTRIES     2   /* of a volume: its data, its header */
#define GPT_ENTRY_BYTES 128 /* of an entry what the standard defines */
#define GPT_NO_RECORD   4   /* the protective MBR has four records */

/* One copy of the table; header_lba is 0 when there is no whole one. */
struct gpt_copy {
	uint64_t header_lba, alternate_lba, entries_lba;
};

/* The table as a volume was found by it. */
struct gpt_place {
	struct gpt_copy copy[GPT_COPIES];
	uint8_t disk_guid[16];
	uint32_t entries, entry_bytes; /* how many, and of which size */
	uint32_t protective_record;    /* of the MBR's records the one of type EEh, or GPT_NO_RECORD */
	uint32_t index[GPT_ENTRIES];   /* below `entries` */
	uint8_t entry[GPT_ENTRIES][GPT_ENTRY_BYTES];
};

/* The most pins that gpt_pin() makes. */
#define GPT_PINS 12

/*
 * Pins the table of `place` on the disk of `map`, with memory for GPT_PINS in
 * `pins`, which stays in use. Returns 0, or -1 when the table and a range of the
 * map overlap.
 */
int gpt_pin(struct disk_map *map, const struct gpt_place *place, struct disk_pin *pins);

#endif
