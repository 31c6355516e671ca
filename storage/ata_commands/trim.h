/* SPDX-License-Identifier: Apache-2.0 */
/* DATA SET MANAGEMENT with TRIM: the ranges in its data. ACS-3 7.10. */
#ifndef STORAGE_ATA_COMMANDS_TRIM_H
#define STORAGE_ATA_COMMANDS_TRIM_H

#include "storage/volume/map.h"

#define TRIM_MAX_BLOCKS       128 /* of 512 bytes; more is refused */
#define TRIM_RANGES_PER_BLOCK 64

/*
 * Checks and cuts `count` ranges, copied from the guest: none may touch a header
 * or pinned bytes (-1); in a volume whose cipher sector is larger than the disk's
 * a range is cut to whole ones, for the rest of a sector half trimmed could not be
 * decrypted any more.
 */
int trim_cut(const struct disk_map *map, uint64_t *ranges, uint32_t count);

#endif
