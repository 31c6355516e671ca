/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_ATA_COMMANDS_IDENTIFY_H
#define STORAGE_ATA_COMMANDS_IDENTIFY_H

#include <stdint.h>

/* Takes out of IDENTIFY DEVICE data what the mediators refuse; the checksum is put right where there is one. */
void identify_adjust(uint16_t words[256]);

#endif
