/* SPDX-License-Identifier: Apache-2.0 */
/* The queues of the model controller: doorbells, fetching, posting, interrupts. NVM Express 1.4, sections 4.1 and 7. */
#include "tests/model/nvme_controller.h"
#include <string.h>

#define PAGE 4096u

enum { ERROR_EVENT = 0, INVALID_DOORBELL = 0, INVALID_VALUE = 1, ERROR_LOG = 1 };
enum { COALESCING = 0x08, VECTOR_CONFIGURATION = 0x09 }; /* features */

static void *entry(struct controller *c, const struct controller_queue *queue, uint32_t index, uint32_t size)
{
	uint64_t at = (uint64_t)index * size, address = queue->base + at;

	if (!queue->contiguous) {
		const uint64_t *page = bus_dma(c->bus, queue->base + at / PAGE * 8, 8);

		if (!page)
			return NULL;
		address = *page + at % PAGE;
	}
	if (c->arena_queues && bus_guest(c->bus, address, size))
		controller_fault(c, "a queue in guest memory", index, (uint32_t)address);
	return bus_dma(c->bus, address, size);
}

static uint32_t distance(const struct controller_queue *queue, uint32_t from, uint32_t to)
{
	return (to + queue->entries - from) % queue->entries;
}

static void bad_doorbell(struct controller *c, uint8_t information, const char *what, unsigned queue, uint32_t value)
{
	controller_fault(c, what, queue, value);
	if (controller_runs(c))
		controller_event(c, ERROR_EVENT, information, ERROR_LOG);
}

static void ring_submission(struct controller *c, unsigned number, uint32_t value)
{
	struct controller_queue *sq = &c->sq[number];
	uint32_t added = distance(sq, sq->tail, value);

	if (!added)
		bad_doorbell(c, INVALID_VALUE, "a tail that did not change", number, value);
	else if (added > sq->entries - 1 - distance(sq, sq->head, sq->tail))
		bad_doorbell(c, INVALID_VALUE, "a submission queue overrun", number, value);
	else
		sq->tail = value;
}

static void ring_completion(struct controller *c, unsigned number, uint32_t value)
{
	struct controller_queue *cq = &c->cq[number];
	uint32_t removed = distance(cq, cq->head, value);

	if (!removed)
		bad_doorbell(c, INVALID_VALUE, "a head that did not change", number, value);
	else if (removed > distance(cq, cq->head, cq->tail))
		bad_doorbell(c, INVALID_VALUE, "a head beyond the tail", number, value);
	else
		cq->head = value;
}

void controller_ring(struct controller *c, uint32_t offset, uint32_t value)
{
	uint32_t stride = 4u << NVME_CAP_DSTRD(c->cap), index = (offset - NVME_DOORBELLS) / stride;
	unsigned number = index / 2;
	struct controller_queue *queue = index & 1 ? c->cq : c->sq;

	if (!controller_runs(c) || !(c->cc & NVME_CC_EN)) {
		if (!(c->csts & NVME_CSTS_CFS))
			controller_fault(c, "a doorbell while not ready", number, value);
	} else if (offset % stride || number >= CONTROLLER_QUEUES || !queue[number].made) {
		bad_doorbell(c, INVALID_DOORBELL, "a doorbell of no queue", number, value);
	} else if (value >= queue[number].entries) {
		bad_doorbell(c, INVALID_VALUE, "a doorbell out of range", number, value);
	} else if (index & 1) {
		ring_completion(c, number, value);
	} else {
		ring_submission(c, number, value);
	}
}

int controller_find(const struct controller *c, unsigned sq, uint16_t cid)
{
	for (int i = 0; i < CONTROLLER_COMMANDS; i++)
		if (c->command[i].stage != CONTROLLER_FREE && c->command[i].sq == sq &&
			c->command[i].command.cid == cid)
			return i;
	return -1;
}

static int free_place(const struct controller *c)
{
	for (int i = 0; i < CONTROLLER_COMMANDS; i++)
		if (c->command[i].stage == CONTROLLER_FREE)
			return i;
	return -1;
}

