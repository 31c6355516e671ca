/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which ATA commands a guest may send to a protected disk, and how each is
 * treated, whether it hangs on an HBA or on ports. A command that is not in the table
 * is refused: the drive is made to abort it. ACS-3 section 7.
 */
#ifndef STORAGE_ATA_COMMANDS_COMMANDS_H
#define STORAGE_ATA_COMMANDS_COMMANDS_H

#include "storage/ata_commands/fis.h"
#include <stdbool.h>
#include <stdint.h>

enum command_class {
	COMMAND_REFUSE,
	COMMAND_PASS,     /* goes to the drive as it is; its data, if any, is not of the medium */
	COMMAND_READ,     /* data from the medium */
	COMMAND_WRITE,    /* data to the medium */
	COMMAND_IDENTIFY, /* passes; what comes back is adjusted */
	COMMAND_TRIM,     /* passes, unless a named range is guarded: the payload is not examined */
};

enum command_address { ADDRESS_NONE, ADDRESS_28, ADDRESS_48, ADDRESS_NCQ };

/* How data moves: an HBA does it all alike, on ports the host takes part. What passes by PIO is read. */
enum command_protocol { NO_DATA, BY_PIO, BY_PIO_MULTIPLE, BY_DMA, BY_QUEUE };

struct command_rule {
	uint8_t opcode;
	uint8_t class;   /* enum command_class */
	uint8_t address; /* enum command_address: where LBA and count stand */
	uint8_t protocol; /* enum command_protocol */
	int16_t feature; /* the row is for this value of the feature register only, or -1 */
	const char *reason;
};

extern const struct command_rule command_rules[];
extern const unsigned command_rule_count;

/* A command as the mediator treats it. */
struct command {
	enum command_class class;
	enum command_address address;
	enum command_protocol protocol;
	bool ncq; /* in the NCQ protocol, also when refused */
	uint64_t lba;
	uint32_t count; /* sectors: 1 .. 65536 for READ and WRITE, else 0 */
};

/* Decodes a task file (of a FIS: type and C bit checked by the caller). Pure. */
struct command command_decode(const struct fis_h2d *fis);

/* Reads or writes the medium and looks at the latest values of the registers only. */
bool command_is_28_bit(uint8_t opcode);

/* The most sectors one command of this addressing can name. */
uint32_t command_max_sectors(enum command_address address);

/* Puts another LBA and count into a FIS of this addressing. */
void command_set_range(struct fis_h2d *fis, enum command_address address, uint64_t lba, uint32_t count);

/* Turns FIS into a read, write or a command that every drive aborts (refusal). Same tag when queued. */
void command_make_read(struct fis_h2d *fis, enum command_address address);
void command_make_refusal(struct fis_h2d *fis, bool ncq);

#endif
