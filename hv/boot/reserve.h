/* SPDX-License-Identifier: Apache-2.0 */
/* The hypervisor's memory: where it stands, and the image in it. */
#ifndef HV_BOOT_RESERVE_H
#define HV_BOOT_RESERVE_H

#include "hv/core/boot_info.h"
#include "hv/core/image.h"
#include <efi.h>

/* The header of the image inside this program. */
const struct hv_image_header *reserve_image_header(VOID);

/*
 * Reserves memory for info->cpus and info->volumes, at the same place at every
 * boot of the same machine (hibernation images assume it), loads and relocates the
 * image, puts the log of the last start aside (hv/core/log_area.h), and fills memory_base, memory_bytes, image_bytes, ram and ram_ranges.
 */
EFI_STATUS reserve_memory(struct boot_info *info);

/* Wipes all but the log, and gives the memory back: nothing has started. */
VOID reserve_release(struct boot_info *info);

#endif
