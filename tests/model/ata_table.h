/* SPDX-License-Identifier: Apache-2.0 */
/* Inside the model disk: its commands as a table, IDENTIFY data and logs. */
#ifndef TESTS_MODEL_ATA_TABLE_H
#define TESTS_MODEL_ATA_TABLE_H

#include "tests/model/ata_disk.h"

/* What the count field counts. */
enum ata_unit {
	ATA_NOTHING,
	ATA_SECTORS,   /* logical sectors of the medium */
	ATA_VERIFY,    /* sectors that are looked at and not moved */
	ATA_LOG,       /* log pages of 512 bytes */
	ATA_BLOCKS,    /* blocks of 512 bytes */
	ATA_ONE_BLOCK, /* always one */
	ATA_SMART,     /* by subcommand */
};

struct ata_row {
	bool known;
	enum ata_direction direction;
	enum ata_unit unit;
	bool wide; /* 48-bit LBA, 16-bit count */
	bool pio, multiple, ncq, dangerous;
};

const struct ata_row *ata_row(uint8_t opcode);
uint8_t ata_smart_plan(const struct ata_command *command, struct ata_plan *plan);
uint8_t ata_log_read(struct ata_disk *disk, const struct ata_command *command, uint8_t *data, uint32_t bytes);
void ata_identify_fill(struct ata_disk *disk);

#endif
