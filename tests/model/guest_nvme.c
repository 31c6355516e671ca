/* SPDX-License-Identifier: Apache-2.0 */
/* How the driver works on its queues. */
#include "tests/model/guest_nvme.h"
#include <string.h>

#define PAGE 4096u

static void *entry(struct driver *d, const struct driver_queue *queue, uint32_t index, uint32_t size)
{
	uint32_t at = index * size;
	const uint64_t *list;

	if (!queue->list)
		return nvme_machine_pointer(d->m, queue->memory + at);
	list = nvme_machine_pointer(d->m, queue->list);
	return nvme_machine_pointer(d->m, list[at / PAGE] + at % PAGE);
}

bool driver_enter(struct driver *d, unsigned queue, const struct nvme_command *command)
{
	struct driver_queue *sq = &d->sq[queue];
	struct nvme_command *target = entry(d, sq, sq->tail, sizeof(*target));
	uint32_t next = (sq->tail + 1) % sq->entries;

	if (next == sq->freed)
		return false;
	*target = *command;
	sq->tail = next;
	d->request[queue][command->cid % DRIVER_REQUESTS] = (struct driver_request){.active = true};
	return true;
}

unsigned driver_doorbell(const struct driver *d, unsigned queue, bool completion)
{
	return (2 * queue + completion) << d->stride;
}

uint32_t driver_write_memory(struct driver *d, unsigned queue, bool completion, uint32_t value)
{
	volatile uint32_t *doorbell =
		(uint32_t *)nvme_machine_pointer(d->m, d->doorbells) + driver_doorbell(d, queue, completion);
	uint32_t old = *doorbell;

	*doorbell = value;
	__sync_synchronize();
	return old;
}

/* nvme_dbbuf_need_event() of Linux. */
bool driver_must_ring(struct driver *d, unsigned queue, bool completion, uint32_t value, uint32_t old)
{
	volatile uint32_t *event =
		(uint32_t *)nvme_machine_pointer(d->m, d->events) + driver_doorbell(d, queue, completion);

	return (uint16_t)(value - *event - 1) < (uint16_t)(value - old);
}

void driver_ring_register(struct driver *d, unsigned cpu, unsigned queue, bool completion, uint32_t value)
{
	d->rings++;
	nvme_machine_write(d->m, cpu, nvme_doorbell(queue, completion, d->stride), 4, value);
}

static void ring(struct driver *d, unsigned cpu, unsigned queue, bool completion, uint32_t value)
{
	bool in_memory = d->in_memory && queue;
	uint32_t old = in_memory ? driver_write_memory(d, queue, completion, value) : 0;

	if (!in_memory || driver_must_ring(d, queue, completion, value, old))
		driver_ring_register(d, cpu, queue, completion, value);
}

void driver_ring(struct driver *d, unsigned cpu, unsigned queue)
{
	struct driver_queue *sq = &d->sq[queue];

	if (sq->rung == sq->tail)
		return;
	sq->rung = sq->tail;
	ring(d, cpu, queue, false, sq->tail);
}

bool driver_consume(struct driver *d, unsigned number)
{
	struct driver_queue *cq = &d->cq[number];
	const struct nvme_completion completion =
		*(volatile struct nvme_completion *)entry(d, cq, cq->head, sizeof(completion));
	struct driver_request *request;

	if ((completion.status & 1) != cq->phase)
		return false;
	cq->head = (cq->head + 1) % cq->entries;
	cq->phase ^= !cq->head;
	d->completions++;
	if (completion.sq_id >= DRIVER_QUEUES || d->sq[completion.sq_id].completion != number ||
		!d->request[completion.sq_id][completion.cid % DRIVER_REQUESTS].active) {
		d->strange++;
		return true;
	}
	d->sq[completion.sq_id].freed = completion.sq_head;
	request = &d->request[completion.sq_id][completion.cid % DRIVER_REQUESTS];
	*request = (struct driver_request){
		.done = true, .status = completion.status & 0xfffe, .result = completion.result};
	return true;
}

