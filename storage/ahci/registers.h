/* SPDX-License-Identifier: Apache-2.0 */
/* AHCI 1.3.1: the registers (section 3) and the structures in memory (section 4); SATA 3: the FIS layouts. */
#ifndef STORAGE_AHCI_REGISTERS_H
#define STORAGE_AHCI_REGISTERS_H

#include "storage/ata_commands/fis.h"
#include <stddef.h>
#include <stdint.h>

/* Generic host control, byte offsets. */
enum {
	HBA_CAP = 0x00,
	HBA_GHC = 0x04,
	HBA_IS = 0x08,
	HBA_PI = 0x0c,
	HBA_PORTS = 0x100,
	HBA_PORT_BYTES = 0x80,
};

#define CAP_FBSS (1u << 16)
#define CAP_SPM  (1u << 17)

#define GHC_HR (1u << 0)
#define GHC_IE (1u << 1)

/* Port registers, byte offsets in the port's block. */
enum {
	PORT_CLB = 0x00,
	PORT_CLBU = 0x04,
	PORT_FB = 0x08,
	PORT_FBU = 0x0c,
	PORT_IS = 0x10,
	PORT_IE = 0x14,
	PORT_CMD = 0x18,
	PORT_TFD = 0x20,
	PORT_SIG = 0x24,
	PORT_SSTS = 0x28,
	PORT_SCTL = 0x2c,
	PORT_SERR = 0x30,
	PORT_SACT = 0x34,
	PORT_CI = 0x38,
	PORT_SNTF = 0x3c,
	PORT_FBS = 0x40,
	PORT_DEVSLP = 0x44,
	PORT_VENDOR = 0x70,
};

#define CMD_ST  (1u << 0)
#define CMD_FRE (1u << 4)
#define CMD_FR  (1u << 14)
#define CMD_CR  (1u << 15)

#define TFD_ERR (1u << 0)
#define TFD_DF  (1u << 5)

/* PxIS: what the FISes of a command that is not queued set: D2H, PIO and DMA setup, a PRD with its I bit. */
#define IS_COMMAND 0x27u
/* PxIS: everything that is not the arrival of a good FIS or a processed PRD. */
#define IS_ERRORS 0x7dc00050u

#define COMMAND_SLOTS 32

struct command_header {
	uint32_t flags; /* CFL 0-4, A 5, W 6, P 7, R 8, B 9, C 10, PMP 12-15, PRDTL 16-31 */
	uint32_t prdbc;
	uint64_t ctba;
	uint32_t reserved[4];
};
_Static_assert(sizeof(struct command_header) == 32, "AHCI 4.2.2");

#define HEADER_CFL(flags)   ((flags) & 0x1f)
#define HEADER_ATAPI        (1u << 5)
#define HEADER_WRITE        (1u << 6)
#define HEADER_PREFETCH     (1u << 7)
#define HEADER_RESET        (1u << 8)
#define HEADER_BIST         (1u << 9)
#define HEADER_CLEAR        (1u << 10)
#define HEADER_PMP          (0xfu << 12)
#define HEADER_PRDTL(flags) ((flags) >> 16)

struct prd {
	uint64_t address;
	uint32_t reserved;
	uint32_t count; /* bytes - 1 in bits 0-21, bit 0 set; interrupt on completion in bit 31 */
};
_Static_assert(sizeof(struct prd) == 16, "AHCI 4.2.3.3");

#define PRD_COUNT_MASK 0x3fffffu
#define PRD_BYTES(prd) (((prd)->count & PRD_COUNT_MASK) + 1)
#define PRD_MAX_BYTES  (1u << 22)

#define FIS_H2D       0x27
#define FIS_COMMAND   0x80 /* flags: the C bit */
#define FIS_PMP       0x0f
#define FIS_H2D_WORDS 5

#define TABLE_PRDS 248 /* what a table of 4 KiB holds */

struct command_table {
	union {
		struct fis_h2d fis;
		uint8_t cfis[64];
	};
	uint8_t acmd[16];
	uint8_t reserved[48];
	struct prd prd[TABLE_PRDS];
};
_Static_assert(sizeof(struct command_table) == 4096, "AHCI 4.2.3");
_Static_assert(offsetof(struct command_table, prd) == 0x80, "AHCI 4.2.3");

#define RFIS_BYTES      256
#define RFIS_USED_BYTES 0xa0 /* DMA setup, PIO setup, D2H, SDB and unknown FIS */

#endif
