/* SPDX-License-Identifier: Apache-2.0 */
/* How the machine with lanes is built: by the ordinary driver, then each lane takes its queue pair over. */
#include "tests/model/nvme_lanes.h"
#include <string.h>

#define LBA_SIZE     512u
#define IN_LBAS      (LANE_BYTES / LBA_SIZE)
#define CIPHER_BYTES 4096u
#define RAM_SPARE    (4ull << 20) /* what the driver takes, and what lies below its first allocation */

/* ---- what the mediator asks for, once the machine is up: nothing of it is counted in a line of another CPU's ---- */

/* The machine is the first of what `struct lanes` has. */
static struct lane *lane_of(void *context, uint32_t queue)
{
	struct lanes *lanes = context;

	return queue && queue <= lanes->count ? &lanes->lane[queue - 1] : NULL;
}
_Static_assert(offsetof(struct lanes, m) == 0, "the context of nvme_machine.c is the machine");

static void reg_write(void *context, uint32_t offset, uint32_t value)
{
	struct lanes *lanes = context;
	uint32_t index = (offset - NVME_DOORBELLS) / 4; /* the controller's doorbells lie side by side */
	struct lane *lane = offset < NVME_DOORBELLS ? NULL : lane_of(lanes, index / 2);

	if (!lane)
		controller_write(&lanes->m.controller, offset, value);
	else if (index % 2)
		lane->device.cq_head = value;
	else
		lane->device.sq_tail = value;
}

/* The admin queues are at rest: lanes alone are watched. Counted as the hypervisor does, for any CPU may ask. */
static uint64_t watch(void *context, uint16_t vector)
{
	__atomic_add_fetch(&lane_of(context, vector)->watches, 1, __ATOMIC_SEQ_CST);
	return 1ull << (vector - 1);
}

static void unwatch(void *context, uint64_t cpus)
{
	for (; cpus; cpus &= cpus - 1)
		__atomic_sub_fetch(&lane_of(context, (uint32_t)__builtin_ctzll(cpus) + 1)->watches, 1, __ATOMIC_SEQ_CST);
}

static bool is_message(void *context, uint16_t vector)
{
	(void)context;
	(void)vector;
	return true;
}

static void raise(void *context, uint16_t vector)
{
	lane_of(context, vector)->device.interrupt = true;
}

/* The device takes longer than an exit, as disks do. */
static bool linger(void *context, uint64_t *since)
{
	(void)context;
	(void)since;
	return false;
}

/* ---- building ---- */

static void *ring_memory(struct lanes *lanes, const struct controller_queue *queue, uint32_t entry_bytes)
{
	return bus_dma(&lanes->m.bus, queue->base, (uint64_t)queue->entries * entry_bytes);
}

static void take_device(struct lane *lane)
{
	struct controller *c = &lane->all->m.controller;
	struct controller_queue *sq = &c->sq[lane->queue], *cq = &c->cq[lane->queue];

	lane->device = (struct lane_device){.commands = ring_memory(lane->all, sq, sizeof(struct nvme_command)),
		.completions = ring_memory(lane->all, cq, sizeof(struct nvme_completion)),
		.sq_entries = sq->entries,
		.cq_entries = cq->entries,
		.phase = true};
}

static void take_doorbells(struct lane *lane)
{
	struct driver *d = &lane->all->d;
	volatile uint32_t *doorbells = nvme_machine_pointer(d->m, d->doorbells);
	volatile uint32_t *events = nvme_machine_pointer(d->m, d->events);
	unsigned sq = driver_doorbell(d, lane->queue, false), cq = driver_doorbell(d, lane->queue, true);

	lane->sq_doorbell = doorbells + sq;
	lane->sq_event = events + sq;
	lane->cq_doorbell = doorbells + cq;
	lane->cq_event = events + cq;
}

static void take_lane(struct lanes *lanes, unsigned number, const struct lanes_options *options)
{
	struct lane *lane = &lanes->lane[number];
	struct driver *d = &lanes->d;

	lane->all = lanes;
	lane->queue = (uint16_t)(number + 1);
	lane->first_lba = LAYOUT_A_FIRST + number * options->lane_blocks * IN_LBAS;
	lane->memory = nvme_machine_pointer(d->m, nvme_machine_ram(d->m, options->memory_bytes, 4096));
	lane->bounce = nvme_machine_pointer(d->m, nvme_machine_ram(d->m, LANE_ENTRIES * LANE_BYTES, 4096));
	lane->commands = nvme_machine_pointer(d->m, d->sq[lane->queue].memory);
	lane->completions = nvme_machine_pointer(d->m, d->cq[lane->queue].memory);
	lane->phase = true;
	take_device(lane);
	if (d->in_memory)
		take_doorbells(lane);
}

bool lanes_init(struct lanes *lanes, const struct lanes_options *options)
{
	uint64_t ram = RAM_SPARE + options->lanes * (options->memory_bytes + (1 + LANE_ENTRIES) * LANE_BYTES);
	const struct nvme_machine_options machine = {.lba_size = LBA_SIZE,
		.cipher_a = CIPHER_BYTES,
		.sectors = 2 * (LAYOUT_A_FIRST + options->lanes * options->lane_blocks * IN_LBAS),
		.ram_bytes = ram,
		.io_queues = options->lanes,
		.bare = options->mode != LANES_ENCRYPTED};
	const struct driver_options driver = {.queues = options->lanes,
		.entries = LANE_ENTRIES,
		.doorbells = options->mode != LANES_ENCRYPTED || options->registers ? DRIVER_REGISTERS : DRIVER_MEMORY};

	memset(lanes, 0, sizeof(*lanes));
	lanes->mode = options->mode;
	lanes->count = options->lanes;
	nvme_machine_init(&lanes->m, &machine);
	if ((!lanes->m.nvme && !lanes->m.bare) || !driver_start(&lanes->d, &lanes->m, &driver) || lanes->m.bus.faults)
		return false;
	lanes->m.env.reg_write = reg_write;
	lanes->m.env.watch = watch;
	lanes->m.env.unwatch = unwatch;
	lanes->m.env.is_message = is_message;
	lanes->m.env.raise = raise;
	lanes->m.env.linger = linger;
	for (unsigned i = 0; i < lanes->count; i++)
		take_lane(lanes, i, options);
	return true;
}

void lanes_free(struct lanes *lanes)
{
	nvme_machine_free(&lanes->m);
}

void lane_plain(const struct lane *lane, uint64_t block, uint8_t *out)
{
	struct layout layout = nvme_machine_layout(&lane->all->m, 1);

	layout_plain(&layout, lane->first_lba + block * IN_LBAS, IN_LBAS, out);
}
