/* SPDX-License-Identifier: Apache-2.0 */
/* From the guest's submission queue to the device's. */
#include "storage/nvme/internal.h"

#define GET_ARBITRATION 0x01
#define SAID_AT_MOST    64

/*
 * What stands in a refused command's place moves no data of the guest's and ends
 * well: one block into a page of ours, or a feature that every controller has. So
 * the device's own completion and interrupt bring the guest its status.
 */
void prepare_refusal(struct nvme *nvme, struct nvme_sq *sq, struct nvme_slot *slot, uint16_t status)
{
	uint8_t opcode = slot->command.opcode;

	if (status && sq->statistics.refused++ < SAID_AT_MOST)
		log_info("nvme: queue %u: command %x refused, status %x", sq->id, opcode, status >> 1);
	prepare_substitute(nvme, sq, slot, status);
}

void prepare_substitute(struct nvme *nvme, struct nvme_sq *sq, struct nvme_slot *slot, uint16_t status)
{
	memset(&slot->command, 0, sizeof(slot->command));
	slot->kind = NVME_SLOT_REFUSED;
	slot->status = status;
	slot->waited_for = true;
	if (sq->id) {
		slot->command.opcode = NVME_READ_OPCODE;
		slot->command.nsid = nvme->some_namespace;
		slot->command.prp1 = bus_address(nvme, nvme->junk);
	} else {
		slot->command.opcode = NVME_GET_FEATURES;
		slot->command.cdw10 = GET_ARBITRATION;
	}
}

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
