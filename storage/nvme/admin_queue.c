/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The commands that make and delete queues. The device makes ours; the guest's is
 * there when the device says so. The admin queues' lock is held.
 */
#include "storage/nvme/internal.h"

#define QUEUE_ID(c)      ((uint16_t)(c)->cdw10)
#define QUEUE_ENTRIES(c) (((c)->cdw10 >> 16) + 1)
#define IO_SQES          6u
#define IO_CQES          4u

/* NCQR 31:16 and NSQR 15:0, both less 1. */
uint32_t queues_at_most(const struct nvme *nvme, uint32_t number)
{
	uint32_t most = nvme->io_queues - 1, sqs = number & 0xffff, cqs = number >> 16;

	return (sqs < most ? sqs : most) | (cqs < most ? cqs : most) << 16;
}

static bool is_io_queue(const struct nvme *nvme, uint16_t id)
{
	return id && id <= nvme->io_queues;
}

/* What both kinds have in common: number, size, memory. 0 or a status. */
static uint16_t examine(const struct nvme *nvme, const struct nvme_command *command, struct nvme_ring *ring,
	uint32_t entry_bytes)
{
	uint32_t entries = QUEUE_ENTRIES(command);
	bool contiguous = command->cdw11 & NVME_QUEUE_CONTIGUOUS;

	if (!is_io_queue(nvme, QUEUE_ID(command)))
		return NVME_INVALID_QUEUE_ID | NVME_DO_NOT_RETRY;
	if (entries < 2 || entries > NVME_CAP_MQES(nvme->cap) + 1)
		return NVME_INVALID_QUEUE_SIZE | NVME_DO_NOT_RETRY;
	if (!contiguous && nvme->cap & NVME_CAP_CQR)
		return NVME_INVALID_FIELD | NVME_DO_NOT_RETRY;
	return ring_map(nvme, ring, command->prp1, entries, entry_bytes, contiguous);
}

static uint16_t create_cq(struct nvme *nvme, struct nvme_slot *slot)
{
	struct nvme_command *command = &slot->command;
	struct nvme_cq *cq = &nvme->cq[is_io_queue(nvme, QUEUE_ID(command)) ? QUEUE_ID(command) : 0];
	uint16_t status;

	if (cq->state != NVME_QUEUE_NONE)
		return NVME_INVALID_QUEUE_ID | NVME_DO_NOT_RETRY;
	if (NVME_CC_IOCQES(nvme->cc) != IO_CQES)
		return NVME_INVALID_QUEUE_SIZE | NVME_DO_NOT_RETRY;
	status = examine(nvme, command, &cq->ring, sizeof(struct nvme_completion));
	if (status)
		return status;
	cq->state = NVME_QUEUE_CREATING;
	cq->interrupts = command->cdw11 & NVME_QUEUE_INTERRUPTS;
	cq->vector = (uint16_t)(command->cdw11 >> 16);
	command->cdw11 |= NVME_QUEUE_CONTIGUOUS;
	command->prp1 = bus_address(nvme, cq->completions);
	/* Before the device can see it: what an earlier queue left would be taken for completions. */
	memset(cq->completions, 0, cq->ring.entries * sizeof(*cq->completions));
	return 0;
}

static uint16_t create_sq(struct nvme *nvme, struct nvme_slot *slot)
{
	struct nvme_command *command = &slot->command;
	struct nvme_sq *sq = &nvme->sq[is_io_queue(nvme, QUEUE_ID(command)) ? QUEUE_ID(command) : 0];
	uint16_t cq = (uint16_t)(command->cdw11 >> 16), status;

	if (!is_io_queue(nvme, cq) || nvme->cq[cq].state != NVME_QUEUE_LIVE)
		return NVME_COMPLETION_QUEUE_INVALID | NVME_DO_NOT_RETRY;
	if (sq->state != NVME_QUEUE_NONE)
		return NVME_INVALID_QUEUE_ID | NVME_DO_NOT_RETRY;
	if (NVME_CC_IOSQES(nvme->cc) != IO_SQES)
		return NVME_INVALID_QUEUE_SIZE | NVME_DO_NOT_RETRY;
	status = examine(nvme, command, &sq->ring, sizeof(struct nvme_command));
	if (status)
		return status;
	sq->state = NVME_QUEUE_CREATING;
	command->cdw11 |= NVME_QUEUE_CONTIGUOUS;
	command->prp1 = bus_address(nvme, sq->commands);
	return 0;
}

