/* SPDX-License-Identifier: Apache-2.0 */
/* Who can make a step now, and makes it. */
#include "tests/model/nvme_interleave/internal.h"

bool actor_enabled(enum actor actor)
{
	const struct nvme_machine_cpu *m;

	switch (actor) {
	case TAKE_0:
	case TAKE_1:
		m = &interleave.f.m.cpu[actor - TAKE_0];
		return m->pending && !m->in_service && !m->masked;
	case HANDLER_0:
	case HANDLER_1:
		return handler_enabled(actor - HANDLER_0);
	case THREAD:
		return (interleave.variant->threaded || interleave.variant->poller) && thread_enabled();
	case SUBMIT:
		return submitter_enabled();
	case MOVE:
		return mover_enabled();
	default:
		return interleave.variant->impatient && interleave.f.m.cpu[SUBMITTER].watches;
	}
}

void actor_act(enum actor actor)
{
	switch (actor) {
	case TAKE_0:
	case TAKE_1:
		nvme_machine_take(&interleave.f.m, actor - TAKE_0);
		break;
	case HANDLER_0:
	case HANDLER_1:
		handler_step(actor - HANDLER_0);
		break;
	case THREAD:
		thread_step();
		break;
	case SUBMIT:
		submitter_step();
		break;
	case MOVE:
		mover_step();
		break;
	default: /* an interrupt of something else */
		nvme_machine_tick(&interleave.f.m, SUBMITTER);
		break;
	}
}

/* Whether it can make its step while another CPU is in the mediator. */
bool actor_stays_outside(enum actor actor)
{
	switch (actor) {
	case HANDLER_0:
	case HANDLER_1:
		return consumer_in_memory(&interleave.cpu.handler[actor - HANDLER_0]);
	case THREAD:
		return consumer_in_memory(&interleave.cpu.thread);
	case SUBMIT:
		return submitter_in_memory();
	default:
		return false;
	}
}

unsigned actor_cpu(enum actor actor)
{
	switch (actor) {
	case TAKE_0:
	case HANDLER_0:
		return 0;
	case THREAD:
		return thread_cpu();
	default:
		return 1;
	}
}