int controller_fetch(struct controller *c, unsigned number)
{
	struct controller_queue *sq = &c->sq[number];
	int place = free_place(c);
	const struct nvme_command *source;
	struct controller_command *command;

	if (!controller_runs(c) || !sq->made || sq->head == sq->tail || place < 0)
		return -1;
	source = entry(c, sq, sq->head, sizeof(*source));
	sq->head = (sq->head + 1) % sq->entries;
	if (!source) {
		controller_fail(c);
		return -1;
	}
	if (controller_find(c, number, source->cid) >= 0)
		controller_fault(c, "a command identifier that is in use", number, source->cid);
	command = &c->command[place];
	memset(command, 0, sizeof(*command));
	command->stage = CONTROLLER_FETCHED;
	command->sq = (uint16_t)number;
	command->cq = sq->cq;
	command->command = *source;
	return place;
}

void controller_move(struct controller *c, unsigned index)
{
	struct controller_command *command = &c->command[index];

	if (!controller_runs(c) || command->stage != CONTROLLER_FETCHED)
		return;
	command->stage = CONTROLLER_MOVED;
	if (command->sq)
		controller_io(c, command);
	else
		controller_admin(c, command);
}

/* Whether a completion's message waits for more of them: never for the admin queue (5.21.1.8). */
static bool held_back(struct controller *c, uint16_t vector)
{
	uint32_t configuration = c->feature[VECTOR_CONFIGURATION];

	if (!vector || !(c->feature[COALESCING] & 0xff) || (configuration >> 16 & 1 && (configuration & 0xffff) == vector))
		return false;
	return ++c->held[vector] <= (c->feature[COALESCING] & 0xff);
}

static void interrupt(struct controller *c, const struct controller_queue *cq)
{
	if (!cq->interrupts || !c->msix || held_back(c, cq->vector))
		return;
	c->held[cq->vector] = 0;
	c->message[cq->vector] = true;
}

void controller_elapse(struct controller *c)
{
	for (unsigned i = 0; i < CONTROLLER_VECTORS; i++) {
		c->message[i] |= c->held[i] != 0;
		c->held[i] = 0;
	}
}

bool controller_post(struct controller *c, unsigned index)
{
	struct controller_command *command = &c->command[index];
	struct controller_queue *cq = &c->cq[command->cq];
	struct nvme_completion completion, *target;

	controller_move(c, index);
	if (!controller_runs(c) || command->stage != CONTROLLER_MOVED)
		return false;
	if (distance(cq, cq->head, cq->tail) == cq->entries - 1) {
		c->full++;
		return false;
	}
	completion = (struct nvme_completion){.result = command->result,
		.sq_head = (uint16_t)c->sq[command->sq].head,
		.sq_id = command->sq,
		.cid = command->command.cid,
		.status = command->status | cq->phase};
	command->stage = CONTROLLER_FREE;
	target = entry(c, cq, cq->tail, sizeof(*target));
	if (!target) {
		controller_fail(c);
		return false;
	}
	*target = completion;
	cq->tail = (cq->tail + 1) % cq->entries;
	cq->phase ^= !cq->tail;
	interrupt(c, cq);
	return true;
}

bool controller_step(struct controller *c)
{
	for (unsigned i = 0; i < CONTROLLER_COMMANDS; i++) {
		if (c->command[i].stage == CONTROLLER_FETCHED) {
			controller_move(c, i);
			return true;
		}
		if (c->command[i].stage == CONTROLLER_MOVED && controller_post(c, i))
			return true;
	}
	for (unsigned i = 0; i < CONTROLLER_QUEUES; i++) {
		c->turn = (c->turn + 1) % CONTROLLER_QUEUES;
		if (controller_fetch(c, c->turn) >= 0)
			return true;
	}
	return false;
}

void controller_run(struct controller *c)
{
	while (controller_runs(c) && controller_step(c))
		;
	controller_elapse(c);
}

/* Requests and events that wait for each other meet. */
static void match_events(struct controller *c)
{
	for (unsigned i = 0; i < CONTROLLER_COMMANDS && c->events; i++) {
		struct controller_command *command = &c->command[i];

		if (command->stage != CONTROLLER_EVENT)
			continue;
		command->stage = CONTROLLER_MOVED;
		command->result = c->event[0];
		c->events--;
		memmove(c->event, c->event + 1, c->events * sizeof(c->event[0]));
	}
}

void controller_event(struct controller *c, uint8_t type, uint8_t information, uint8_t page)
{
	if (c->event_masked >> type & 1 || c->events == CONTROLLER_EVENTS)
		return;
	c->event_masked |= (uint8_t)(1u << type);
	c->event[c->events++] = type | (uint32_t)information << 8 | (uint32_t)page << 16;
	match_events(c);
}
