/* SPDX-License-Identifier: Apache-2.0 */
/* What a lane does for each command: the guest's side, the controller's, and the interrupt between them. */
#include "tests/model/nvme_lanes.h"
#include <string.h>

#define LBA_SIZE 512u
#define IN_LBAS	 (LANE_BYTES / LBA_SIZE)

enum { WRITE = 0x01, READ = 0x02 };

/* ---- the controller ---- */

/* The same part of the model as ever moves the data; the checks of what may stand in a command are left out. */
static uint16_t carry_out(struct controller *c, const struct nvme_command *command)
{
	struct namespace *ns = c->ns[command->nsid - 1];
	uint64_t lba = command->cdw10 | (uint64_t)command->cdw11 << 32;
	uint32_t bytes = ((command->cdw12 & 0xffff) + 1) * ns->lba_size;

	if (command->opcode != READ && command->opcode != WRITE)
		return NVME_INVALID_OPCODE;
	if (lba >= ns->blocks || bytes > (ns->blocks - lba) * ns->lba_size)
		return NVME_LBA_OUT_OF_RANGE;
	return controller_dma(c, command, ns->medium + lba * ns->lba_size, bytes, command->opcode == READ);
}

static void work(struct lane *lane)
{
	struct lane_device *device = &lane->device;

	while (device->sq_head != device->sq_tail && (device->cq_tail + 1) % device->cq_entries != device->cq_head) {
		const struct nvme_command *command = &device->commands[device->sq_head];
		struct nvme_completion *entry = &device->completions[device->cq_tail];
		uint16_t status = carry_out(&lane->all->m.controller, command);

		device->sq_head = (device->sq_head + 1) % device->sq_entries;
		entry->result = 0;
		entry->sq_head = (uint16_t)device->sq_head;
		entry->sq_id = lane->queue;
		entry->cid = command->cid;
		__atomic_store_n(&entry->status, status | device->phase, __ATOMIC_RELEASE);
		device->cq_tail = (device->cq_tail + 1) % device->cq_entries;
		device->phase ^= !device->cq_tail;
		device->interrupt = true;
	}
}

/* ---- the guest ---- */

static void transform(const struct lane *lane, const struct lane_request *request, bool encrypt, uint8_t *to)
{
	const struct xts_key *key = &lane->all->m.key[0];
	uint64_t tweak = request->block * IN_LBAS; /* the key is this mode's own business */

	if (encrypt)
		xts_encrypt(key, tweak, LANE_BYTES, request->data, to, LANE_BYTES);
	else
		xts_decrypt(key, tweak, LANE_BYTES, request->data, to, LANE_BYTES);
}

void lane_submit(struct lane *lane, uint16_t cid, bool write, uint64_t block, uint8_t *data)
{
	const struct bus *bus = &lane->all->m.bus;
	struct nvme_command command = driver_transfer(write, 1, lane->first_lba + block * IN_LBAS, IN_LBAS);

	lane->request[cid] = (struct lane_request){write, data, block};
	if (lane->all->mode == LANES_CIPHER && write) {
		data = lane->bounce + (size_t)cid * LANE_BYTES;
		transform(lane, &lane->request[cid], true, data);
	}
	command.cid = cid;
	command.prp1 = bus->ram_base + (uint64_t)(data - bus->ram);
	lane->commands[lane->tail] = command;
	lane->tail = (lane->tail + 1) % LANE_ENTRIES;
}

/* nvme_dbbuf_update_and_check_event() of Linux: whether the register has to be written as well. */
static bool must_ring(volatile uint32_t *doorbell, const volatile uint32_t *event, uint32_t value)
{
	uint32_t old;

	if (!doorbell)
		return true;
	old = *doorbell;
	__atomic_store_n(doorbell, value, __ATOMIC_RELEASE);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return (uint16_t)(value - *event - 1) < (uint16_t)(value - old);
}

static void ring(struct lane *lane, bool completion, uint32_t value)
{
	struct lanes *lanes = lane->all;

	if (!must_ring(completion ? lane->cq_doorbell : lane->sq_doorbell, completion ? lane->cq_event : lane->sq_event,
		    value))
		return;
	if (lanes->m.bare) {
		*(completion ? &lane->device.cq_head : &lane->device.sq_tail) = value;
		return;
	}
	lane->exits++;
	nvme_write(lanes->m.nvme, nvme_doorbell(lane->queue, completion, lanes->d.stride), 4, value);
}

void lane_ring(struct lane *lane)
{
	if (lane->rung == lane->tail)
		return;
	lane->rung = lane->tail;
	ring(lane, false, lane->tail);
}

static void finish(struct lane *lane, const struct nvme_completion *entry)
{
	struct lane_request *request = &lane->request[entry->cid % LANE_ENTRIES];

	if (entry->status >> 1 || entry->sq_id != lane->queue || !request->data) {
		lane->failed++;
		return;
	}
	if (lane->all->mode == LANES_CIPHER && !request->write)
		transform(lane, request, false, request->data);
	request->data = NULL;
}

static unsigned handle(struct lane *lane, uint16_t cid[LANE_ENTRIES])
{
	unsigned found = 0;

	for (;; found++) {
		const struct nvme_completion *entry = &lane->completions[lane->head];

		if ((__atomic_load_n(&entry->status, __ATOMIC_ACQUIRE) & 1) != lane->phase)
			break;
		finish(lane, entry);
		cid[found] = entry->cid;
		lane->head = (lane->head + 1) % LANE_ENTRIES;
		lane->phase ^= !lane->head;
	}
	if (found)
		ring(lane, true, lane->head);
	return found;
}

unsigned lane_reap(struct lane *lane, uint16_t cid[LANE_ENTRIES])
{
	work(lane);
	if (!lane->device.interrupt)
		return 0;
	lane->device.interrupt = false;
	if (__atomic_load_n(&lane->watches, __ATOMIC_SEQ_CST)) {
		lane->exits++;
		nvme_interrupt(lane->all->m.nvme, lane->queue - 1u);
	}
	return handle(lane, cid);
}
