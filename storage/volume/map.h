/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What each sector of a disk is: clear, ciphertext of a volume, or guarded
 * (a header partition: read freely, never written by the guest). In clear sectors
 * some bytes may be pinned: a write must leave them as they are. Built once
 * before the first I/O, read-only afterwards, so it needs no lock.
 */
#ifndef STORAGE_VOLUME_MAP_H
#define STORAGE_VOLUME_MAP_H

#include "storage/crypt/xts.h"
#include <stdbool.h>
#include <stdint.h>

enum sector_kind { SECTOR_CLEAR, SECTOR_CIPHERTEXT, SECTOR_GUARDED };

/* At most this many ranges on one disk: 8 volumes with their headers. */
#define DISK_MAP_RANGES 16

struct disk_range {
	uint64_t first_lba; /* in logical sectors of the disk, inclusive */
	uint64_t last_lba;
	enum sector_kind kind;
	/* For SECTOR_CIPHERTEXT only: */
	uint32_t sector_size;      /* of the cipher, bytes: 512 .. 4096 */
	uint64_t iv_offset;        /* tweak of first_lba, in 512-byte units (LUKS2 segment iv_tweak) */
	const struct xts_key *key; /* in the key arena, outlives the map */
};

/* Bytes of a clear sector that keep their value. The pin's memory is its owner's, and outlives the map. */
#define DISK_PIN_BYTES 128
struct disk_pin {
	struct disk_pin *next; /* the map's */
	uint64_t lba;
	uint32_t offset, bytes; /* offset + bytes at most lba_size, bytes at most DISK_PIN_BYTES */
	uint8_t value[DISK_PIN_BYTES];
};

struct disk_map {
	uint32_t lba_size; /* logical sector of the disk in bytes: 512 or 4096 */
	struct disk_pin *pins;
	unsigned count;
	struct disk_range range[DISK_MAP_RANGES]; /* sorted, disjoint */
};

/* A run of consecutive sectors of one kind. */
struct disk_run {
	uint64_t lba;
	uint64_t count;
	const struct disk_range *range; /* NULL when clear */
};

/*
 * Adds a range; keeps the table sorted. Returns 0, or -1 when it overlaps
 * another, the table is full, first > last, the cipher's sector is no multiple
 * of lba_size, or the range is no multiple of the cipher's sector.
 */
int disk_map_add(struct disk_map *map, const struct disk_range *range);

/* The longest run of one kind that starts at `lba`, at most `count` sectors (count > 0). */
struct disk_run disk_map_run(const struct disk_map *map, uint64_t lba, uint64_t count);

/* Whether any sector of [lba, lba+count) is of `kind`. */
bool disk_map_touches(const struct disk_map *map, uint64_t lba, uint64_t count, enum sector_kind kind);

/* Adds a pin. Returns 0, or -1 when it does not fit a sector, or its sector is not a clear one. */
int disk_map_pin(struct disk_map *map, struct disk_pin *pin);

/* Whether any sector of [lba, lba+count) has pinned bytes. */
bool disk_map_pinned(const struct disk_map *map, uint64_t lba, uint64_t count);

/* Whether `data`, to be written to [lba, lba+count), leaves every pinned byte as it is. */
bool disk_map_keeps_pins(const struct disk_map *map, uint64_t lba, uint64_t count, const uint8_t *data);

/* Logical sectors of the disk in one sector of the cipher; 1 where nothing is encrypted (`range` may be NULL). */
uint64_t disk_range_unit(const struct disk_map *map, const struct disk_range *range);

/* The tweak (512-byte units) of `lba`, which lies in `range`. */
uint64_t disk_range_tweak(const struct disk_map *map, const struct disk_range *range, uint64_t lba);

#endif
