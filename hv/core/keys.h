/* SPDX-License-Identifier: Apache-2.0 */
/* The one arena in which keys live while the machine runs. */
#ifndef HV_CORE_KEYS_H
#define HV_CORE_KEYS_H

#include "hv/core/boot_info.h"
#include "storage/crypt/xts.h"

/* Expands the volumes' keys into the arena. Init only. 0, or -1 for an unusable key. */
int keys_init(const struct boot_info *info);

/* The schedule of volume `index`. */
const struct xts_key *keys_of_volume(uint32_t index);

/* Overwrites the arena. I/O on protected sectors must have stopped, or never matter again. */
void keys_wipe(void);

#endif
