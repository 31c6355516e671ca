/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mediator's state and what its files share.
 *
 * A queue of the guest's has a queue of ours beside it, which the device works on.
 * Each command of the guest's becomes one command of the device's, under an
 * identifier that is the number of its slot; each completion of the device's
 * becomes one of the guest's.
 *
 * Locks: a completion queue's, for itself and the submission queues that complete
 * there. The admin queues' is taken before another's. What may be read without
 * either says so.
 */
#ifndef STORAGE_NVME_INTERNAL_H
#define STORAGE_NVME_INTERNAL_H

#include "storage/crypt/scope.h"
#include "storage/nvme/commands.h"
#include "storage/nvme/nvme.h"
#include "storage/nvme/prp.h"
#include "storage/port.h"

#define NVME_ADMIN_ENTRIES 64   /* of our admin queues */
#define NVME_RING_PAGES    64   /* of a guest's queue: 4096 entries of 64 bytes */
#define NVME_POOL_PAGES    288  /* of a submission queue: bounce memory and PRP lists */
#define NVME_ADMIN_POOL_PAGES 160
#define NVME_KNOWN_NAMESPACES 1024
#define NVME_SAID_AT_MOST  16   /* log lines of what a guest can repeat, for each queue */
#define NVME_NO_BLOCK      1    /* of a namespace that is not passed through */
#define NVME_CACHE_LINE    64
#define NVME_NO_PAGE       UINT16_MAX
#define NVME_NO_SLOT       UINT16_MAX
#define NVME_NO_QUEUE      UINT16_MAX

/* Entries of a queue in the guest's memory: pages that were checked when the queue was made. */
struct nvme_ring {
	uint32_t entries;
	uint8_t *page[NVME_RING_PAGES];
};

/* Where data lies: pages of the guest's or of ours; the first one begins at `offset`. */
struct nvme_buffer {
	uint32_t count, offset;
	uint8_t *page[NVME_MAX_PAGES];
};

enum nvme_slot_kind {
	NVME_SLOT_FREE,
	NVME_SLOT_PASS,     /* nothing to be done at its end */
	NVME_SLOT_READ,     /* decrypted in the guest's pages */
	NVME_SLOT_REFUSED,  /* what the device does is of no interest: `status` and `result` are ours */
	NVME_SLOT_IDENTIFY, /* in a page of ours: adjusted, then copied */
	NVME_SLOT_COPY,     /* in a page of ours: `bytes` of it are copied */
	NVME_SLOT_QUEUES,   /* the number of queues: no more than we have */
	NVME_SLOT_EVENT,    /* asynchronous event request */
	NVME_SLOT_CREATE,   /* queues come and go when the device says so */
	NVME_SLOT_DELETE,
	NVME_SLOT_ABORT,    /* its number names another slot, which it holds until it ends */
	NVME_SLOT_HELD,     /* free but for that */
};

struct nvme_slot {
	uint8_t kind;
	bool waited_for; /* counted in in_flight */
	uint8_t holds;   /* Aborts of the device's that name it */
	uint16_t cid;    /* the guest's */
	uint16_t status; /* of NVME_SLOT_REFUSED */
	uint16_t next;   /* free slots */
	uint16_t pages;  /* of the pool, in a chain: the PRP list first where there is one */
	uint16_t queue;  /* of NVME_SLOT_CREATE and NVME_SLOT_DELETE */
	uint32_t result;
	uint32_t bytes;
	struct nvme_command command; /* as the device has it, but for what its kind says */
	uint64_t prp1, prp2;         /* the guest's, of NVME_SLOT_IDENTIFY and NVME_SLOT_COPY */
};

/* Pages of one submission queue; chains by number. */
struct nvme_pool {
	uint8_t *base;
	uint16_t free, free_count;
	uint16_t next[NVME_POOL_PAGES];
};

enum nvme_queue_state { NVME_QUEUE_NONE, NVME_QUEUE_CREATING, NVME_QUEUE_LIVE, NVME_QUEUE_DELETING };

struct nvme_sq {
	uint16_t cq;    /* read without a lock, and looked at again under it */
	uint8_t state;
	uint16_t id;
	struct nvme_ring ring;
	uint32_t head, tail; /* the guest's */
	/* The device's: */
	uint32_t entries, device_tail;
	struct nvme_command *commands;
	struct nvme_slot *slot; /* NVME_ENTRIES of them, or NVME_ADMIN_ENTRIES */
	uint16_t free_slot;
	uint32_t used; /* slots */
	struct nvme_pool pool;
	struct nvme_statistics statistics;
} __attribute__((aligned(NVME_CACHE_LINE)));

