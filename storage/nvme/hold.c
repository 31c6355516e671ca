/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Slots that an Abort names. The device may look for the command at any time until
 * it has completed the Abort: a command that had the same number meanwhile would be
 * taken for it.
 */
#include "storage/nvme/internal.h"

#define HOLDS_AT_MOST UINT8_MAX
_Static_assert(NVME_ADMIN_ENTRIES <= HOLDS_AT_MOST, "as many Aborts as the device has at a time");

static uint16_t hold(struct nvme_sq *sq, uint16_t cid)
{
	for (uint16_t i = 0; sq->state == NVME_QUEUE_LIVE && i + 1u < sq->entries; i++)
		if (slot_is_out(&sq->slot[i]) && sq->slot[i].cid == cid) {
			sq->slot[i].holds++;
			return i;
		}
	return NVME_NO_SLOT;
}

uint16_t slot_hold(struct nvme *nvme, uint16_t queue, uint16_t cid)
{
	struct nvme_sq *sq = &nvme->sq[queue];
	uint16_t number;

	if (!queue || sq->state != NVME_QUEUE_LIVE)
		return hold(sq, cid);
	port_lock(&nvme->cq[sq->cq].lock);
	number = hold(sq, cid);
	port_unlock(&nvme->cq[sq->cq].lock);
	return number;
}

/* True when the queue has a slot more. It may be a smaller one than that whose command was named. */
static bool release(struct nvme_sq *sq, uint16_t number)
{
	struct nvme_slot *slot = &sq->slot[number];

	if (--slot->holds || slot->kind != NVME_SLOT_HELD)
		return false;
	slot->kind = NVME_SLOT_FREE;
	if (sq->cq == NVME_NO_QUEUE || number + 1u >= sq->entries)
		return false;
	slot->next = sq->free_slot;
	sq->free_slot = number;
	return true;
}

/* A command may have waited for the slot. The admin queue's are looked at after the completion that this is of. */
void slot_release(struct nvme *nvme, uint16_t queue, uint16_t number)
{
	struct nvme_sq *sq = &nvme->sq[queue];
	struct cipher_scope scope = {0};
	struct nvme_cq *cq;

	if (!queue || sq->cq == NVME_NO_QUEUE) {
		release(sq, number);
		return;
	}
	cq = &nvme->cq[sq->cq];
	port_lock(&cq->lock);
	if (release(sq, number))
		serve(nvme, cq, &scope);
	port_unlock(&cq->lock);
	cipher_end(&scope);
}

void slots_release(struct nvme *nvme)
{
	for (unsigned id = 0; id <= nvme->io_queues; id++)
		for (unsigned i = 0; i < (id ? NVME_ENTRIES : NVME_ADMIN_ENTRIES); i++)
			nvme->sq[id].slot[i].holds = 0;
}
