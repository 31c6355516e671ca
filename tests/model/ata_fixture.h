/* SPDX-License-Identifier: Apache-2.0 */
/* A machine with the ATA mediator and a driver that has begun: where most tests start, and what must hold where they end. */
#ifndef TESTS_MODEL_ATA_FIXTURE_H
#define TESTS_MODEL_ATA_FIXTURE_H

#include "tests/model/guest_ata.h"

#define ATA_FIXTURE_BUFFER (1u << 20)

struct ata_fixture {
	struct ata_machine m;
	struct guest_ata g;
	uint64_t buffer; /* ATA_FIXTURE_BUFFER bytes of guest RAM, from a 64 KiB boundary on */
	uint8_t *memory; /* the same */
	uint8_t *medium; /* of drive 0, as it was at the start */
	struct disk_pin pin;
};

/* False when the mediator refused. The driver is drive 0's. */
bool ata_fixture_start(struct ata_fixture *f, const struct ata_machine_options *options, bool polls);
/* Frees it. NULL, or what was wrong: a fault on the bus, a command that no guest may reach. */
const char *ata_fixture_stop(struct ata_fixture *f);

/* Some bytes of a clear sector before the first volume of drive 0 must stay as they are. */
#define PINNED_LBA    20u
#define PINNED_OFFSET 100u
#define PINNED_BYTES  17u
void ata_fixture_pin(struct ata_fixture *f);

/* Whether drive 0 holds what it held at the start. */
bool ata_fixture_unchanged(const struct ata_fixture *f);
/* Whether the driver's disk holds `data` in these sectors, as its owner should see it. */
bool ata_fixture_holds(const struct ata_fixture *f, uint64_t lba, uint32_t count, const void *data);
/* What these sectors of the driver's disk held at the start. */
void ata_fixture_patterns(const struct ata_fixture *f, uint64_t lba, uint32_t count, uint8_t *out);
/* Whether the buffer holds what these sectors did. */
bool ata_fixture_shows(const struct ata_fixture *f, uint64_t lba, uint32_t count);
/* Whether a sector of A is read by PIO and by DMA as it should be: the mediator works. */
bool ata_fixture_works(struct ata_fixture *f);
/* Whether the bytes stand anywhere in the mediator's memory. */
bool ata_fixture_keeps(const struct ata_fixture *f, const void *bytes, uint32_t count);

#endif