struct nvme_cq {
	struct port_lock lock;
	uint8_t state;
	bool interrupts; /* IEN */
	uint16_t id, vector;
	struct nvme_ring ring;
	uint32_t head, tail; /* the guest's */
	bool phase;          /* of the guest's next entry */
	bool was_full;       /* entries of the device's waited for room */
	/* The device's: */
	uint32_t entries, device_head, rung;
	bool device_phase;
	struct nvme_completion *completions;
	uint32_t in_flight; /* commands that an interrupt is awaited for */
	uint32_t events;    /* asynchronous event requests: they may wait for ever */
	uint64_t watched;   /* by vcpu: those that exit at interrupts for it */
	uint64_t queues[2]; /* submission queues that complete here, a bit each */
	/* Of linger(), without the lock: */
	uint8_t in_vain;    /* times in a row */
	uint8_t hurries;    /* doorbells at which it is not tried */
} __attribute__((aligned(NVME_CACHE_LINE)));

/* The completion queues whose interrupts come to a vcpu, a bit each; bits are only ever added. */
struct nvme_cpu {
	uint64_t queues[2];
} __attribute__((aligned(NVME_CACHE_LINE)));
_Static_assert(NVME_QUEUES <= 128, "bits of nvme_cpu.queues");

enum nvme_life {
	NVME_DISABLED,
	NVME_STARTING, /* enabled; the guest has not seen RDY, and may not ring */
	NVME_ENABLED,
	NVME_FAILED, /* the guest enabled what cannot be: it is shown CSTS.CFS */
	NVME_DEAD,   /* quiesced for good */
};

struct nvme {
	const struct nvme_env *env;
	const struct disk_map *map[NVME_NAMESPACES];
	bool drop_trim;
	unsigned io_queues;
	uint64_t cap; /* as the guest reads it */
	uint32_t stride, guest_stride; /* of the device's doorbells, and of those that the guest is told of */
	uint32_t registers; /* bytes */
	uint8_t life; /* under the admin queues' lock; read without it */
	uint32_t aqa;
	uint64_t asq, acq; /* the guest's */
	uint32_t cc;       /* as the guest wrote it last */
	uint32_t failures; /* that it enabled what cannot be */
	uint32_t some_namespace; /* a protected one: commands that stand for others name it */
	uint8_t *junk;     /* a page for data nobody wants */
	uint32_t most_events; /* event requests at a time, as Identify told the guest */
	/* By namespace identifier less 1: bytes of a block, as Identify told the guest; 0: it has not asked. */
	uint16_t block[NVME_KNOWN_NAMESPACES];
	/* The guest's Doorbell Buffer, or NULL; under the admin queues' lock, read without it. */
	volatile uint32_t *shadow, *events;
	struct nvme_sq sq[NVME_QUEUES];
	struct nvme_cq cq[NVME_QUEUES];
	struct nvme_cpu cpu[64];
};

static inline uint32_t device_read(const struct nvme *nvme, uint32_t offset)
{
	return nvme->env->reg_read(nvme->env->context, offset);
}

static inline void device_write(const struct nvme *nvme, uint32_t offset, uint32_t value)
{
	nvme->env->reg_write(nvme->env->context, offset, value);
}

static inline uint64_t bus_address(const struct nvme *nvme, const void *memory)
{
	return nvme->env->bus_address(nvme->env->context, memory);
}

static inline uint8_t *guest_memory(const struct nvme *nvme, uint64_t gpa, uint64_t bytes)
{
	return nvme->env->guest_ram(nvme->env->context, gpa, bytes);
}

static inline const struct disk_map *map_of(const struct nvme *nvme, uint32_t nsid)
{
	return nsid - 1 < NVME_NAMESPACES ? nvme->map[nsid - 1] : NULL;
}

/* Bytes of a block, or 0 where reads and writes are refused. */
static inline uint32_t namespace_block(const struct nvme *nvme, uint32_t nsid)
{
	uint16_t block = nsid - 1 < NVME_KNOWN_NAMESPACES ? nvme->block[nsid - 1] : 0;

	return block == NVME_NO_BLOCK ? 0 : block;
}

/* Whether a command is in it. */
static inline bool slot_is_out(const struct nvme_slot *slot)
{
	return slot->kind != NVME_SLOT_FREE && slot->kind != NVME_SLOT_HELD;
}

/* Whether a message tells the guest of completions: else it polls, or a pin does, which we cannot raise. */
static inline bool announced(const struct nvme *nvme, const struct nvme_cq *cq)
{
	return cq->interrupts && nvme->env->is_message(nvme->env->context, cq->vector);
}

/* Whether the guest's queue has room for an entry. */
static inline bool has_room(const struct nvme_cq *cq)
{
	return (cq->tail + 1) % cq->ring.entries != cq->head;
}

/* ring.c: the memory of the guest's queues. 0, or the status of a command that names it. */
uint16_t ring_map(const struct nvme *nvme, struct nvme_ring *ring, uint64_t prp1, uint32_t entries,
	uint32_t entry_bytes, bool contiguous);
static inline void *ring_entry(const struct nvme_ring *ring, uint32_t index, uint32_t entry_bytes)
{
	uint32_t at = index * entry_bytes;

	return ring->page[at / NVME_PAGE_BYTES] + at % NVME_PAGE_BYTES;
}

/* pool.c: NVME_NO_PAGE when there are not as many. */
uint16_t pages_take(struct nvme_pool *pool, uint32_t pages);
void pages_give(struct nvme_pool *pool, uint16_t first);
void pages_reset(struct nvme_pool *pool, uint16_t pages);
static inline uint8_t *pages_at(const struct nvme_pool *pool, uint16_t page)
{
	return pool->base + (size_t)page * NVME_PAGE_BYTES;
}

