/* SPDX-License-Identifier: Apache-2.0 */
/* From the guest's submission queue to the device's. */
#include "storage/nvme/internal.h"

/* Reads the guest's next entry, once. */
static void begin(struct nvme_sq *sq, struct nvme_slot *slot)
{
	memcpy(&slot->command, ring_entry(&sq->ring, sq->head, sizeof(slot->command)), sizeof(slot->command));
	slot->kind = NVME_SLOT_PASS;
	slot->cid = slot->command.cid;
	slot->waited_for = true;
	slot->pages = NVME_NO_PAGE;
	slot->status = 0;
	slot->result = 0;
	slot->bytes = 0;
}

static void issue(struct nvme_sq *sq, struct nvme_slot *slot)
{
	uint16_t number = sq->free_slot;

	sq->free_slot = slot->next;
	sq->used++;
	slot->command.cid = number;
	slot->command.flags = 0;
	slot->command.metadata = 0;
	sq->commands[sq->device_tail] = slot->command;
	sq->device_tail = (sq->device_tail + 1) % sq->entries;
	sq->head = (sq->head + 1) % sq->ring.entries;
	sq->statistics.commands++;
}

void submit(struct nvme *nvme, struct nvme_sq *sq, struct cipher_scope *scope)
{
	struct nvme_cq *cq = &nvme->cq[sq->cq];
	uint32_t before = sq->device_tail;

	while (sq->state == NVME_QUEUE_LIVE && sq->head != sq->tail && sq->free_slot != NVME_NO_SLOT) {
		struct nvme_slot *slot = &sq->slot[sq->free_slot];
		uint16_t next = slot->next;

		begin(sq, slot);
		slot->next = next;
		if (!(sq->id ? io_accept(nvme, sq, slot, scope) : admin_accept(nvme, sq, slot))) {
			slot->kind = NVME_SLOT_FREE;
			sq->statistics.waits++;
			break;
		}
		cq->in_flight += slot->waited_for;
		cq->events += !slot->waited_for;
		issue(sq, slot);
	}
	if (sq->device_tail == before)
		return;
	/* First the CPUs that the completion may interrupt, then the device. */
	await(nvme, cq);
	device_write(nvme, nvme_doorbell(sq->id, 0, nvme->stride), sq->device_tail);
}
