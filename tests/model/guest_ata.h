/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest's driver for one drive of the model machine: loads the registers, moves
 * the data as the command's protocol wants it, and ends by interrupts or by polling.
 */
#ifndef TESTS_MODEL_GUEST_ATA_H
#define TESTS_MODEL_GUEST_ATA_H

#include "tests/model/ata_machine.h"

/* A piece of memory in a PRD table. */
struct ata_piece {
	uint32_t address;
	uint32_t bytes; /* up to 64 KiB */
};

struct guest_ata {
	struct ata_machine *m;
	unsigned drive;
	bool polls;	/* nIEN is set */
	bool by_words;	/* a data register access at a time, instead of strings */
	bool prd_late;	/* the PRD table's address is written after the command, as some do */
	uint32_t table; /* PRD table in guest RAM, 4 KiB */
	uint8_t status, error; /* at the end of the last command */
	uint8_t bm_status;
};

/* Features, count and LBA as they are written; `wide` writes each twice. */
struct guest_ata_command {
	uint8_t opcode;
	bool wide;
	uint16_t features, count;
	uint64_t lba;
};

/* Takes memory for the table, selects the drive and sets nIEN as `polls` says. */
void guest_ata_start(struct guest_ata *g, struct ata_machine *m, unsigned drive, bool polls);
void guest_ata_select(struct guest_ata *g);

/* Each gives the command and waits for its end: false where it failed, or where nothing happened. */
bool guest_ata_plain(struct guest_ata *g, const struct guest_ata_command *c);
/* `block` bytes are moved for one DRQ. */
bool guest_ata_pio_in(struct guest_ata *g, const struct guest_ata_command *c, void *to, uint32_t bytes, uint32_t block);
bool guest_ata_pio_out(struct guest_ata *g, const struct guest_ata_command *c, const void *from, uint32_t bytes,
	uint32_t block);
bool guest_ata_dma(struct guest_ata *g, const struct guest_ata_command *c, bool in, const struct ata_piece *piece,
	uint32_t pieces);

/* The parts of them. */
void guest_ata_load(struct guest_ata *g, const struct guest_ata_command *c);
void guest_ata_table(struct guest_ata *g, const struct ata_piece *piece, uint32_t pieces);
void guest_ata_bus_master(struct guest_ata *g, bool in, bool start);
bool guest_ata_wait(struct guest_ata *g);

/* The commonest commands: sectors of the disk to or from `address` in guest RAM. */
struct guest_ata_command guest_ata_transfer(bool write, bool dma, bool wide, uint64_t lba, uint32_t count);
bool guest_ata_read(struct guest_ata *g, bool dma, bool wide, uint64_t lba, uint32_t count, uint64_t address);
bool guest_ata_write(struct guest_ata *g, bool dma, bool wide, uint64_t lba, uint32_t count, uint64_t address);

/* SRST, and what belongs to it; true when the drive is ready and shows its signature. */
bool guest_ata_reset(struct guest_ata *g);

uint8_t guest_ata_in(struct guest_ata *g, unsigned port);
void guest_ata_out(struct guest_ata *g, unsigned port, uint8_t value);

#endif
