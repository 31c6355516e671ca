/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mediator's state and what its files share.
 *
 * Locks, in this order: a port's lock (its slots and registers), the HBA's lock
 * (the register copy and the interrupt bookkeeping), the pool's (bounce pages).
 *
 * A command of the guest lives in the slot of its tag. It is carried out in one or
 * more chunks, each one command of the device in the same slot; the guest sees the
 * completion after the last. A chunk is either aligned to the cipher's sectors, or
 * lies within a single one (a partial chunk: read, or read-modify-write).
 */
#ifndef STORAGE_AHCI_INTERNAL_H
#define STORAGE_AHCI_INTERNAL_H

#include "storage/ahci/ahci.h"
#include "storage/ahci/registers.h"
#include "storage/ata_commands/commands.h"
#include "storage/ata_commands/identify.h"
#include "storage/ata_commands/trim.h"
#include "storage/crypt/scope.h"
#include "storage/port.h"

#define PAGE_BYTES      4096u
#define CHUNK_BYTES     (1u << 20) /* the most one chunk moves */
#define CIPHER_MAX      4096

/* A position in the guest's PRDT. Entries are read anew at each pass and checked at each read. */
struct sg_cursor {
	uint32_t entry;
	uint32_t offset; /* in the entry */
};

enum slot_state {
	SLOT_FREE,
	SLOT_WAITING, /* accepted; its next chunk has not been given to the device */
	SLOT_ISSUED,  /* a chunk is with the device */
};

enum chunk_kind {
	CHUNK_PASS,         /* the guest's own data, unchanged (PASS, IDENTIFY) */
	CHUNK_DIRECT,       /* between the medium and the guest's buffers; reads are decrypted there */
	CHUNK_BOUNCE_READ,  /* into bounce memory, decrypted and copied */
	CHUNK_BOUNCE_WRITE, /* encrypted into bounce memory */
	CHUNK_MODIFY_READ,  /* first half of a read-modify-write of one cipher sector */
	CHUNK_TRIM,         /* a checked copy of the ranges */
	CHUNK_REFUSED,      /* the device is made to fail it */
};

struct slot {
	enum slot_state state;
	struct command command;
	struct fis_h2d fis;   /* the guest's, read once */
	uint8_t fis_words;
	uint32_t flags;       /* the guest's command header */
	uint64_t prdt;        /* guest-physical address of its PRDT; entries are validated when read */
	uint32_t prdtl;
	uint64_t sequence;    /* order of acceptance */
	uint32_t done;        /* sectors moved by finished chunks */
	uint32_t transferred; /* bytes, for PRDBC */
	/* The chunk: */
	enum chunk_kind kind;
	uint64_t lba;         /* of the guest's part */
	uint32_t count;
	uint64_t device_lba;  /* of the device's command: wider than the guest's part when partial */
	uint32_t device_count;
	struct sg_cursor start, end; /* of the chunk in the guest's PRDT */
	uint8_t *bounce;      /* NULL when none */
	uint32_t bounce_bytes;
	uint32_t quiet;       /* PxIS bits that the end of this chunk may set and the guest must not see */
};

struct port {
	struct port_lock lock;
	unsigned number;
	const struct disk_map *map; /* NULL: registers pass straight through */
	bool implemented;
	bool running;  /* the guest has set ST and the device runs */
	bool stopping; /* ST was cleared; the device may still use our memory */
	bool dead;     /* quiesced for good */
	uint64_t guest_clb, guest_fb;
	uint8_t *guest_fis; /* valid while FRE is passed, else NULL */
	struct command_header *guest_list; /* valid while running */
	uint32_t guest_ci, guest_sact;     /* what the guest sees */
	uint32_t issued;    /* slots with the device */
	uint32_t issued_ncq;
	uint32_t waiting;   /* slots waiting */
	uint64_t next_sequence;
	struct slot slot[COMMAND_SLOTS];
	/* The device's: */
	struct command_header *list;
	struct command_table *table; /* COMMAND_SLOTS of them */
	uint8_t *fis;
	uint8_t shown[RFIS_USED_BYTES]; /* of it, what the guest's FIS area was given */
	uint8_t *junk; /* a page for data nobody wants */
	struct ahci_statistics statistics;
};

struct pool {
	struct port_lock lock;
	uint8_t *base;
	uint32_t pages;
	uint32_t first_free; /* nothing is free below */
	uint32_t *used;      /* a bit a page */
	uint32_t starved;    /* ports with a command that found too little; atomic */
	bool given;          /* memory came back since they asked; atomic */
};

struct ahci {
	const struct ahci_env *env;
	uint32_t implemented; /* PI */
	uint32_t cap;
	uint32_t ghc; /* as it was after the guest's last write */
	struct port_lock lock;
	uint32_t unacked; /* IS bits shown to the guest as 1 and not written by it since */
	uint32_t withdrawn; /* how often something was acknowledged, or the copy taken away from all; atomic */
	uint32_t stale;   /* ports whose part of the copy is out of date but for IS, TFD, SACT, CI */
	uint32_t *copy;   /* two pages */
	struct pool pool;
	struct port port[AHCI_PORTS];
};