/* buffer.c: where data lies, from PRPs that were checked; and copies between it and a page of ours. */
void buffer_of_pages(const struct nvme *nvme, const struct nvme_pages *pages, struct nvme_buffer *buffer);
void buffer_of_slot(const struct nvme *nvme, const struct nvme_sq *sq, const struct nvme_slot *slot,
	struct nvme_buffer *buffer);
void buffer_of_pool(const struct nvme_pool *pool, uint16_t first, struct nvme_buffer *buffer);
void buffer_copy_out(const struct nvme_buffer *buffer, const uint8_t *from, uint32_t bytes);
void buffer_copy_in(const struct nvme_buffer *buffer, uint8_t *to, uint32_t bytes);

/* transform.c: `blocks` at `lba` between plaintext and ciphertext; `from` and `to` may be the same. */
void nvme_transform(const struct disk_map *map, bool encrypt, uint64_t lba, uint32_t blocks,
	const struct nvme_buffer *from, const struct nvme_buffer *to, struct cipher_scope *scope);

/* queue.c */
void queues_close(struct nvme *nvme);
void sq_open(struct nvme *nvme, uint16_t id, uint16_t cq, uint32_t device_entries);
void cq_open(struct nvme *nvme, uint16_t id, uint32_t device_entries);
void sq_close(struct nvme *nvme, struct nvme_sq *sq);
void cq_close(struct nvme *nvme, struct nvme_cq *cq);
void slot_give(struct nvme_sq *sq, uint16_t number);
/*
 * hold.c: the slot of the command that the guest knows as `cid`; NVME_NO_SLOT when it is not with the device. Its
 * number is not used for another command before it is released. Admin lock held.
 */
uint16_t slot_hold(struct nvme *nvme, uint16_t queue, uint16_t cid);
void slot_release(struct nvme *nvme, uint16_t queue, uint16_t number);
/* The device has forgotten what held. Admin lock held, no queue is there. */
void slots_release(struct nvme *nvme);

/*
 * submit.c: takes commands of the guest's as far as slots and memory go, and tells
 * the device. The completion queue's lock is held.
 */
void submit(struct nvme *nvme, struct nvme_sq *sq, struct cipher_scope *scope);
/*
 * refusal.c: a command that the guest gets `status` for; another is sent in its place. Without a log line; with one,
 * for a reason that the status tells; with a clause of its own. A queue's first refusals are said.
 */
void prepare_substitute(struct nvme *nvme, struct nvme_sq *sq, struct nvme_slot *slot, uint16_t status);
void prepare_refusal(struct nvme *nvme, struct nvme_sq *sq, struct nvme_slot *slot, uint16_t status);
void prepare_refusal_since(struct nvme *nvme, struct nvme_sq *sq, struct nvme_slot *slot, uint16_t status,
	const char *why);

/*
 * io.c and admin.c: make the slot and the device's command of one of the guest's.
 * False when there is no memory for it now.
 */
bool io_accept(struct nvme *nvme, struct nvme_sq *sq, struct nvme_slot *slot, struct cipher_scope *scope);
bool admin_accept(struct nvme *nvme, struct nvme_sq *sq, struct nvme_slot *slot);
bool prps_of_guest(const struct nvme *nvme, struct nvme_sq *sq, struct nvme_slot *slot,
	const struct nvme_pages *pages);
/* admin.c: what the end of an admin command means. */
void admin_complete(struct nvme *nvme, struct nvme_slot *slot, struct nvme_completion *entry);

/* admin_queue.c */
uint32_t queues_at_most(const struct nvme *nvme, uint32_t number);
void queue_accept(struct nvme *nvme, struct nvme_sq *admin, struct nvme_slot *slot);
void queue_complete(struct nvme *nvme, const struct nvme_slot *slot, bool good);

/*
 * collect.c: gives the guest what the device has completed, and the device what waited for
 * it. The completion queue's lock is held.
 */
void cq_collect(struct nvme *nvme, struct nvme_cq *cq, struct cipher_scope *scope);
/* What waits for room in the guest's queue and is of this submission queue will not be given to it. */
void cq_forget(struct nvme_cq *cq, uint16_t sq);
/* An interrupt is awaited from now on, where it was not. */
void await(struct nvme *nvme, struct nvme_cq *cq);
void unawait(struct nvme *nvme, struct nvme_cq *cq);
/* After the guest or we have moved on: the device's doorbell, the watch. */
void settle(struct nvme *nvme, struct nvme_cq *cq);
/* All of it: collects, submits what waited, settles. */
void serve(struct nvme *nvme, struct nvme_cq *cq, struct cipher_scope *scope);

/* doorbell.c: the guest's doorbells, in the registers and in its memory. */
void doorbell(struct nvme *nvme, uint32_t offset, uint32_t value);
/* controller.c: disables it; false when it does not say so. */
bool controller_stop(const struct nvme *nvme);

#endif
