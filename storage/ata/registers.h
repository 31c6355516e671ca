/* SPDX-License-Identifier: Apache-2.0 */
/* ATA/ATAPI-7 volume 2: the bits of the registers; Bus Master IDE 1.0: its registers and PRD table. */
#ifndef STORAGE_ATA_REGISTERS_H
#define STORAGE_ATA_REGISTERS_H

#include <stdint.h>

#define STATUS_ERR  0x01u
#define STATUS_DRQ  0x08u
#define STATUS_DSC  0x10u
#define STATUS_DF   0x20u
#define STATUS_DRDY 0x40u
#define STATUS_BSY  0x80u
/* What the bus shows where no drive is: pulled up, BSY perhaps pulled down. */
#define STATUS_NOBODY      0xffu
#define STATUS_NOBODY_IDLE 0x7fu

#define DEVICE_DEV 0x10u

#define CONTROL_SRST 0x04u
#define CONTROL_HOB  0x80u

#define COMMAND_DEVICE_RESET 0x08u
#define COMMAND_DIAGNOSTIC   0x90u
#define COMMAND_SET_MULTIPLE 0xc6u

#define BM_START         0x01u
#define BM_TO_MEMORY     0x08u
#define BM_STATUS_ACTIVE 0x01u
#define BM_STATUS_ERROR  0x02u
#define BM_STATUS_INTR   0x04u

struct prd {
	uint32_t address; /* bit 0 is 0 */
	uint16_t bytes;   /* bit 0 is 0; 0 is 64 KiB */
	uint16_t flags;
};
_Static_assert(sizeof(struct prd) == 8, "Bus Master IDE 1.2");

#define PRD_END        0x8000u
#define PRD_BOUNDARY   0x10000u /* neither a table nor a region may cross one */
#define PRD_SIZE(prd)  ((prd)->bytes ? (prd)->bytes : PRD_BOUNDARY)
#define TABLE_ENTRIES  (PRD_BOUNDARY / 8)

#endif
