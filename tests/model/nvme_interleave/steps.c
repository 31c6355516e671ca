/* SPDX-License-Identifier: Apache-2.0 */
/* The transitions that are explored, and what may happen within each. */
#include "tests/model/nvme_interleave/internal.h"
#include <stdio.h>
#include <string.h>

/* The device completes a command; another CPU makes a step, or two (a doorbell is written, and the event index read). */
#define EVENTS (MAX_COMMANDS + 2 * ACTORS)

static enum actor acting;

static void inject(unsigned event)
{
	unsigned steps = event < MAX_COMMANDS + ACTORS ? 1 : 2;
	enum actor other = (event - MAX_COMMANDS) % ACTORS;

	if (event < MAX_COMMANDS) {
		if (!interleave.variant->calm)
			interleave_device_completes(event);
		return;
	}
	for (unsigned i = 0; i < steps; i++)
		if (actor_cpu(other) != actor_cpu(acting) && actor_enabled(other) && actor_stays_outside(other))
			actor_act(other);
}

static void place(void)
{
	if (interleave.inside)
		return;
	interleave.inside = true;
	if (interleave.injecting && interleave.places == interleave.at)
		inject(interleave.event);
	interleave.places++;
	interleave.inside = false;
}

static void on_access(void *context, uint32_t offset)
{
	(void)context;
	(void)offset;
	place();
}

static void on_question(struct nvme_machine *m)
{
	(void)m;
	place();
}

void actor_step(enum actor actor)
{
	acting = actor;
	interleave.places = 0;
	interleave.f.m.controller.access = on_access;
	interleave.f.m.asked = on_question;
	actor_act(actor);
	interleave.f.m.controller.access = NULL;
	interleave.f.m.asked = NULL;
	if (interleave.places > MAX_PLACES)
		interleave.wrong = "more places within an exit than are explored";
}

void interleave_forget_counters(void)
{
	struct nvme_machine *m = &interleave.f.m;

	m->controller.reads = m->controller.writes = 0;
	m->controller.full = 0;
	m->controller.turn = 0;
	m->watched = m->raised = m->waits = m->lingers = 0;
	m->exiting = 0;
	nvme_machine_forget_exits(m);
	memset(m->ns[0].seen, 0, sizeof(m->ns[0].seen));
	interleave.f.d.completions = interleave.f.d.rings = 0;
	for (unsigned i = 0; i < NVME_QUEUES; i++) {
		memset(&m->nvme->sq[i].statistics, 0, sizeof(m->nvme->sq[i].statistics));
		m->nvme->cq[i].in_vain = m->nvme->cq[i].hurries = 0;
	}
}

#define PER_ACTOR (1u + MAX_PLACES * EVENTS)
#define ALL	  (FIRST + ACTORS * PER_ACTOR)

/* Made by anybody but a CPU. */
bool interleave_outside_step(unsigned number)
{
	if (number < ELAPSE)
		return interleave_device_completes(number);
	if (number == ELAPSE) {
		bool held = interleave_something_is_held();

		controller_elapse(&interleave.f.m.controller);
		return held;
	}
	number -= ARRIVE;
	return nvme_machine_arrive(&interleave.f.m, (uint16_t)(number / NVME_MACHINE_CPUS), number % NVME_MACHINE_CPUS);
}

/* The pin is masked until the thread that it woke is through. */
bool interleave_pin_is_masked(void)
{
	return interleave.variant->pin && interleave.variant->threaded && (interleave.cpu.woken || interleave.cpu.thread.phase != IDLE);
}

enum explore_step interleave_step(void *context, unsigned number)
{
	enum actor actor;

	(void)context;
	if (number >= ALL)
		return EXPLORE_END;
	interleave.injecting = false;
	if (number < FIRST) {
		if (number >= ARRIVE && interleave_pin_is_masked())
			return EXPLORE_SKIP;
		if (!interleave_outside_step(number))
			return EXPLORE_SKIP;
		interleave_forget_counters();
		return EXPLORE_MADE;
	}
	actor = (number - FIRST) / PER_ACTOR;
	number = (number - FIRST) % PER_ACTOR;
	if (!actor_enabled(actor))
		return EXPLORE_SKIP;
	interleave.injecting = number > 0;
	interleave.at = (number - 1) / EVENTS;
	interleave.event = (number - 1) % EVENTS;
	if (interleave.injecting && (interleave.at >= interleave.measured[actor] || (interleave.event >= MAX_COMMANDS + ACTORS && !interleave.variant->twice)))
		return EXPLORE_SKIP;
	actor_step(actor);
	if (!interleave.injecting)
		interleave.measured[actor] = interleave.places;
	interleave_forget_counters();
	return EXPLORE_MADE;
}

const char *interleave_name(void *context, unsigned number)
{
	static const char *const actors[] = {
		"take 0", "take 1", "handler 0", "handler 1", "thread", "submitter", "mover", "another interrupt"};
	static char text[200];
	int length;

	(void)context;
	/* A trace makes single transitions: nothing has been measured before them. */
	for (unsigned i = 0; i < ACTORS; i++)
		interleave.measured[i] = MAX_PLACES;
	if (number < ELAPSE)
		snprintf(text, sizeof(text), "device completes %u", number);
	else if (number == ELAPSE)
		snprintf(text, sizeof(text), "held messages are sent");
	else if (number < FIRST)
		snprintf(text, sizeof(text), "vector %u arrives at %u", (number - ARRIVE) / NVME_MACHINE_CPUS,
			(number - ARRIVE) % NVME_MACHINE_CPUS);
	if (number < FIRST)
		return text;
	number -= FIRST;
	length = snprintf(text, sizeof(text), "%s (phases %u %u %u %u, watched %x, in flight %u)",
		actors[number / PER_ACTOR], interleave.cpu.handler[0].phase, interleave.cpu.handler[1].phase, interleave.cpu.thread.phase,
		interleave.cpu.submitting, nvme_machine_watched(&interleave.f.m), interleave.f.m.nvme->cq[1].in_flight);
	number %= PER_ACTOR;
	if (!number)
		return text;
	if ((number - 1) % EVENTS < MAX_COMMANDS)
		snprintf(text + length, sizeof(text) - (size_t)length, ", at place %u the device completes %u",
			(number - 1) / EVENTS, (number - 1) % EVENTS);
	else
		snprintf(text + length, sizeof(text) - (size_t)length, ", at place %u: %s%s", (number - 1) / EVENTS,
			actors[((number - 1) % EVENTS - MAX_COMMANDS) % ACTORS],
			(number - 1) % EVENTS < MAX_COMMANDS + ACTORS ? "" : ", twice");
	return text;
}
