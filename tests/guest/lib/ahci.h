/* SPDX-License-Identifier: Apache-2.0 */
/* A polled driver of one AHCI disk: one command at a time, by DMA. */
#ifndef TESTS_GUEST_LIB_AHCI_H
#define TESTS_GUEST_LIB_AHCI_H

#include "tests/guest/lib/guest.h"

#define AHCI_SECTOR      512u
#define AHCI_MAX_SECTORS 128u

struct ahci_disk {
	volatile uint32_t *hba, *port;
	struct command_header *list;
	struct command_table *table;
	uint8_t *fis;
};

/* The registers of the first HBA on bus 0, or NULL. Memory space and bus mastering are turned on. */
volatile uint32_t *ahci_registers(void);
/* Takes over a port that has a disk: its engine is stopped and started on lists of ours. False: there is none. */
bool ahci_open(struct ahci_disk *disk, unsigned port);
/* Up to AHCI_MAX_SECTORS from or to memory below 4 GiB; false when the device says no, or says nothing for seconds. */
bool ahci_transfer(struct ahci_disk *disk, uint64_t lba, uint32_t sectors, void *buffer, bool write);

#endif