void driver_acknowledge(struct driver *d, unsigned cpu, unsigned number)
{
	ring(d, cpu, number, true, d->cq[number].head);
}

unsigned driver_poll(struct driver *d, unsigned cpu, unsigned number)
{
	unsigned found = 0;

	while (driver_consume(d, number))
		found++;
	if (found)
		driver_acknowledge(d, cpu, number);
	return found;
}

void driver_handler(void *context, unsigned cpu, uint16_t vector)
{
	struct driver *d = context;

	for (unsigned i = 0; i <= d->completion; i++)
		if (d->cq[i].made && !d->cq[i].polled && (!d->m->controller.msix || d->cq[i].vector == vector))
			driver_poll(d, cpu, i);
}

uint16_t driver_cid(struct driver *d, unsigned queue)
{
	do
		d->next_cid = (uint16_t)((d->next_cid + 1) % DRIVER_REQUESTS);
	while (d->request[queue][d->next_cid].active);
	return d->next_cid;
}

uint16_t driver_do(struct driver *d, unsigned queue, struct nvme_command *command, uint32_t *result)
{
	const struct driver_request *request;

	command->cid = driver_cid(d, queue);
	request = &d->request[queue][command->cid];
	if (!driver_enter(d, queue, command))
		return DRIVER_TIMEOUT;
	driver_ring(d, 0, queue);
	nvme_machine_finish(d->m);
	driver_poll(d, 0, d->sq[queue].completion);
	if (result)
		*result = request->result;
	return request->done ? request->status : DRIVER_TIMEOUT;
}

bool driver_busy(const struct driver *d)
{
	for (unsigned queue = 0; queue <= d->queues; queue++)
		for (unsigned cid = 0; cid < DRIVER_REQUESTS; cid++)
			if (d->request[queue][cid].active)
				return true;
	return false;
}

void driver_prps(struct nvme_machine *m, struct nvme_command *command, const uint64_t *page, unsigned count, uint64_t list)
{
	command->prp1 = page[0];
	command->prp2 = count == 2 ? page[1] : count > 2 ? list : 0;
	for (unsigned i = 1; count > 2 && i < count; list += 8) {
		uint64_t *target = nvme_machine_pointer(m, list);

		/* The last entry of a page leads to the next one, unless it is the last of all. */
		*target = list % PAGE == PAGE - 8 && i < count - 1 ? list + 8 : page[i++];
	}
}

void driver_linear(struct nvme_machine *m, struct nvme_command *command, uint64_t address, uint32_t bytes, uint64_t list)
{
	uint64_t page[1024];
	unsigned count = 0;

	for (uint64_t at = address; at < address + bytes; at = (at & ~(uint64_t)(PAGE - 1)) + PAGE)
		page[count++] = at;
	driver_prps(m, command, page, count, list);
}

struct nvme_command driver_transfer(bool write, uint32_t nsid, uint64_t lba, uint32_t count)
{
	return (struct nvme_command){.opcode = write ? 1 : 2,
		.nsid = nsid,
		.cdw10 = (uint32_t)lba,
		.cdw11 = (uint32_t)(lba >> 32),
		.cdw12 = count - 1};
}

static uint16_t transfer(
	struct driver *d, unsigned queue, bool write, uint32_t nsid, uint64_t lba, uint32_t count, uint64_t address)
{
	struct nvme_command command = driver_transfer(write, nsid, lba, count);

	driver_linear(d->m, &command, address, count * d->m->ns[nsid - 1].lba_size, d->list);
	return driver_do(d, queue, &command, NULL);
}

uint16_t driver_read(struct driver *d, unsigned queue, uint32_t nsid, uint64_t lba, uint32_t count, uint64_t address)
{
	return transfer(d, queue, false, nsid, lba, count, address);
}

uint16_t driver_write(struct driver *d, unsigned queue, uint32_t nsid, uint64_t lba, uint32_t count, uint64_t address)
{
	return transfer(d, queue, true, nsid, lba, count, address);
}
