/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest's AHCI driver for one port: builds commands in guest RAM, gives them to
 * the HBA, and takes completions as Linux does (ahci_single_level_irq_intr) or by
 * polling. Register accesses are made on the CPU that is named.
 */
#ifndef TESTS_MODEL_GUEST_AHCI_H
#define TESTS_MODEL_GUEST_AHCI_H

#include "tests/model/machine.h"

/* A piece of memory in a PRD table. */
struct guest_piece {
	uint64_t address;
	uint32_t bytes; /* up to 4 MiB; 0 writes a count field of ~0, which is odd and 4 MiB */
};

struct guest_command {
	uint8_t opcode, device; /* device 0: 0x40 */
	uint16_t features, count;
	uint64_t lba;
	bool write; /* the W bit */
	const struct guest_piece *piece;
	uint32_t pieces;
};

struct guest {
	struct machine *m;
	unsigned port;
	uint64_t list, received, table[32];
	uint32_t table_prds;
	bool level; /* interrupts are a wire; else messages, which are lost where nothing sends them again */
	/* The driver's view: */
	uint32_t active, queued; /* commands given to the HBA; of them, NCQ */
	uint32_t done, failed;
	uint32_t errors; /* PxIS error bits seen, not yet recovered from */
	uint32_t tfd;	 /* as it was at the error */
};

/* Lists in guest RAM, tables of up to `prds` entries; the port is started with interrupts on. */
void guest_start(struct guest *g, struct machine *m, unsigned port, uint32_t prds);

/* Writes header, FIS and PRD table of a command. The slot is its tag where it is queued. */
void guest_build(struct guest *g, unsigned slot, const struct guest_command *command);
/* Gives built commands to the HBA. */
void guest_issue(struct guest *g, unsigned cpu, uint32_t slots);
/* The interrupt handler; returns the slots that it found completed. */
uint32_t guest_handler(struct guest *g, unsigned cpu);
/* A polling driver's look: PxIS and PxCI/PxSACT, no use of IS. Returns as guest_handler(). */
uint32_t guest_poll(struct guest *g, unsigned cpu);
/* Build, issue, let the device work, take the interrupts; true when it ended well. */
bool guest_do(struct guest *g, unsigned slot, const struct guest_command *command);
/* Lets the device run and takes interrupts until nothing happens; bounded. */
void guest_finish_all(struct guest *g);

/* Stops and starts the engine after an error (AHCI 6.2.2.1); false when it does not stop. */
bool guest_recover(struct guest *g);
/* COMRESET and all that belongs to it (10.4.2). */
bool guest_comreset(struct guest *g);
/* Stop, CLO, software reset by two control FISes, start (10.4.1). */
bool guest_software_reset(struct guest *g);
/* Reset of the whole HBA (10.4.3), and this port started again. */
bool guest_hba_reset(struct guest *g);
bool guest_stop(struct guest *g);
bool guest_begin(struct guest *g);

/* The commonest commands. `ncq` chooses READ/WRITE FPDMA QUEUED, else READ/WRITE DMA EXT. */
struct guest_command guest_transfer(bool write, bool ncq, unsigned slot, uint64_t lba, uint32_t count,
	const struct guest_piece *piece, uint32_t pieces);
/* One round: moves `count` sectors at `lba` between the disk and the guest's memory at `address`. */
bool guest_read(struct guest *g, bool ncq, uint64_t lba, uint32_t count, uint64_t address);
bool guest_write(struct guest *g, bool ncq, uint64_t lba, uint32_t count, uint64_t address);

uint32_t guest_register(struct guest *g, uint32_t reg);
void guest_set_register(struct guest *g, uint32_t reg, uint32_t value);

#endif
