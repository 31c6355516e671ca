/* SPDX-License-Identifier: Apache-2.0 */
/* Queues of the guest's and ours beside them: opened, closed. */
#include "storage/nvme/internal.h"

/* A ring is never full: one slot less than it has entries. Those that an Abort still names are left out. */
static void slots_reset(struct nvme_sq *sq)
{
	sq->free_slot = NVME_NO_SLOT;
	sq->used = 0;
	for (uint32_t i = sq->entries - 1; i-- > 0;) {
		sq->slot[i].kind = sq->slot[i].holds ? NVME_SLOT_HELD : NVME_SLOT_FREE;
		if (sq->slot[i].holds)
			continue;
		sq->slot[i].next = sq->free_slot;
		sq->free_slot = (uint16_t)i;
	}
}

void slot_give(struct nvme_sq *sq, uint16_t number)
{
	struct nvme_slot *slot = &sq->slot[number];

	pages_give(&sq->pool, slot->pages);
	sq->used--;
	slot->kind = slot->holds ? NVME_SLOT_HELD : NVME_SLOT_FREE;
	if (slot->holds)
		return;
	slot->next = sq->free_slot;
	sq->free_slot = number;
}

void sq_open(struct nvme *nvme, uint16_t id, uint16_t cq, uint32_t device_entries)
{
	struct nvme_sq *sq = &nvme->sq[id];

	sq->id = id;
	sq->head = sq->tail = sq->device_tail = 0;
	sq->entries = device_entries;
	slots_reset(sq);
	pages_reset(&sq->pool, id ? NVME_POOL_PAGES : NVME_ADMIN_POOL_PAGES);
	nvme->cq[cq].queues[id / 64] |= 1ull << id % 64;
	__atomic_store_n(&sq->cq, cq, __ATOMIC_RELEASE);
	sq->state = NVME_QUEUE_LIVE;
}

void cq_open(struct nvme *nvme, uint16_t id, uint32_t device_entries)
{
	struct nvme_cq *cq = &nvme->cq[id];

	cq->id = id;
	cq->head = cq->tail = cq->device_head = cq->rung = 0;
	cq->phase = cq->device_phase = true;
	cq->was_full = false;
	cq->entries = device_entries;
	cq->in_flight = cq->events = 0;
	cq->queues[0] = cq->queues[1] = 0;
	cq->state = NVME_QUEUE_LIVE;
}

/* Commands that the device has not completed will not be: it has deleted the queue, or is disabled. */
void sq_close(struct nvme *nvme, struct nvme_sq *sq)
{
	struct nvme_cq *cq = &nvme->cq[sq->cq];

	for (uint16_t i = 0; sq->used && i + 1u < sq->entries; i++)
		if (slot_is_out(&sq->slot[i])) {
			cq->in_flight -= sq->slot[i].waited_for;
			cq->events -= !sq->slot[i].waited_for;
			slot_give(sq, i);
		}
	cq->queues[sq->id / 64] &= ~(1ull << sq->id % 64);
	sq->state = NVME_QUEUE_NONE;
	__atomic_store_n(&sq->cq, NVME_NO_QUEUE, __ATOMIC_RELEASE);
}

void cq_close(struct nvme *nvme, struct nvme_cq *cq)
{
	cq->state = NVME_QUEUE_NONE;
	cq->in_flight = cq->events = 0;
	unawait(nvme, cq);
}

/* The device is disabled: nothing of what was in flight will complete. The admin queues' lock is held. */
void queues_close(struct nvme *nvme)
{
	for (uint16_t id = NVME_QUEUES; id-- > 0;) {
		struct nvme_cq *cq = &nvme->cq[id];

		if (id)
			port_lock(&cq->lock);
		for (uint16_t i = 0; i < NVME_QUEUES; i++)
			if (nvme->sq[i].state != NVME_QUEUE_NONE && nvme->sq[i].cq == id)
				sq_close(nvme, &nvme->sq[i]);
		if (nvme->sq[id].state == NVME_QUEUE_CREATING) /* it completes nowhere yet */
			nvme->sq[id].state = NVME_QUEUE_NONE;
		cq_close(nvme, cq);
		if (id)
			port_unlock(&cq->lock);
	}
	slots_release(nvme);
}
