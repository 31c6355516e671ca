/* SPDX-License-Identifier: Apache-2.0 */
/* What the disk mediators have in common: volumes become maps, and guest memory is lent. */
#ifndef HV_DISK_VOLUMES_H
#define HV_DISK_VOLUMES_H

#include "hv/core/boot_info.h"
#include "storage/volume/map.h"

/* Adds volume `index`, its header and the partition table's pinned bytes to its disk's map. 0 or nonzero. Init only. */
int disk_add_volume(struct disk_map *map, const struct boot_info *info, uint32_t index);

/* guest_ram of the mediators' environments, and bus_address: physical addresses are ours. */
void *disk_guest_ram(void *context, uint64_t gpa, uint64_t bytes);
uint64_t disk_bus_address(void *context, const void *memory);

#endif