static inline uint32_t device_read(const struct ahci *ahci, uint32_t offset)
{
	return ahci->env->reg_read(ahci->env->context, offset);
}

static inline void device_write(const struct ahci *ahci, uint32_t offset, uint32_t value)
{
	ahci->env->reg_write(ahci->env->context, offset, value);
}

static inline uint32_t port_offset(unsigned port, uint32_t reg)
{
	return HBA_PORTS + port * HBA_PORT_BYTES + reg;
}

static inline void *guest_memory(const struct ahci *ahci, uint64_t gpa, uint64_t bytes)
{
	return ahci->env->guest_ram(ahci->env->context, gpa, bytes);
}

/* bounce.c: contiguous pages; asks for `wanted` bytes, takes at least `least`, sets *got. NULL: not now. */
uint8_t *pool_take(struct pool *pool, uint32_t wanted, uint32_t least, uint32_t *got);
void pool_give(struct pool *pool, uint8_t *memory, uint32_t bytes);

/* scatter.c: the guest's PRDT. All stop and return -1 at an entry that is not legal any more. */
int scatter_check(const struct ahci *ahci, const struct slot *slot, uint64_t *bytes);
int scatter_skip(const struct ahci *ahci, const struct slot *slot, struct sg_cursor *cursor, uint64_t bytes);
int scatter_copy_in(const struct ahci *ahci, const struct slot *slot, struct sg_cursor *cursor, void *to,
	uint32_t bytes);
int scatter_copy_out(const struct ahci *ahci, const struct slot *slot, struct sg_cursor *cursor, const void *from,
	uint32_t bytes);
/* The contiguous piece at the cursor, at most `most` bytes; advances the cursor. NULL at the end or an illegal entry. */
void *scatter_piece(const struct ahci *ahci, const struct slot *slot, struct sg_cursor *cursor, uint32_t most,
	uint32_t *bytes);
/* Fills `table` with the entries of [cursor, cursor+bytes); returns how many, 0 when they do not fit. */
uint32_t scatter_to_table(const struct ahci *ahci, const struct slot *slot, struct sg_cursor cursor, uint64_t bytes,
	struct command_table *table);

/* transform.c: encryption and decryption of chunks. */
void transform_direct(const struct ahci *ahci, const struct port *port, unsigned tag, struct cipher_scope *scope);
void transform_bounce(const struct port *port, const struct slot *slot, bool encrypt, struct cipher_scope *scope);
int transform_from_guest(const struct ahci *ahci, const struct port *port, struct slot *slot,
	struct cipher_scope *scope);

/* accept.c: reads a command of the guest whole. It is waiting afterwards. */
void accept_command(struct ahci *ahci, unsigned port, unsigned tag);
/* Tells the log, as long as there are not too many, that a command is refused and why. */
void refusal_log(struct port *port, const struct slot *slot, const char *why);

/* issue.c: gives waiting chunks to the device, in order, as far as memory goes. Port lock held. */
void issue_waiting(struct ahci *ahci, unsigned port, struct cipher_scope *scope);
/* The second half of a read-modify-write, in the slot's place. */
void issue_modified(struct ahci *ahci, unsigned port, unsigned tag, struct cipher_scope *scope);
/* Gives the slot's bounce memory back, wiped where it held plaintext. */
void release_bounce(struct ahci *ahci, struct slot *slot);
/* Tells the device about the slots in `tags`, whose tables are ready. */
void issue_doorbell(struct ahci *ahci, unsigned port, uint32_t tags);

/*
 * collect.c: finds finished chunks, decrypts, completes or goes on. Port lock held.
 * True when the device's registers were changed to hide the end of a chunk that is
 * not the end of a command: what was read of them before is to be read again.
 */
bool collect(struct ahci *ahci, unsigned port, struct cipher_scope *scope);
/* Shows the guest's FIS area the FISes of ours that have changed. */
void collect_fis(struct port *port);
/* After the device has stopped: forgets every command, frees its memory. */
void collect_abandon(struct ahci *ahci, unsigned port);

/* copy.c: the register copy. HBA lock is taken inside. */
void copy_show_commands(struct ahci *ahci, unsigned port);
void copy_mark_stale(struct ahci *ahci, unsigned port);
/* `is` was read from the device after `withdrawn` was `since`. */
void copy_arm_if_owed(struct ahci *ahci, uint32_t is, uint32_t since);
void copy_after_port_is(struct ahci *ahci, unsigned port, uint32_t cleared);
void copy_acknowledge(struct ahci *ahci, uint32_t bits);
void copy_disarm_self(struct ahci *ahci);
void copy_disarm_all(struct ahci *ahci);

/* port.c: one port's registers, 32 bits at a time. */
uint32_t port_read(struct ahci *ahci, unsigned port, uint32_t reg);
void port_write(struct ahci *ahci, unsigned port, uint32_t reg, uint32_t value);
/* Gives the device our lists again, after a reset of the HBA. */
void port_program(struct ahci *ahci, unsigned port);
/* Stops the engines and waits, bounded; false when the device does not stop. */
bool port_stop(struct ahci *ahci, unsigned port);

#endif
