/* SPDX-License-Identifier: Apache-2.0 */
/* SATA 3: the task file of a command as it goes to a device; with registers on ports, what the guest wrote to them. */
#ifndef STORAGE_ATA_COMMANDS_FIS_H
#define STORAGE_ATA_COMMANDS_FIS_H

#include <stdint.h>

/* A Register Host to Device FIS. */
struct fis_h2d {
	uint8_t type, flags, command, feature;
	uint8_t lba0, lba1, lba2, device;
	uint8_t lba3, lba4, lba5, feature_high;
	uint8_t count, count_high, icc, control;
	uint8_t auxiliary[4];
};
_Static_assert(sizeof(struct fis_h2d) == 20, "SATA 10.5.5");

#endif
