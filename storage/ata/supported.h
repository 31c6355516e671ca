/* SPDX-License-Identifier: Apache-2.0 */
/* Controllers in IDE mode that systems do not leave in it. */
#ifndef STORAGE_ATA_SUPPORTED_H
#define STORAGE_ATA_SUPPORTED_H

#include <stdint.h>

/*
 * Why disks on this controller, of class 0101h, cannot be followed: a sentence's end
 * that begins behind "the disk". NULL where they can. Pure.
 */
const char *ata_controller_refusal(uint16_t vendor, uint16_t device);

#endif
