/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A model ATA channel on ports: two drives, each an ATA disk, a packet drive or
 * absent, their registers (ATA/ATAPI-7), and a bus master that walks PRD tables over
 * the bus. Nothing moves by itself: the test lets it go on by steps. Only to a host
 * that looks at Status again and again time goes by, so that one that polls in the
 * midst of something gets on.
 *
 * It also watches its driver: what the specifications forbid the host to do is a
 * fault (bus_fault) while a drive that is `strict` is selected, and in a PRD table.
 */
#ifndef TESTS_MODEL_CHANNEL_H
#define TESTS_MODEL_CHANNEL_H

#include "tests/model/ata_disk.h"
#include "tests/model/bus.h"

#define CHANNEL_DRIVES 2

/* Ports of the channel: the command block, the control block, the bus master. */
enum {
	PORT_DATA = 0,
	PORT_FEATURES = 1,
	PORT_COUNT = 2,
	PORT_LBA_LOW = 3,
	PORT_LBA_MID = 4,
	PORT_LBA_HIGH = 5,
	PORT_DEVICE = 6,
	PORT_COMMAND = 7,
	PORT_CONTROL = 8,
	PORT_BM_COMMAND = 0x10,
	PORT_BM_STATUS = 0x12,
	PORT_BM_PRD = 0x14,
};

#define ST_ERR	0x01
#define ST_DRQ	0x08
#define ST_DSC	0x10
#define ST_DRDY 0x40
#define ST_BSY	0x80
#define CTL_NIEN 0x02
#define CTL_SRST 0x04
#define CTL_HOB	 0x80
#define BM_RUN	  0x01
#define BM_READS  0x08 /* from the drive to memory */
#define BM_ACTIVE 0x01
#define BM_ERROR  0x02
#define BM_INTR	  0x04

#define PACKET_BYTES 12

struct channel_drive {
	struct ata_disk *disk; /* NULL: absent, or a packet drive */
	bool packet;
	bool strict;
	/* Registers; 16 bits where what was written before can be read back. */
	uint16_t features, count, lba[3];
	uint8_t status, error;
	bool pending; /* an interrupt that Status has not acknowledged */
	/* The command. */
	enum channel_phase {
		PHASE_IDLE,
		PHASE_GIVEN, /* a command was written */
		PHASE_BLOCK, /* DRQ: a block of `data` up to `end` goes through the data register */
		PHASE_NEXT,  /* busy between blocks */
		PHASE_DMA,   /* waits for the bus master */
		PHASE_LAST,  /* all is written: the end is to be told */
		PHASE_RESET,
	} phase;
	struct ata_command command;
	struct ata_plan plan;
	uint8_t *data;
	uint32_t at, end;
	uint8_t fails;  /* the error that it ends with when what lies before a bad sector is read */
	uint32_t saved; /* bytes of a PIO write that are on the medium */
};

struct channel {
	struct bus *bus;
	struct channel_drive drive[CHANNEL_DRIVES];
	uint8_t device, control;
	unsigned unit; /* the drive that answers: the one that Device names, but for `keeps_unit` */
	uint8_t bm_command, bm_status;
	uint32_t bm_prd;
	bool line;   /* INTRQ as the host sees it */
	bool edge;   /* it has risen and the interrupt was not taken: channel_take_interrupt() */
	bool stuck;  /* no step is made */
	bool keeps_unit; /* a reset shows drive 0 in Device, and the one that was selected goes on answering */
	unsigned looks; /* at a busy Status in a row */
	uint64_t reads, writes; /* of registers by its driver */
};

void channel_init(struct channel *ch, struct bus *bus);
void channel_free(struct channel *ch);
void channel_connect(struct channel *ch, unsigned drive, struct ata_disk *disk);
void channel_connect_packet(struct channel *ch, unsigned drive);

/* Register accesses: 8 bits, but 32 at PORT_BM_PRD; never PORT_DATA. */
uint32_t channel_in(struct channel *ch, unsigned port);
void channel_out(struct channel *ch, unsigned port, uint32_t value);
/* 16-bit accesses of the data register. */
void channel_data_in(struct channel *ch, void *to, uint32_t words);
void channel_data_out(struct channel *ch, const void *from, uint32_t words);

/* The drive that works goes on by one step; false when there is nothing it could do by itself. */
bool channel_step(struct channel *ch);
/* True once for each rise of the interrupt line. */
bool channel_take_interrupt(struct channel *ch);

/* What the packet drive sends for a sector of 2048 bytes. */
void channel_packet_pattern(uint32_t sector, uint8_t out[2048]);

/* Between the files of the model. */
void drive_command(struct channel *ch, unsigned drive, uint8_t opcode);
bool drive_step(struct channel *ch, unsigned drive);
void drive_block_end(struct channel *ch, struct channel_drive *d);
void drive_signature(struct channel_drive *d);
void drive_drop(struct channel_drive *d);
void channel_update_line(struct channel *ch);
/* Walks the PRD table; returns the bytes moved. */
uint32_t channel_walk(struct channel *ch, uint8_t *data, uint32_t bytes, bool to_memory);

#endif
