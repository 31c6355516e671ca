/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mediator for a legacy ATA channel: stands between a guest's driver and the
 * two drives behind one set of ports (the command and control block, and the bus
 * master's registers). The guest's registers are read once when it writes Command,
 * checked whole, and written to the drive as they were checked. By PIO each sector
 * is transformed on its way through the data register; by DMA the drive works on a
 * PRD table of our own: what is read lands in the guest's buffers and is decrypted
 * there before the guest is shown the end, what is written goes through bounce
 * memory. A command of the guest is one command of the drive, so interrupts go
 * straight to the guest.
 *
 * A drive without a map is the guest's own, ATAPI or not; its DMA is kept to the
 * guest's memory all the same. Specification: ATA/ATAPI-7 (PIO and DMA protocols on
 * ports), ACS-3 (commands), Programming Interface for Bus Master IDE Controller 1.0.
 */
#ifndef STORAGE_ATA_H
#define STORAGE_ATA_H

#include "storage/volume/map.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ATA_DRIVES 2

/* The ports of a channel. Those of the bus master are there only where the controller has one. */
enum ata_port {
	ATA_DATA = 0x00, /* 16 bits wide; the rest of the command block is 8 */
	ATA_FEATURES = 0x01, /* read: Error */
	ATA_COUNT = 0x02,
	ATA_LBA_LOW = 0x03,
	ATA_LBA_MID = 0x04,
	ATA_LBA_HIGH = 0x05,
	ATA_DEVICE = 0x06,
	ATA_COMMAND = 0x07, /* read: Status */
	ATA_CONTROL = 0x08, /* Device Control; read: Alternate Status */
	ATA_BUS_MASTER = 0x10, /* the first of eight: */
	ATA_BM_COMMAND = 0x10,
	ATA_BM_STATUS = 0x12,
	ATA_BM_PRD = 0x14, /* 32 bits */
	ATA_PORTS_END = 0x18,
};

/* What the mediator asks of its surroundings. Every call is made on the exiting CPU. */
struct ata_env {
	void *context;
	/* The device's own ports: 8 bits, but 32 at ATA_BM_PRD; never ATA_DATA. */
	uint32_t (*in)(void *context, enum ata_port port);
	void (*out)(void *context, enum ata_port port, uint32_t value);
	/* `words` 16-bit accesses of the data register; the memory need not be aligned. */
	void (*data_in)(void *context, void *to, uint32_t words);
	void (*data_out)(void *context, const void *from, uint32_t words);
	/*
	 * A pointer to guest memory [gpa, gpa+bytes), or NULL unless every byte is
	 * RAM the guest owns (not the hypervisor's, not beyond RAM, not MMIO).
	 */
	void *(*guest_ram)(void *context, uint64_t gpa, uint64_t bytes);
	/* The address at which the device sees mediator memory taken from the arena. */
	uint64_t (*bus_address)(void *context, const void *arena_memory);
};

struct ata; /* opaque; lives at the start of the arena */

struct ata_config {
	const struct ata_env *env;
	const char *name; /* of the channel, for the log; outlives the mediator */
	/* DMA-able, page-aligned memory below 4 GiB that the mediator owns for good. */
	void *arena;
	size_t arena_bytes;
	/* The map of each drive's disk, or NULL for a drive whose data is not touched. */
	const struct disk_map *disk[ATA_DRIVES];
	bool bus_master; /* the controller has one */
};

/*
 * The arena for commands that write so many bytes to a volume by DMA, a multiple of 4096.
 * At least what a command of 28 bits can name on a disk with sectors of 4096 bytes;
 * systems make none of more than 4 MiB.
 */
#define ATA_LEAST_WRITE   (1u << 20)
#define ATA_LONGEST_WRITE (4u << 20)
size_t ata_arena_bytes(uint32_t longest_write);

/*
 * Takes the channel over. The firmware's driver has been disconnected; the bus
 * master is stopped. Returns NULL with a log line when the selected drive stays
 * busy or the arena does not do; the device is then as it was, its bus master
 * stopped.
 */
struct ata *ata_init(const struct ata_config *config);

/*
 * A guest access of `size` 1, 2 or 4 bytes at a port of the channel. Wider ones
 * than a register has are made byte by byte, but at ATA_DATA, where 4 are two
 * words and 1 is a word of which half is lost. Any CPU, takes the channel's lock.
 */
uint32_t ata_read(struct ata *ata, uint32_t port, unsigned size);
void ata_write(struct ata *ata, uint32_t port, unsigned size, uint32_t value);

/* A string of accesses of `size` 2 or 4 bytes at ATA_DATA: `bytes` of data at once, a multiple of `size`. */
void ata_data_in(struct ata *ata, void *to, uint32_t bytes);
void ata_data_out(struct ata *ata, const void *from, uint32_t bytes);

/*
 * The ports move, or stop answering. From ata_hold() to ata_release() nobody else makes
 * an access of the channel; in between, and by the same CPU, ata_detach() ends what is
 * going on while the ports still answer, and ata_attach() tells that they do again, where
 * the environment now finds them. While it is detached the guest reads ones, writes
 * nothing, and the device is not accessed. Each may be called twice in a row.
 */
void ata_hold(struct ata *ata);
void ata_detach(struct ata *ata);
void ata_attach(struct ata *ata);
void ata_release(struct ata *ata);

/*
 * Lets a DMA in flight end (bounded), stops the bus master, takes no command any
 * more and wipes what held data. For shutdown and reset. Any CPU.
 */
void ata_quiesce(struct ata *ata);

#endif
