/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The NVMe mediator: stands between a guest's driver and one controller. The
 * device works on submission and completion queues of our own; an entry of the
 * guest's is read once, at its doorbell, checked whole, then acted on. Data that
 * is read lands in the guest's pages and is decrypted there before the guest's
 * completion queue gets its entry; data that is written goes through bounce
 * memory.
 *
 * Completions are seen before the guest sees them: while commands are in flight,
 * the CPUs that their interrupt may reach exit at interrupts, and nvme_interrupt
 * collects. With a guest that rings in memory (Doorbell Buffer Config, which we
 * carry out ourselves) those exits find what it has submitted meanwhile as well.
 *
 * Locks: one for each completion queue and the submission queues that go with it;
 * the admin queues' is taken before another's. NVM Express 1.4.
 */
#ifndef STORAGE_NVME_H
#define STORAGE_NVME_H

#include "storage/volume/map.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NVME_NAMESPACES 16   /* identifiers 1 .. 16 can be protected */
#define NVME_BAR_BYTES  8192 /* registers and the doorbells of NVME_QUEUES queues */
#define NVME_QUEUES     65   /* at most, the admin queues among them */
#define NVME_ENTRIES    1024 /* of a queue, at most */
#define NVME_NO_VECTOR  0xffff

/* What the mediator asks of its surroundings. Every call is made on the exiting CPU. */
struct nvme_env {
	void *context;
	/* The device's own registers, 32 bits wide; those of 64 bits are two. */
	uint32_t (*reg_read)(void *context, uint32_t offset);
	void (*reg_write)(void *context, uint32_t offset, uint32_t value);
	/* Guest memory [gpa, gpa+bytes), or NULL unless every byte is RAM the guest owns. */
	void *(*guest_ram)(void *context, uint64_t gpa, uint64_t bytes);
	/* The address at which the device sees mediator memory taken from the arena. */
	uint64_t (*bus_address)(void *context, const void *arena_memory);
	/*
	 * From now on the CPUs that the interrupt of `vector` may reach exit at interrupts
	 * and call nvme_interrupt first. Returns, when that is so, a bit for each of them
	 * by vcpu index; unwatch takes them back, one for one. A lock of the mediator is held.
	 * NVME_NO_VECTOR: the calling CPU, at whatever interrupt comes next, for a queue
	 * that announces nothing.
	 */
	uint64_t (*watch)(void *context, uint16_t vector);
	void (*unwatch)(void *context, uint64_t cpus);
	/* Whether the interrupt of `vector` is a message, so that `raise` can send it. */
	bool (*is_message)(void *context, uint16_t vector);
	/* Sends the guest the message of `vector`, as the device would. */
	void (*raise)(void *context, uint16_t vector);
	/*
	 * Whether the interrupt of `vector` comes to the calling CPU alone, and the guest has
	 * turned interrupts off there: no exit would show it.
	 */
	bool (*is_deaf)(void *context, uint16_t vector);
	/*
	 * Between two looks at a completion queue that no interrupt announces, or only to a
	 * deaf CPU: whether to look again. Bounds the wait; *since is 0 before the first
	 * call. No lock is held.
	 */
	bool (*wait)(void *context, uint64_t *since);
	/*
	 * Likewise for one whose interrupt will come: whether to look again or to go back to
	 * the guest. Bounds the wait by what an exit costs.
	 */
	bool (*linger)(void *context, uint64_t *since);
};

struct nvme; /* opaque; lives at the start of the arena */

struct nvme_config {
	const struct nvme_env *env;
	/* DMA-able, page-aligned memory that the mediator owns for good: its state, rings, bounce buffers. */
	void *arena;
	size_t arena_bytes;
	/* I/O queue pairs that the guest may have, 1 .. NVME_QUEUES - 1: what arena_bytes was asked for. */
	unsigned io_queues;
	/* Of BAR 0, at most NVME_BAR_BYTES, whose accesses reach the mediator; 0: all of these. */
	uint32_t registers;
	/* By namespace identifier less 1: the map of its blocks, or NULL where data is not touched. */
	const struct disk_map *map[NVME_NAMESPACES];
	/* Deallocation (Dataset Management) is acknowledged and not carried out. */
	bool drop_trim;
};

size_t nvme_arena_bytes(unsigned io_queues);

/*
 * I/O queue pairs on a machine of `cpus`: one for each, as far as the memory that is
 * set aside goes; firmware's drivers want two.
 */
static inline unsigned nvme_queues_for(unsigned cpus)
{
	return cpus < 2 ? 2 : cpus < 8 ? cpus : 8;
}

/*
 * Takes the controller over: disables it and waits until it uses nobody's memory.
 * The guest finds it disabled. NULL with a log line when it does not stop or the
 * arena is too small; the device is then untouched or disabled.
 */
struct nvme *nvme_init(const struct nvme_config *config);

/*
 * A guest access of `size` 1, 2, 4 or 8 bytes at BAR 0 + offset, any alignment.
 * Accesses that the specification leaves undefined read as zero and are dropped.
 * Any CPU.
 */
uint64_t nvme_read(struct nvme *nvme, uint32_t offset, unsigned size);
void nvme_write(struct nvme *nvme, uint32_t offset, unsigned size, uint64_t value);

/* An interrupt came to vcpu `cpu`, and the guest does not know of it yet. */
void nvme_interrupt(struct nvme *nvme, unsigned cpu);

/* The interrupt of `vector` goes to other CPUs from now on: before the device knows. */
void nvme_vector_moves(struct nvme *nvme, uint16_t vector);

/*
 * Disables the controller and waits (bounded) until it uses no memory of ours;
 * then wipes bounce memory. For shutdown and reset. Any CPU.
 */
void nvme_quiesce(struct nvme *nvme);

/* Counters since start, for `underseal stat`. */
struct nvme_statistics {
	uint64_t commands, bytes_read, bytes_written, refused, waits;
};
void nvme_statistics(struct nvme *nvme, struct nvme_statistics *out);

#endif
