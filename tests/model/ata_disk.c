/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/model/ata_disk.h"
#include "tests/model/ata_table.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

void ata_disk_init(struct ata_disk *disk, uint32_t lba_size, uint64_t sectors)
{
	memset(disk, 0, sizeof(*disk));
	disk->lba_size = lba_size;
	disk->sectors = sectors;
	disk->bad_lba = UINT64_MAX;
	disk->medium = mmap(NULL, sectors * lba_size, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (disk->medium == MAP_FAILED) {
		perror("model disk");
		exit(2);
	}
	ata_identify_fill(disk);
	ata_disk_reset(disk);
}

void ata_disk_free(struct ata_disk *disk)
{
	munmap(disk->medium, disk->sectors * disk->lba_size);
}

void ata_disk_reset(struct ata_disk *disk)
{
	disk->ncq_error = false;
	disk->multiple = 16;
}

/* Field by field on zeroes: the padding is part of a machine's state, and is compared. */
struct ata_command ata_command_parse(const uint8_t fis[20])
{
	struct ata_command c;

	memset(&c, 0, sizeof(c));
	c.command = fis[2];
	c.device = fis[7];
	c.control = fis[15];
	c.update = fis[1] & 0x80;
	c.features = (uint16_t)(fis[3] | fis[11] << 8);
	c.count = (uint16_t)(fis[12] | fis[13] << 8);
	c.lba = (uint64_t)fis[4] | (uint64_t)fis[5] << 8 | (uint64_t)fis[6] << 16 | (uint64_t)fis[8] << 24 |
		(uint64_t)fis[9] << 32 | (uint64_t)fis[10] << 40;
	memcpy(&c.auxiliary, fis + 16, 4);
	return c;
}

bool ata_is_ncq(uint8_t opcode)
{
	return (opcode >= 0x60 && opcode <= 0x65) && opcode != 0x62;
}

uint64_t ata_first_lba(const struct ata_command *command)
{
	if (ata_row(command->command)->wide)
		return command->lba;
	return (command->lba & 0xffffff) | (uint64_t)(command->device & 15) << 24;
}

uint32_t ata_sector_count(const struct ata_command *command)
{
	const struct ata_row *row = ata_row(command->command);
	uint32_t count = row->ncq ? command->features : command->count;

	if (row->wide)
		return count ? count : 65536;
	return count & 0xff ? count & 0xff : 256;
}

uint8_t ata_disk_plan(struct ata_disk *disk, const struct ata_command *command, struct ata_plan *plan)
{
	const struct ata_row *row = ata_row(command->command);
	uint32_t unit = row->unit == ATA_SECTORS ? disk->lba_size : 512;
	uint32_t units = ata_sector_count(command);

	disk->seen[command->command]++;
	memset(plan, 0, sizeof(*plan));
	plan->ncq = ata_is_ncq(command->command);
	if (row->dangerous)
		disk->dangerous++;
	if (!row->known || (disk->ncq_error && command->command != 0x2f && command->command != 0x47))
		return ATA_ABRT;
	if (row->unit == ATA_SECTORS || row->unit == ATA_VERIFY) {
		uint64_t first = ata_first_lba(command);

		if (!(command->device & 0x40))
			return ATA_ABRT;
		if (first >= disk->sectors || units > disk->sectors - first)
			return ATA_IDNF;
		/* What lies before it is transferred. */
		if (disk->bad_lba - first < units) {
			plan->direction = row->direction;
			plan->bytes = row->direction == ATA_IN ? (uint32_t)(disk->bad_lba - first) * unit : 0;
			plan->block = unit;
			return ATA_UNC;
		}
	}
	if (row->unit == ATA_VERIFY)
		return 0;
	if (row->multiple && !disk->multiple)
		return ATA_ABRT;
	plan->direction = row->direction;
	plan->pio = row->pio;
	if (command->command == 0xb0) {
		uint8_t error = ata_smart_plan(command, plan);

		if (error)
			return error;
	}
	if (row->unit == ATA_ONE_BLOCK || row->unit == ATA_SMART)
		units = 1;
	if (plan->direction != ATA_NO_DATA)
		plan->bytes = units * unit;
	plan->block = row->multiple ? unit * disk->multiple : unit;
	return 0;
}

/* The size of blocks as it is set now; the checksum goes with it. */
static void identify(const struct ata_disk *disk, uint8_t *data)
{
	uint16_t word = (uint16_t)((disk->identify[59] & 0xfe00) | (disk->multiple ? 0x100 | disk->multiple : 0));
	uint8_t sum = 0;

	memcpy(data, disk->identify, 512);
	memcpy(data + 2 * 59, &word, 2);
	for (unsigned i = 0; i < 511; i++)
		sum = (uint8_t)(sum + data[i]);
	data[511] = (uint8_t)-sum;
}

uint8_t ata_disk_in(struct ata_disk *disk, struct ata_command *command, uint8_t *data, uint32_t bytes)
{
	memset(data, 0, bytes);
	switch (ata_row(command->command)->unit) {
	case ATA_SECTORS:
		memcpy(data, disk->medium + ata_first_lba(command) * disk->lba_size, bytes);
		break;
	case ATA_LOG:
		return ata_log_read(disk, command, data, bytes);
	case ATA_ONE_BLOCK:
		if (command->command == 0xec)
			identify(disk, data);
		break;
	default:
		break;
	}
	return 0;
}

static void trim(struct ata_disk *disk, const uint8_t *data, uint32_t bytes)
{
	for (uint32_t at = 0; at + 8 <= bytes; at += 8) {
		uint64_t entry, lba, count;

		memcpy(&entry, data + at, 8);
		lba = entry & 0xffffffffffff;
		count = entry >> 48;
		if (lba < disk->sectors && count <= disk->sectors - lba)
			memset(disk->medium + lba * disk->lba_size, 0, count * disk->lba_size);
	}
}

uint8_t ata_disk_out(struct ata_disk *disk, struct ata_command *command, const uint8_t *data, uint32_t bytes)
{
	switch (command->command) {
	case 0x06: /* DATA SET MANAGEMENT */
		if (!(command->features & 1))
			return ATA_ABRT;
		trim(disk, data, bytes);
		return 0;
	case 0xc6: /* SET MULTIPLE MODE */
		/* 0: there is none. */
		if (command->count > 16 || command->count & (command->count - 1))
			return ATA_ABRT;
		disk->multiple = (uint8_t)command->count;
		return 0;
	case 0xe5: /* CHECK POWER MODE: active */
		command->count = 0xff;
		return 0;
	case 0xe7:
	case 0xea:
		disk->flushes++;
		return 0;
	case 0xf8:
	case 0x27: /* READ NATIVE MAX ADDRESS */
		command->lba = disk->sectors - 1;
		return 0;
	case 0xf4: /* SECURITY ERASE UNIT */
	case 0xb4: /* SANITIZE DEVICE */
		memset(disk->medium, 0, disk->sectors * disk->lba_size);
		return 0;
	default:
		break;
	}
	if (ata_row(command->command)->unit == ATA_SECTORS && data)
		memcpy(disk->medium + ata_first_lba(command) * disk->lba_size, data, bytes);
	return 0;
}
