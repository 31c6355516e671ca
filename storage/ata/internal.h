/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state of a channel and what the mediator's files share. One lock guards it:
 * at most one drive of a channel works at a time.
 *
 * Which drive the guest's accesses mean is what the Device register says, here and
 * in the drives: it is written only while nothing is going on, and looked at again
 * before a command is given.
 */
#ifndef STORAGE_ATA_INTERNAL_H
#define STORAGE_ATA_INTERNAL_H

#include "storage/ata/ata.h"
#include "storage/ata/registers.h"
#include "storage/ata_commands/commands.h"
#include "storage/crypt/scope.h"
#include "storage/port.h"
#include "storage/volume/transform.h"

#define PIECE_BYTES 512u /* what goes through the data register at once: DRQ blocks are multiples of it */

/* What the command that was given last does with data. */
enum flow {
	FLOW_NONE,     /* nothing moves: the data register reads as ones, writes are dropped */
	FLOW_PASS,     /* of a drive without a map: as it comes */
	FLOW_PIO_IN,   /* piece by piece, to the guest */
	FLOW_PIO_OUT,  /* piece by piece, to the drive */
	FLOW_GATHER,   /* a block of a write that touches pinned bytes is taken from the guest first ... */
	FLOW_GATHERED, /* ... and the drive writes it */
	FLOW_DMA_HELD, /* a DMA command that waits for the guest to start the bus master */
	FLOW_DMA,      /* the drive moves data by our table */
};

struct drive {
	const struct disk_map *map; /* NULL: the guest's own */
	uint8_t multiple;           /* sectors of a block of READ and WRITE MULTIPLE; 0: none, or not known */
	bool multiple_set;          /* by a command that has not ended: */
	uint8_t multiple_asked;
};

struct ata {
	struct port_lock lock;
	const struct ata_env *env;
	const char *name;
	bool bus_master;
	bool dead;     /* quiesced for good */
	bool detached; /* its ports do not answer */
	struct drive drive[ATA_DRIVES];
	/* The guest's registers ATA_FEATURES to ATA_LBA_HIGH: written last, and before that (48-bit commands). */
	uint8_t latest[6], before[6];
	uint8_t device;
	uint32_t guest_prd;
	uint8_t guest_bus_master; /* its command register */
	/* The command: */
	enum flow flow;
	unsigned busy; /* the drive it was given to */
	struct fis_h2d fis;
	struct command command;
	uint64_t total, moved; /* bytes: of the whole, through the data register so far */
	uint8_t piece[PIECE_BYTES];
	uint32_t piece_at;  /* bytes of it the guest has read or written */
	bool piece_full;    /* PIO in: it holds data the guest has not read to its end */
	uint32_t block;     /* bytes of a gathered block */
	struct prd *table;  /* the device's; TABLE_ENTRIES of them */
	uint32_t entries;
	uint8_t *bounce;
	uint32_t bounce_bytes;
	uint32_t refused; /* commands, for the log */
};

static inline uint8_t device_in(const struct ata *ata, enum ata_port port)
{
	return (uint8_t)ata->env->in(ata->env->context, port);
}

static inline void device_out(const struct ata *ata, enum ata_port port, uint32_t value)
{
	ata->env->out(ata->env->context, port, value);
}

static inline void *guest_memory(const struct ata *ata, uint64_t gpa, uint64_t bytes)
{
	return ata->env->guest_ram(ata->env->context, gpa, bytes);
}

static inline unsigned selected(const struct ata *ata)
{
	return ata->device & DEVICE_DEV ? 1 : 0;
}

/* The disk of the command in flight. */
static inline const struct disk_map *map_of(const struct ata *ata)
{
	return ata->drive[ata->busy].map;
}

/* registers.c */
/*
 * The drive's status as it is shown; what it implies is carried out before. `port`
 * ATA_COMMAND acknowledges the interrupt.
 */
uint8_t status_read(struct ata *ata, enum ata_port port, struct cipher_scope *scope);
/* What a bus shows on which no drive answers. */
bool is_nobody(uint8_t status);
/* Neither BSY nor DRQ is shown: registers may be written. */
bool is_idle(struct ata *ata, struct cipher_scope *scope);
void register_write(struct ata *ata, enum ata_port port, uint8_t value, struct cipher_scope *scope);
void control_write(struct ata *ata, uint8_t value);
/* Both drives forget what they were told: drive 0 is selected. */
void forget_settings(struct ata *ata);
/* Looks at the drive until none of these bits of its status is set, or nobody is there; false when that does not come. */
bool wait_while(const struct ata *ata, uint8_t bits, uint8_t *status);

/* command.c */
void command_write(struct ata *ata, uint8_t opcode, struct cipher_scope *scope);
/* Gives `fis` to the drive of the command in flight. */
void command_issue(struct ata *ata, const struct fis_h2d *fis);
/* Has the drive abort: it makes the status, the error and the interrupt. The command is over. */
void command_refuse(struct ata *ata, const char *why);
/* Says so, but not for ever. */
void command_log_refusal(struct ata *ata, const char *why);
/* Forgets the command in flight; wipes what its data was in. The bus master is stopped. */
void command_forget(struct ata *ata);

/* pio.c */
void pio_in(struct ata *ata, uint8_t *to, uint32_t bytes, struct cipher_scope *scope);
void pio_out(struct ata *ata, const uint8_t *from, uint32_t bytes, struct cipher_scope *scope);
/* The first or next block of a gathered write: the guest is asked for it. */
void gather_begin(struct ata *ata);

/* dma.c: the bus master. */
void bus_master_write(struct ata *ata, uint8_t value, struct cipher_scope *scope);
void bus_master_stop(struct ata *ata);
/* The guest has started the bus master and given the command. */
void dma_begin(struct ata *ata, struct cipher_scope *scope);
/* The drive has ended the command. */
void dma_end(struct ata *ata, struct cipher_scope *scope);

/* prd.c: the guest's table becomes ours. */
/* Reads the guest's table into ours, checked. NULL and the bytes it covers, or what is wrong with it. */
const char *prd_load(struct ata *ata, uint64_t *bytes);
/* Copies the first `bytes` of the memory that the table names. */
void prd_copy_from(const struct ata *ata, uint8_t *to, uint32_t bytes);
/* Decrypts the first `bytes` of that in place; `at` is their place on the disk in bytes. */
void prd_decrypt(const struct ata *ata, uint64_t at, uint64_t bytes, struct cipher_scope *scope);
/* Makes a table of bounce memory. */
void prd_of_bounce(struct ata *ata, uint32_t bytes);

#endif