/* From here on nothing of the guest's is taken from it. */
static uint16_t delete_sq(struct nvme *nvme, uint16_t id)
{
	struct nvme_sq *sq = &nvme->sq[is_io_queue(nvme, id) ? id : 0];
	struct nvme_cq *cq;

	if (!sq->id || sq->state != NVME_QUEUE_LIVE)
		return NVME_INVALID_QUEUE_ID | NVME_DO_NOT_RETRY;
	cq = &nvme->cq[sq->cq];
	port_lock(&cq->lock);
	sq->state = NVME_QUEUE_DELETING;
	port_unlock(&cq->lock);
	return 0;
}

static uint16_t delete_cq(struct nvme *nvme, uint16_t id)
{
	struct nvme_cq *cq = &nvme->cq[is_io_queue(nvme, id) ? id : 0];

	if (!cq->id || cq->state != NVME_QUEUE_LIVE)
		return NVME_INVALID_QUEUE_ID | NVME_DO_NOT_RETRY;
	for (uint16_t i = 1; i < NVME_QUEUES; i++)
		if (nvme->sq[i].state != NVME_QUEUE_NONE && nvme->sq[i].cq == id)
			return NVME_INVALID_QUEUE_DELETION | NVME_DO_NOT_RETRY;
	port_lock(&cq->lock);
	cq->state = NVME_QUEUE_DELETING;
	port_unlock(&cq->lock);
	return 0;
}

void queue_accept(struct nvme *nvme, struct nvme_sq *admin, struct nvme_slot *slot)
{
	uint8_t opcode = slot->command.opcode;
	bool creates = opcode == NVME_CREATE_CQ || opcode == NVME_CREATE_SQ;
	uint16_t status;

	if (opcode == NVME_CREATE_CQ)
		status = create_cq(nvme, slot);
	else if (opcode == NVME_CREATE_SQ)
		status = create_sq(nvme, slot);
	else if (opcode == NVME_DELETE_SQ)
		status = delete_sq(nvme, QUEUE_ID(&slot->command));
	else
		status = delete_cq(nvme, QUEUE_ID(&slot->command));
	if (status) {
		prepare_refusal(nvme, admin, slot, status);
		return;
	}
	slot->kind = creates ? NVME_SLOT_CREATE : NVME_SLOT_DELETE;
	slot->command.prp2 = 0;
	if (!creates)
		slot->command.prp1 = 0;
}

/* The completions that the device posted before it deleted the queue are collected first. */
static void end_sq(struct nvme *nvme, struct nvme_sq *sq)
{
	struct nvme_cq *cq = &nvme->cq[sq->cq];
	struct cipher_scope scope = {0};

	port_lock(&cq->lock);
	cq_collect(nvme, cq, &scope);
	cq_forget(cq, sq->id);
	sq_close(nvme, sq);
	settle(nvme, cq);
	port_unlock(&cq->lock);
	cipher_end(&scope);
}

static void end_cq(struct nvme *nvme, struct nvme_cq *cq)
{
	port_lock(&cq->lock);
	cq_close(nvme, cq);
	port_unlock(&cq->lock);
}

static void complete_sq(struct nvme *nvme, const struct nvme_slot *slot, bool exists)
{
	struct nvme_sq *sq = &nvme->sq[QUEUE_ID(&slot->command)];
	uint16_t cq = slot->kind == NVME_SLOT_CREATE ? (uint16_t)(slot->command.cdw11 >> 16) : sq->cq;

	if (!exists && slot->kind == NVME_SLOT_DELETE) {
		end_sq(nvme, sq);
		return;
	}
	port_lock(&nvme->cq[cq].lock);
	if (slot->kind == NVME_SLOT_CREATE && exists)
		sq_open(nvme, QUEUE_ID(&slot->command), cq, sq->ring.entries);
	else
		sq->state = exists ? NVME_QUEUE_LIVE : NVME_QUEUE_NONE;
	port_unlock(&nvme->cq[cq].lock);
}

static void complete_cq(struct nvme *nvme, const struct nvme_slot *slot, bool exists)
{
	struct nvme_cq *cq = &nvme->cq[QUEUE_ID(&slot->command)];

	if (!exists && slot->kind == NVME_SLOT_DELETE) {
		end_cq(nvme, cq);
		return;
	}
	port_lock(&cq->lock);
	if (slot->kind == NVME_SLOT_CREATE && exists)
		cq_open(nvme, QUEUE_ID(&slot->command), cq->ring.entries);
	else
		cq->state = exists ? NVME_QUEUE_LIVE : NVME_QUEUE_NONE;
	port_unlock(&cq->lock);
}

void queue_complete(struct nvme *nvme, const struct nvme_slot *slot, bool good)
{
	bool exists = good == (slot->kind == NVME_SLOT_CREATE);

	if (slot->command.opcode == NVME_CREATE_SQ || slot->command.opcode == NVME_DELETE_SQ)
		complete_sq(nvme, slot, exists);
	else
		complete_cq(nvme, slot, exists);
}
