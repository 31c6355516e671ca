/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/guest/queues/queues.h"

#define ADMIN_ENTRIES 4096u

struct sq sqs[PAIRS + 1];
struct cq cqs[PAIRS + 1];
static uint16_t next_identifier;

void queues_begin(void)
{
	for (uint16_t id = 0; id <= PAIRS; id++) {
		uint32_t entries = id ? controller.most_entries : ADMIN_ENTRIES;

		sqs[id].id = cqs[id].id = id;
		sqs[id].entry = take_memory(entries * sizeof(struct nvme_command), PAGE);
		cqs[id].entry = take_memory(entries * sizeof(struct nvme_completion), PAGE);
	}
}

void sq_reset(struct sq *sq, uint32_t entries, struct cq *cq)
{
	sq->entries = entries;
	sq->tail = sq->head = 0;
	sq->cq = cq;
	sq->made = true;
}

void cq_reset(struct cq *cq, uint32_t entries)
{
	memset((void *)cq->entry, 0, entries * sizeof(struct nvme_completion));
	cq->entries = entries;
	cq->head = 0;
	cq->phase = 1;
	cq->made = true;
}

bool sq_put(struct sq *sq, const struct nvme_command *command)
{
	uint32_t next = (sq->tail + 1) % sq->entries;

	if (next == sq->head)
		return false;
	sq->entry[sq->tail] = *command;
	sq->tail = next;
	return true;
}

/* Whether a doorbell that went from `old` to `value` has passed what the controller waits for: NVM Express 1.4, B.5. */
static bool passes(uint16_t event, uint16_t value, uint16_t old)
{
	return (uint16_t)(value - event - 1) < (uint16_t)(value - old);
}

static void ring(uint16_t id, bool completion, uint32_t value)
{
	uint32_t index = (2u * id + completion) << controller.stride, old;

	if (controller.doorbells && id) {
		old = controller.doorbells[index];
		__atomic_store_n(&controller.doorbells[index], value, __ATOMIC_SEQ_CST);
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		if (!passes((uint16_t)controller.events[index], (uint16_t)value, (uint16_t)old))
			return;
	}
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	register_write(nvme_doorbell(id, completion, controller.stride), value);
}

void sq_ring(struct sq *sq)
{
	ring(sq->id, false, sq->tail);
}

void cq_acknowledge(struct cq *cq)
{
	ring(cq->id, true, cq->head);
}

bool cq_there(const struct cq *cq)
{
	return (__atomic_load_n(&cq->entry[cq->head].status, __ATOMIC_ACQUIRE) & 1) == cq->phase;
}

static void idle(void)
{
	if (controller.waiting == WAIT_OPEN)
		interrupts_let_in();
	else if (controller.waiting == WAIT_HALT)
		__asm__ volatile("sti; hlt; cli" ::: "memory");
	else
		cpu_pause();
}

bool cq_next(struct cq *cq, struct nvme_completion *out)
{
	uint64_t end = time_us() + ANSWER_US;

	while (!cq_there(cq)) {
		if (time_us() > end)
			return false;
		idle();
	}
	*out = *(volatile struct nvme_completion *)&cq->entry[cq->head];
	cq->head = (cq->head + 1) % cq->entries;
	cq->phase ^= cq->head == 0;
	if (out->sq_id <= PAIRS && sqs[out->sq_id].made && out->sq_head < sqs[out->sq_id].entries)
		sqs[out->sq_id].head = out->sq_head;
	else
		guest_fail("a completion of queue %u, head %u", out->sq_id, out->sq_head);
	return true;
}

uint16_t command_do(struct sq *sq, struct nvme_command *command, uint32_t *result)
{
	struct nvme_completion answer;

	command->cid = __atomic_add_fetch(&next_identifier, 1, __ATOMIC_RELAXED);
	if (!sq_put(sq, command))
		guest_fail("queue %u is full", sq->id);
	sq_ring(sq);
	if (!cq_next(sq->cq, &answer))
		return NO_ANSWER;
	cq_acknowledge(sq->cq);
	if (answer.cid != command->cid || answer.sq_id != sq->id)
		guest_fail("command %x of queue %u is answered as %x of %u", command->cid, sq->id, answer.cid, answer.sq_id);
	if (result)
		*result = answer.result;
	return STATUS(answer);
}

uint16_t admin(struct nvme_command *command, uint32_t *result)
{
	return command_do(&sqs[0], command, result);
}

void cq_make(struct cq *cq, uint32_t entries, uint32_t cdw11)
{
	struct nvme_command command = {.opcode = NVME_CREATE_CQ, .prp1 = (uint64_t)cq->entry};
	uint16_t status;

	cq_reset(cq, entries);
	cq->interrupts = cdw11 & NVME_QUEUE_INTERRUPTS;
	cq->vector = (uint16_t)(cdw11 >> 16);
	command.cdw10 = cq->id | (entries - 1) << 16;
	command.cdw11 = NVME_QUEUE_CONTIGUOUS | cdw11;
	status = admin(&command, NULL);
	if (status)
		guest_fail("completion queue %u of %u entries, CDW11 %x: status %x", cq->id, entries, cdw11, status);
}

void sq_make(struct sq *sq, uint32_t entries, struct cq *cq, uint32_t cdw11)
{
	struct nvme_command command = {.opcode = NVME_CREATE_SQ, .prp1 = (uint64_t)sq->entry};
	uint16_t status;

	sq_reset(sq, entries, cq);
	command.cdw10 = sq->id | (entries - 1) << 16;
	command.cdw11 = NVME_QUEUE_CONTIGUOUS | cdw11 | (uint32_t)cq->id << 16;
	status = admin(&command, NULL);
	if (status)
		guest_fail("submission queue %u of %u entries, CDW11 %x: status %x", sq->id, entries, cdw11, status);
}

static void delete(uint8_t opcode, uint16_t id)
{
	struct nvme_command command = {.opcode = opcode, .cdw10 = id};
	uint16_t status = admin(&command, NULL);

	if (status)
		guest_fail("deletion of %s queue %u: status %x", opcode == NVME_DELETE_SQ ? "submission" : "completion", id, status);
}

void sq_delete(struct sq *sq)
{
	delete(NVME_DELETE_SQ, sq->id);
	sq->made = false;
}

void cq_delete(struct cq *cq)
{
	delete(NVME_DELETE_CQ, cq->id);
	cq->made = false;
}
