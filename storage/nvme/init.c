/* SPDX-License-Identifier: Apache-2.0 */
/* The arena's layout, the take-over of a controller that the firmware has used, and the end. */
#include "storage/nvme/internal.h"
#include "storage/crypt/wipe.h"

#define PAGES(bytes)    (((bytes) + NVME_PAGE_BYTES - 1) & ~(size_t)(NVME_PAGE_BYTES - 1))
#define LINE_STRIDE     3 /* CAP.DSTRD: 32 bytes for a doorbell */
#define STATE_BYTES     PAGES(sizeof(struct nvme))
#define QUEUE_BYTES(entries, pool)                                                                           \
	(PAGES((entries) * sizeof(struct nvme_command)) + PAGES((entries) * sizeof(struct nvme_completion)) +    \
		PAGES((entries) * sizeof(struct nvme_slot)) + (size_t)(pool) * NVME_PAGE_BYTES)

size_t nvme_arena_bytes(unsigned io_queues)
{
	return STATE_BYTES + NVME_PAGE_BYTES + QUEUE_BYTES(NVME_ADMIN_ENTRIES, NVME_ADMIN_POOL_PAGES) +
	       io_queues * QUEUE_BYTES(NVME_ENTRIES, NVME_POOL_PAGES);
}

static void *take(uint8_t **arena, size_t bytes)
{
	void *memory = *arena;

	*arena += PAGES(bytes);
	return memset(memory, 0, PAGES(bytes));
}

static void make_queue(struct nvme *nvme, unsigned id, uint8_t **arena)
{
	uint32_t entries = id ? NVME_ENTRIES : NVME_ADMIN_ENTRIES;
	struct nvme_sq *sq = &nvme->sq[id];

	sq->commands = take(arena, entries * sizeof(struct nvme_command));
	sq->slot = take(arena, entries * sizeof(struct nvme_slot));
	sq->pool.base = take(arena, (size_t)(id ? NVME_POOL_PAGES : NVME_ADMIN_POOL_PAGES) * NVME_PAGE_BYTES);
	nvme->cq[id].completions = take(arena, entries * sizeof(struct nvme_completion));
	nvme->cq[id].id = (uint16_t)id;
}

/* The doorbells of all queues lie in the registers that are ours. */
static bool doorbells_fit(const struct nvme *nvme, uint32_t stride)
{
	return nvme_doorbell(nvme->io_queues, 1, stride) + 4 <= nvme->registers;
}

/*
 * The guest's doorbells, in its memory as in the registers, lie so that each queue
 * pair's two fill a cache line, or as near to that as they go: CPUs with queues of
 * their own do not take lines from each other.
 */
static uint32_t guest_stride(const struct nvme *nvme)
{
	uint32_t stride = LINE_STRIDE;

	while (stride && !doorbells_fit(nvme, stride))
		stride--;
	return stride;
}

static uint64_t read_cap(const struct nvme *nvme)
{
	uint64_t cap = nvme_cap_adjust(device_read(nvme, NVME_CAP) | (uint64_t)device_read(nvme, NVME_CAP + 4) << 32);

	if (NVME_CAP_MQES(cap) >= NVME_ENTRIES)
		cap = (cap & ~0xffffull) | (NVME_ENTRIES - 1);
	return cap;
}

static bool fits(const struct nvme *nvme)
{
	return !NVME_CAP_MPSMIN(nvme->cap) && doorbells_fit(nvme, nvme->stride) && doorbells_fit(nvme, nvme->guest_stride);
}

struct nvme *nvme_init(const struct nvme_config *config)
{
	uint8_t *arena = config->arena;
	struct nvme *nvme = config->arena;

	if (config->arena_bytes < nvme_arena_bytes(config->io_queues) || !config->io_queues ||
		config->io_queues >= NVME_QUEUES) {
		log_error("nvme: no memory for %u queues", config->io_queues);
		return NULL;
	}
	take(&arena, sizeof(*nvme));
	nvme->env = config->env;
	nvme->drop_trim = config->drop_trim;
	nvme->io_queues = config->io_queues;
	for (unsigned i = 0; i < NVME_NAMESPACES; i++) {
		nvme->map[i] = config->map[i];
		if (config->map[i])
			nvme->some_namespace = i + 1;
		nvme->block[i] = config->map[i] ? (uint16_t)config->map[i]->lba_size : 0;
	}
	nvme->registers = config->registers ? config->registers : NVME_BAR_BYTES;
	nvme->cap = read_cap(nvme);
	nvme->stride = NVME_CAP_DSTRD(nvme->cap);
	nvme->guest_stride = guest_stride(nvme);
	nvme->cap ^= (uint64_t)(nvme->stride ^ nvme->guest_stride) << NVME_CAP_DSTRD_BIT;
	nvme->junk = take(&arena, NVME_PAGE_BYTES);
	nvme->most_events = NVME_ADMIN_ENTRIES;
	for (unsigned id = 0; id < NVME_QUEUES; id++)
		nvme->sq[id].cq = NVME_NO_QUEUE;
	for (unsigned id = 0; id <= nvme->io_queues; id++)
		make_queue(nvme, id, &arena);
	if (!fits(nvme)) {
		log_error("nvme: its doorbells lie too far apart, or its pages are not of 4 KiB");
		return NULL;
	}
	if (!controller_stop(nvme)) {
		log_error("nvme: the controller does not stop");
		return NULL;
	}
	nvme->cc = device_read(nvme, NVME_CC);
	return nvme;
}

void nvme_quiesce(struct nvme *nvme)
{
	port_lock(&nvme->cq[0].lock);
	if (nvme->life != NVME_DEAD) {
		nvme->life = NVME_DEAD;
		queues_close(nvme);
		if (!controller_stop(nvme))
			log_error("nvme: the controller does not stop");
		for (unsigned id = 0; id <= nvme->io_queues; id++)
			secret_wipe(nvme->sq[id].pool.base,
				(size_t)(id ? NVME_POOL_PAGES : NVME_ADMIN_POOL_PAGES) * NVME_PAGE_BYTES);
	}
	port_unlock(&nvme->cq[0].lock);
}

void nvme_statistics(struct nvme *nvme, struct nvme_statistics *out)
{
	memset(out, 0, sizeof(*out));
	for (unsigned id = 0; id < NVME_QUEUES; id++) {
		const struct nvme_statistics *one = &nvme->sq[id].statistics;

		out->commands += one->commands;
		out->bytes_read += one->bytes_read;
		out->bytes_written += one->bytes_written;
		out->refused += one->refused;
		out->waits += one->waits;
	}
}
