/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The AHCI mediator: stands between a guest's driver and one HBA. The device
 * works on command lists, tables and FIS areas of our own; the guest's are read
 * once when it writes PxCI, checked whole, then acted on. Data that is read lands
 * in the guest's buffer and is decrypted there before the guest is shown the
 * completion; data that is written goes through bounce memory.
 *
 * Completions are seen at trapped register accesses only; interrupts go straight
 * to the guest. Specification: AHCI 1.3.1, ACS-3.
 */
#ifndef STORAGE_AHCI_H
#define STORAGE_AHCI_H

#include "storage/volume/map.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AHCI_PORTS     32
#define AHCI_ABAR_SIZE 0x1100 /* generic registers and 32 ports of 0x80 bytes */

/* What the mediator asks of its surroundings. Every call is made on the exiting CPU. */
struct ahci_env {
	void *context;
	/* The device's own registers, 32 bits wide at ABAR + offset. */
	uint32_t (*reg_read)(void *context, uint32_t offset);
	void (*reg_write)(void *context, uint32_t offset, uint32_t value);
	/*
	 * A pointer to guest memory [gpa, gpa+bytes), or NULL unless every byte is
	 * RAM the guest owns (not the hypervisor's, not beyond RAM, not MMIO).
	 */
	void *(*guest_ram)(void *context, uint64_t gpa, uint64_t bytes);
	/* The address at which the device sees mediator memory taken from the arena. */
	uint64_t (*bus_address)(void *context, const void *arena_memory);
	/*
	 * Maps the register copy read-only over the HBA page for the calling CPU, or
	 * takes it away: from the calling CPU, or from all (returns when no CPU can
	 * read through a stale translation). Optional: NULL means never armed.
	 */
	void (*copy_arm)(void *context);
	void (*copy_disarm)(void *context, bool all_cpus);
};

struct ahci; /* opaque; lives at the start of the arena */

struct ahci_config {
	const struct ahci_env *env;
	/* DMA-able, page-aligned memory that the mediator owns for good: its state, rings, bounce buffers. */
	void *arena;
	size_t arena_bytes;
	/* By port: the map of the disk behind it, or NULL for a port whose data is not touched. */
	const struct disk_map *disk[AHCI_PORTS];
};

/* The least arena for `protected_ports` protected ports (bounce memory grows with what is given beyond). */
size_t ahci_arena_bytes(unsigned protected_ports);

/*
 * Takes the HBA over. The firmware's driver has been disconnected; engines that
 * still run are stopped (PxCMD.ST, FRE). Returns NULL with a log line when the
 * HBA does not stop or the arena is too small; the device is then untouched.
 */
struct ahci *ahci_init(const struct ahci_config *config);

/*
 * A guest access of `size` 1, 2, 4 or 8 bytes at ABAR + offset, any alignment
 * (AHCI 1.3.1 section 3 allows all; accesses the HBA does not define read as
 * zero and are dropped). Any CPU, takes the mediator's locks.
 */
uint64_t ahci_read(struct ahci *ahci, uint32_t offset, unsigned size);
void ahci_write(struct ahci *ahci, uint32_t offset, unsigned size, uint64_t value);

/* The register copy that copy_arm maps: one or two pages, page-aligned. */
const void *ahci_copy(const struct ahci *ahci);

/*
 * Stops every engine and waits (bounded) until the device uses no memory of
 * ours; then wipes bounce memory. For shutdown and reset. Any CPU.
 */
void ahci_quiesce(struct ahci *ahci);

/* Counters since start, for `underseal stat`. */
struct ahci_statistics {
	uint64_t commands, bytes_read, bytes_written, refused, read_modify_writes, waits;
};
void ahci_statistics(struct ahci *ahci, struct ahci_statistics *out);

#endif
