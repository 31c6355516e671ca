/* SPDX-License-Identifier: Apache-2.0 */
/* CPUs that look at completion queues: interrupt handlers, a thread, a poller. */
#include "tests/model/nvme_interleave/internal.h"

static void expect_data(void)
{
	for (unsigned i = 0; i < interleave.variant->commands; i++)
		if (interleave_request(i)->done && (interleave_request(i)->status ||
			!nvme_fixture_is_pattern(&interleave.f, 1, LAYOUT_A_FIRST + i, 1, interleave.f.memory + i * 4096)))
			interleave.wrong = "a command is seen as done before its data is in clear";
	if (interleave.f.d.strange)
		interleave.wrong = "a completion of nothing that is under way";
}

static bool of_vector(unsigned queue, uint16_t vector)
{
	const struct driver_queue *cq = &interleave.f.d.cq[queue];

	return cq->made && queue && (interleave.variant->pin || cq->polled || cq->vector == vector);
}

static void next_queue(struct consumer *c)
{
	c->found = false;
	do
		c->queue++;
	while (c->queue <= interleave.f.d.completion && !of_vector(c->queue, c->vector));
	c->phase = c->queue <= interleave.f.d.completion ? CONSUME : IDLE;
	c->old = 0;
	if (c->phase == IDLE)
		c->queue = 0;
}

static void begin(struct consumer *c, uint16_t vector)
{
	*c = (struct consumer){.vector = vector};
	next_queue(c);
}

/* Whether its next step stays away from the mediator. */
bool consumer_in_memory(const struct consumer *c)
{
	return c->phase != RING && !(c->phase == WRITE_HEAD && !interleave.f.d.in_memory);
}

/* One access, until it is IDLE. */
static void consumer_step(struct consumer *c, unsigned cpu)
{
	uint32_t head = interleave.f.d.cq[c->queue].head;

	switch (c->phase) {
	case CONSUME:
		if (driver_consume(&interleave.f.d, c->queue)) {
			c->found = true;
			expect_data();
		} else if (c->found) {
			c->phase = WRITE_HEAD;
		} else {
			next_queue(c);
		}
		break;
	case WRITE_HEAD:
		if (interleave.f.d.in_memory) {
			c->old = driver_write_memory(&interleave.f.d, c->queue, true, head);
			c->phase = READ_EVENT;
			break;
		}
		driver_ring_register(&interleave.f.d, cpu, c->queue, true, head);
		next_queue(c);
		break;
	case READ_EVENT:
		if (driver_must_ring(&interleave.f.d, c->queue, true, head, c->old))
			c->phase = RING;
		else
			next_queue(c);
		break;
	case RING:
		driver_ring_register(&interleave.f.d, cpu, c->queue, true, head);
		next_queue(c);
		break;
	}
}

bool handler_enabled(unsigned cpu)
{
	return interleave.cpu.handler[cpu].phase != IDLE || (interleave.f.m.cpu[cpu].taken && !interleave.f.m.cpu[cpu].masked);
}

/* The guest takes no interrupt while a handler runs; one that was taken for it waits. */
void handler_step(unsigned cpu)
{
	struct nvme_machine_cpu *m = &interleave.f.m.cpu[cpu];
	struct consumer *c = &interleave.cpu.handler[cpu];

	if (c->phase == IDLE) {
		uint16_t vector = (uint16_t)__builtin_ctz(m->taken);

		m->taken = 0;
		if (!interleave.variant->late || interleave.variant->threaded)
			m->in_service = 0;
		if (interleave.variant->threaded) {
			interleave.cpu.woken = true;
			return;
		}
		m->masked = true;
		begin(c, vector);
	} else {
		consumer_step(c, cpu);
	}
	if (c->phase == IDLE) {
		m->masked = false;
		m->in_service &= m->taken;
	}
}

/* The threaded handler's thread, on CPU 0; the poller, on the submitter'interleave. */
unsigned thread_cpu(void)
{
	return interleave.variant->poller ? SUBMITTER : 0;
}

bool cpu_is_preempted(unsigned cpu)
{
	return handler_enabled(cpu);
}

bool interleave_all_done(void)
{
	for (unsigned i = 0; i < interleave.variant->commands; i++)
		if (!interleave_request(i)->done)
			return false;
	return true;
}

bool thread_enabled(void)
{
	if (cpu_is_preempted(thread_cpu()))
		return false;
	if (interleave.cpu.thread.phase != IDLE)
		return true;
	return interleave.variant->poller ? interleave.cpu.submitted && interleave.cpu.submitting == IDLE && !interleave_all_done() : interleave.cpu.woken;
}

void thread_step(void)
{
	if (interleave.cpu.thread.phase == IDLE) {
		interleave.cpu.woken = false;
		begin(&interleave.cpu.thread, 1);
	} else {
		consumer_step(&interleave.cpu.thread, thread_cpu());
	}
}
