/* SPDX-License-Identifier: Apache-2.0 */
/* The CPU that submits, and sends the vector elsewhere. */
#include "tests/model/nvme_interleave/internal.h"

bool submitter_enabled(void)
{
	if (cpu_is_preempted(SUBMITTER) || (interleave.variant->poller && interleave.cpu.thread.phase != IDLE))
		return false;
	if (interleave.cpu.submitting != IDLE)
		return true;
	if (interleave.cpu.submitted == interleave.variant->commands)
		return false;
	return !interleave.variant->serial || !interleave.cpu.submitted || interleave_request(interleave.cpu.submitted - 1u)->done;
}

static void enter(unsigned i)
{
	struct nvme_command command = driver_transfer(false, 1, LAYOUT_A_FIRST + i, 1);

	command.cid = (uint16_t)i;
	command.prp1 = interleave.f.buffer + i * 4096;
	if (!driver_enter(&interleave.f.d, interleave_queue_of(i), &command))
		interleave.wrong = "the submission queue is full";
}

/* The queue whose doorbell is next. */
static unsigned submitters_queue(void)
{
	return interleave_queue_of(interleave.cpu.submitted - 1u);
}

void submitter_step(void)
{
	unsigned queue;

	if (interleave.cpu.submitting == IDLE) {
		enter(interleave.cpu.submitted++);
		while (interleave.cpu.submitted < interleave.variant->first)
			enter(interleave.cpu.submitted++);
		interleave.cpu.submitting = WRITE_HEAD;
		if (!interleave.f.d.in_memory)
			return;
	}
	queue = submitters_queue();
	switch (interleave.cpu.submitting) {
	case WRITE_HEAD:
		if (interleave.f.d.in_memory) {
			interleave.cpu.old = driver_write_memory(&interleave.f.d, queue, false, interleave.f.d.sq[queue].tail);
			interleave.cpu.submitting = READ_EVENT;
			return;
		}
		driver_ring_register(&interleave.f.d, SUBMITTER, queue, false, interleave.f.d.sq[queue].tail);
		break;
	case READ_EVENT:
		if (driver_must_ring(&interleave.f.d, queue, false, interleave.f.d.sq[queue].tail, interleave.cpu.old)) {
			interleave.cpu.submitting = RING;
			return;
		}
		break;
	case RING:
		driver_ring_register(&interleave.f.d, SUBMITTER, queue, false, interleave.f.d.sq[queue].tail);
		break;
	}
	interleave.cpu.submitting = IDLE;
	interleave.cpu.old = 0;
}

bool submitter_in_memory(void)
{
	return interleave.cpu.submitting == READ_EVENT || interleave.cpu.submitting == IDLE ||
	       (interleave.cpu.submitting == WRITE_HEAD && interleave.f.d.in_memory);
}

/* The vector goes to the other CPU, and is sent there once more: first the mediator knows, then the device. */
bool mover_enabled(void)
{
	return interleave.variant->moves && interleave.cpu.move < 4 && !cpu_is_preempted(SUBMITTER);
}

void mover_step(void)
{
	if (interleave.cpu.move++ % 2)
		nvme_machine_routed(&interleave.f.m, 1, 2);
	else
		nvme_machine_route(&interleave.f.m, 1, 2);
}
