/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A model ATA disk (ACS-3): what a command does to the medium and which status
 * it ends with. It has every feature that a mediator must hide, and does what it
 * is told; commands that would destroy data or keys are counted in `dangerous`.
 */
#ifndef TESTS_MODEL_ATA_DISK_H
#define TESTS_MODEL_ATA_DISK_H

#include <stdbool.h>
#include <stdint.h>

#define ATA_ABRT 0x04 /* the error register */
#define ATA_IDNF 0x10
#define ATA_UNC	 0x40

struct ata_command {
	uint8_t command, device, control;
	bool update; /* bit C of the FIS: a command, not the control register */
	uint16_t features, count;
	uint64_t lba;
	uint32_t auxiliary;
};

enum ata_direction { ATA_NO_DATA, ATA_IN, ATA_OUT };

/* What a command is going to move. */
struct ata_plan {
	enum ata_direction direction;
	bool ncq, pio;
	uint32_t bytes;
	uint32_t block; /* bytes of one DRQ block of a PIO command */
};

struct ata_disk {
	uint32_t lba_size;
	uint64_t sectors;
	uint8_t *medium;
	uint64_t bad_lba; /* reading or writing it fails with UNC; UINT64_MAX for none */
	uint16_t identify[256];
	uint8_t multiple; /* sectors of a DRQ block of READ MULTIPLE */
	bool ncq_error;	  /* the queue is frozen until log 10h is read */
	uint8_t ncq_log[512];
	unsigned seen[256]; /* commands by opcode */
	unsigned dangerous;
	unsigned flushes;
};

/* Ends the program when there is no memory. */
void ata_disk_init(struct ata_disk *disk, uint32_t lba_size, uint64_t sectors);
void ata_disk_free(struct ata_disk *disk);
/* Power-on state; the medium stays. */
void ata_disk_reset(struct ata_disk *disk);

/* Reads a host-to-device register FIS. */
struct ata_command ata_command_parse(const uint8_t fis[20]);

/*
 * Accepts a command: fills `plan`, returns 0 or the error register. Then
 * ata_disk_in() for data to the host, ata_disk_out() for data from it or for
 * none. These return 0 or the error register, and change `command` to what the
 * registers hold at the end (count, lba).
 */
uint8_t ata_disk_plan(struct ata_disk *disk, const struct ata_command *command, struct ata_plan *plan);
uint8_t ata_disk_in(struct ata_disk *disk, struct ata_command *command, uint8_t *data, uint32_t bytes);
uint8_t ata_disk_out(struct ata_disk *disk, struct ata_command *command, const uint8_t *data, uint32_t bytes);

/* A queued command failed: log 10h tells, and the queue is frozen. */
void ata_disk_ncq_failed(
	struct ata_disk *disk, const struct ata_command *command, uint8_t status, uint8_t error);

/* The first sector and the number of sectors that a data command names. */
uint64_t ata_first_lba(const struct ata_command *command);
uint32_t ata_sector_count(const struct ata_command *command);
bool ata_is_ncq(uint8_t opcode);

#endif
