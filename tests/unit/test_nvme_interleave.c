/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every interleaving of two CPUs, the device and the messages between them around
 * the mediator, for a few commands. A CPU goes on by one access to the registers
 * or to memory; within an exit, something else may happen at any place where the
 * mediator speaks to the device or asks about interrupts. What must hold:
 *
 *   - a completion that the guest finds has its data in clear, and is of a command under way;
 *   - if the device does nothing more, interrupts and pollers running on find
 *     everything that it has completed: no completion is lost or late;
 *   - from every state the end can be reached, with no CPU watched: nobody hangs.
 */
#include "storage/nvme/internal.h"
#include "tests/model/explore.h"
#include "tests/model/nvme_fixture.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define MAX_COMMANDS 6
#define MAX_PLACES   40 /* within an exit, where something else may happen */
#define MOST_STATES  400000
#define VECTORS	     3

/* One way of driving the controller. */
struct variant {
	const char *name;
	unsigned commands, queues;
	struct driver_options driver;
	bool pin;
	unsigned first;	  /* entered together and rung once, on one queue; 0: each for itself */
	bool in_order;	  /* the device completes them so */
	bool calm;	  /* and not within an exit */
	bool twice;	  /* within an exit another CPU makes one step or two */
	bool serial;	  /* each when the one before it is done */
	bool late;	  /* the handler acknowledges the interrupt when it is through */
	bool threaded;	  /* it wakes a thread that looks at the queues */
	bool poller;	  /* the submitter polls */
	bool same_cpu;	  /* interrupts come to the submitter's CPU */
	bool moves;	  /* the vector is sent to the other CPU meanwhile */
	bool impatient;	  /* the mediator does not wait for a poller's commands */
	unsigned coalesce; /* completions that one message may stand for */
};

enum phase { IDLE, CONSUME, WRITE_HEAD, READ_EVENT, RING };

/* Looks at completion queues: a handler, or a thread. */
struct consumer {
	uint8_t phase, queue;
	bool found;
	uint16_t vector;
	uint32_t old;
};

/* What the CPUs remember between their steps. */
struct cpus {
	struct consumer handler[NVME_MACHINE_CPUS];
	struct consumer thread; /* of the threaded handler, or of the poller */
	bool woken;
	uint8_t submitting, submitted; /* the phase of the submitter; commands entered */
	uint8_t move;
	uint32_t old;
};

struct system {
	const struct variant *variant;
	struct nvme_fixture f;
	struct cpus cpu;
	/* Not part of the state: */
	unsigned places, at, event; /* in the exit being made; where something is injected, and what */
	bool injecting, inside;
	unsigned measured[8]; /* places of each actor's next step without an injection */
	const char *wrong;
};

static struct system s;

#define SUBMITTER 1u

static unsigned queue_of(unsigned command)
{
	return 1 + command % s.variant->queues;
}

static struct driver_request *request(unsigned command)
{
	return &s.f.d.request[queue_of(command)][command];
}

/* ---- the device ---- */

static void device_fetches(void)
{
	for (unsigned queue = 1; queue <= s.variant->queues; queue++)
		while (controller_fetch(&s.f.m.controller, queue) >= 0)
			;
}

/* Of one queue: the guest's page tells which command it is. */
static bool earlier(const struct controller_command *a, const struct controller_command *b)
{
	return a->command.prp1 < b->command.prp1;
}

static bool device_completes(unsigned place)
{
	const struct controller_command *command = &s.f.m.controller.command[place];

	device_fetches();
	for (unsigned i = 0; s.variant->in_order && i < CONTROLLER_COMMANDS; i++)
		if (s.f.m.controller.command[i].stage != CONTROLLER_FREE && earlier(&s.f.m.controller.command[i], command))
			return false;
	return command->stage != CONTROLLER_FREE && controller_post(&s.f.m.controller, place);
}

static bool something_is_held(void)
{
	for (unsigned i = 0; i < VECTORS; i++)
		if (s.f.m.controller.held[i])
			return true;
	return false;
}

/* ---- the CPUs ---- */

static void expect_data(void)
{
	for (unsigned i = 0; i < s.variant->commands; i++)
		if (request(i)->done && (request(i)->status ||
			!nvme_fixture_is_pattern(&s.f, 1, LAYOUT_A_FIRST + i, 1, s.f.memory + i * 4096)))
			s.wrong = "a command is seen as done before its data is in clear";
	if (s.f.d.strange)
		s.wrong = "a completion of nothing that is under way";
}

static bool of_vector(unsigned queue, uint16_t vector)
{
	const struct driver_queue *cq = &s.f.d.cq[queue];

	return cq->made && queue && (s.variant->pin || cq->polled || cq->vector == vector);
}

static void next_queue(struct consumer *c)
{
	c->found = false;
	do
		c->queue++;
	while (c->queue <= s.f.d.completion && !of_vector(c->queue, c->vector));
	c->phase = c->queue <= s.f.d.completion ? CONSUME : IDLE;
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
static bool in_memory(const struct consumer *c)
{
	return c->phase != RING && !(c->phase == WRITE_HEAD && !s.f.d.in_memory);
}

/* One access, until it is IDLE. */
static void consumer_step(struct consumer *c, unsigned cpu)
{
	uint32_t head = s.f.d.cq[c->queue].head;

	switch (c->phase) {
	case CONSUME:
		if (driver_consume(&s.f.d, c->queue)) {
			c->found = true;
			expect_data();
		} else if (c->found) {
			c->phase = WRITE_HEAD;
		} else {
			next_queue(c);
		}
		break;
	case WRITE_HEAD:
		if (s.f.d.in_memory) {
			c->old = driver_write_memory(&s.f.d, c->queue, true, head);
			c->phase = READ_EVENT;
			break;
		}
		driver_ring_register(&s.f.d, cpu, c->queue, true, head);
		next_queue(c);
		break;
	case READ_EVENT:
		if (driver_must_ring(&s.f.d, c->queue, true, head, c->old))
			c->phase = RING;
		else
			next_queue(c);
		break;
	case RING:
		driver_ring_register(&s.f.d, cpu, c->queue, true, head);
		next_queue(c);
		break;
	}
}

static bool handler_enabled(unsigned cpu)
{
	return s.cpu.handler[cpu].phase != IDLE || (s.f.m.cpu[cpu].taken && !s.f.m.cpu[cpu].masked);
}

/* The guest takes no interrupt while a handler runs; one that was taken for it waits. */
static void handler_step(unsigned cpu)
{
	struct nvme_machine_cpu *m = &s.f.m.cpu[cpu];
	struct consumer *c = &s.cpu.handler[cpu];

	if (c->phase == IDLE) {
		uint16_t vector = (uint16_t)__builtin_ctz(m->taken);

		m->taken = 0;
		if (!s.variant->late || s.variant->threaded)
			m->in_service = 0;
		if (s.variant->threaded) {
			s.cpu.woken = true;
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

/* The threaded handler's thread, on CPU 0; the poller, on the submitter's. */
static unsigned thread_cpu(void)
{
	return s.variant->poller ? SUBMITTER : 0;
}

static bool preempted(unsigned cpu)
{
	return handler_enabled(cpu);
}

static bool all_done(void)
{
	for (unsigned i = 0; i < s.variant->commands; i++)
		if (!request(i)->done)
			return false;
	return true;
}

static bool thread_enabled(void)
{
	if (preempted(thread_cpu()))
		return false;
	if (s.cpu.thread.phase != IDLE)
		return true;
	return s.variant->poller ? s.cpu.submitted && s.cpu.submitting == IDLE && !all_done() : s.cpu.woken;
}

static void thread_step(void)
{
	if (s.cpu.thread.phase == IDLE) {
		s.cpu.woken = false;
		begin(&s.cpu.thread, 1);
	} else {
		consumer_step(&s.cpu.thread, thread_cpu());
	}
}

static bool submitter_enabled(void)
{
	if (preempted(SUBMITTER) || (s.variant->poller && s.cpu.thread.phase != IDLE))
		return false;
	if (s.cpu.submitting != IDLE)
		return true;
	if (s.cpu.submitted == s.variant->commands)
		return false;
	return !s.variant->serial || !s.cpu.submitted || request(s.cpu.submitted - 1u)->done;
}

static void enter(unsigned i)
{
	struct nvme_command command = driver_transfer(false, 1, LAYOUT_A_FIRST + i, 1);

	command.cid = (uint16_t)i;
	command.prp1 = s.f.buffer + i * 4096;
	if (!driver_enter(&s.f.d, queue_of(i), &command))
		s.wrong = "the submission queue is full";
}

/* The queue whose doorbell is next. */
static unsigned submitters_queue(void)
{
	return queue_of(s.cpu.submitted - 1u);
}

static void submitter_step(void)
{
	unsigned queue;

	if (s.cpu.submitting == IDLE) {
		enter(s.cpu.submitted++);
		while (s.cpu.submitted < s.variant->first)
			enter(s.cpu.submitted++);
		s.cpu.submitting = WRITE_HEAD;
		if (!s.f.d.in_memory)
			return;
	}
	queue = submitters_queue();
	switch (s.cpu.submitting) {
	case WRITE_HEAD:
		if (s.f.d.in_memory) {
			s.cpu.old = driver_write_memory(&s.f.d, queue, false, s.f.d.sq[queue].tail);
			s.cpu.submitting = READ_EVENT;
			return;
		}
		driver_ring_register(&s.f.d, SUBMITTER, queue, false, s.f.d.sq[queue].tail);
		break;
	case READ_EVENT:
		if (driver_must_ring(&s.f.d, queue, false, s.f.d.sq[queue].tail, s.cpu.old)) {
			s.cpu.submitting = RING;
			return;
		}
		break;
	case RING:
		driver_ring_register(&s.f.d, SUBMITTER, queue, false, s.f.d.sq[queue].tail);
		break;
	}
	s.cpu.submitting = IDLE;
	s.cpu.old = 0;
}

static bool submitter_in_memory(void)
{
	return s.cpu.submitting == READ_EVENT || s.cpu.submitting == IDLE ||
	       (s.cpu.submitting == WRITE_HEAD && s.f.d.in_memory);
}

/* The vector goes to the other CPU, and is sent there once more: first the mediator knows, then the device. */
static bool mover_enabled(void)
{
	return s.variant->moves && s.cpu.move < 4 && !preempted(SUBMITTER);
}

static void mover_step(void)
{
	if (s.cpu.move++ % 2)
		nvme_machine_routed(&s.f.m, 1, 2);
	else
		nvme_machine_route(&s.f.m, 1, 2);
}

/* ---- actors: each makes a step that may be an exit ---- */

enum actor { TAKE_0, TAKE_1, HANDLER_0, HANDLER_1, THREAD, SUBMIT, MOVE, TICK, ACTORS };

static bool enabled(enum actor actor)
{
	const struct nvme_machine_cpu *m;

	switch (actor) {
	case TAKE_0:
	case TAKE_1:
		m = &s.f.m.cpu[actor - TAKE_0];
		return m->pending && !m->in_service && (!m->masked || m->watches);
	case HANDLER_0:
	case HANDLER_1:
		return handler_enabled(actor - HANDLER_0);
	case THREAD:
		return (s.variant->threaded || s.variant->poller) && thread_enabled();
	case SUBMIT:
		return submitter_enabled();
	case MOVE:
		return mover_enabled();
	default:
		return s.variant->impatient && s.f.m.cpu[SUBMITTER].watches;
	}
}

static void act(enum actor actor)
{
	switch (actor) {
	case TAKE_0:
	case TAKE_1:
		nvme_machine_take(&s.f.m, actor - TAKE_0);
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
		nvme_machine_tick(&s.f.m, SUBMITTER);
		break;
	}
}

/* Whether it can make its step while another CPU is in the mediator. */
static bool stays_outside(enum actor actor)
{
	switch (actor) {
	case HANDLER_0:
	case HANDLER_1:
		return in_memory(&s.cpu.handler[actor - HANDLER_0]);
	case THREAD:
		return in_memory(&s.cpu.thread);
	case SUBMIT:
		return submitter_in_memory();
	default:
		return false;
	}
}

static unsigned cpu_of(enum actor actor)
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

/* ---- what happens within an exit ---- */

/* The device completes a command; another CPU makes a step, or two (a doorbell is written, and the event index read). */
#define EVENTS (MAX_COMMANDS + 2 * ACTORS)

static enum actor acting;

static void inject(unsigned event)
{
	unsigned steps = event < MAX_COMMANDS + ACTORS ? 1 : 2;
	enum actor other = (event - MAX_COMMANDS) % ACTORS;

	if (event < MAX_COMMANDS) {
		if (!s.variant->calm)
			device_completes(event);
		return;
	}
	for (unsigned i = 0; i < steps; i++)
		if (cpu_of(other) != cpu_of(acting) && enabled(other) && stays_outside(other))
			act(other);
}

static void place(void)
{
	if (s.inside)
		return;
	s.inside = true;
	if (s.injecting && s.places == s.at)
		inject(s.event);
	s.places++;
	s.inside = false;
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

static void actor_step(enum actor actor)
{
	acting = actor;
	s.places = 0;
	s.f.m.controller.access = on_access;
	s.f.m.asked = on_question;
	act(actor);
	s.f.m.controller.access = NULL;
	s.f.m.asked = NULL;
	if (s.places > MAX_PLACES)
		s.wrong = "more places within an exit than are explored";
}

/* ---- transitions ---- */

static void forget_counters(void)
{
	struct nvme_machine *m = &s.f.m;

	m->controller.reads = m->controller.writes = 0;
	m->controller.full = 0;
	m->controller.turn = 0;
	m->watched = m->raised = m->waits = 0;
	m->exiting = 0;
	nvme_machine_forget_exits(m);
	memset(m->ns[0].seen, 0, sizeof(m->ns[0].seen));
	s.f.d.completions = s.f.d.rings = 0;
	for (unsigned i = 0; i < NVME_QUEUES; i++)
		memset(&m->nvme->sq[i].statistics, 0, sizeof(m->nvme->sq[i].statistics));
}

/*
 * Numbers: the device completes a command; coalesced messages are sent; a message
 * arrives; then, for each actor, its step alone and with one event at one place.
 */
#define ELAPSE	  MAX_COMMANDS
#define ARRIVE	  (ELAPSE + 1)
#define FIRST	  (ARRIVE + VECTORS * NVME_MACHINE_CPUS)
#define PER_ACTOR (1u + MAX_PLACES * EVENTS)
#define ALL	  (FIRST + ACTORS * PER_ACTOR)

/* Made by anybody but a CPU. */
static bool outside_step(unsigned number)
{
	if (number < ELAPSE)
		return device_completes(number);
	if (number == ELAPSE) {
		bool held = something_is_held();

		controller_elapse(&s.f.m.controller);
		return held;
	}
	number -= ARRIVE;
	return nvme_machine_arrive(&s.f.m, (uint16_t)(number / NVME_MACHINE_CPUS), number % NVME_MACHINE_CPUS);
}

/* The pin is masked until the thread that it woke is through. */
static bool pin_is_masked(void)
{
	return s.variant->pin && s.variant->threaded && (s.cpu.woken || s.cpu.thread.phase != IDLE);
}

static enum explore_step step(void *context, unsigned number)
{
	enum actor actor;

	(void)context;
	if (number >= ALL)
		return EXPLORE_END;
	s.injecting = false;
	if (number < FIRST) {
		if (number >= ARRIVE && pin_is_masked())
			return EXPLORE_SKIP;
		if (!outside_step(number))
			return EXPLORE_SKIP;
		forget_counters();
		return EXPLORE_MADE;
	}
	actor = (number - FIRST) / PER_ACTOR;
	number = (number - FIRST) % PER_ACTOR;
	if (!enabled(actor))
		return EXPLORE_SKIP;
	s.injecting = number > 0;
	s.at = (number - 1) / EVENTS;
	s.event = (number - 1) % EVENTS;
	if (s.injecting && (s.at >= s.measured[actor] || (s.event >= MAX_COMMANDS + ACTORS && !s.variant->twice)))
		return EXPLORE_SKIP;
	actor_step(actor);
	if (!s.injecting)
		s.measured[actor] = s.places;
	forget_counters();
	return EXPLORE_MADE;
}

static const char *name(void *context, unsigned number)
{
	static const char *const actors[] = {
		"take 0", "take 1", "handler 0", "handler 1", "thread", "submitter", "mover", "another interrupt"};
	static char text[200];
	int length;

	(void)context;
	/* A trace makes single transitions: nothing has been measured before them. */
	for (unsigned i = 0; i < ACTORS; i++)
		s.measured[i] = MAX_PLACES;
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
		actors[number / PER_ACTOR], s.cpu.handler[0].phase, s.cpu.handler[1].phase, s.cpu.thread.phase,
		s.cpu.submitting, nvme_machine_watched(&s.f.m), s.f.m.nvme->cq[1].in_flight);
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

static bool quiet(void)
{
	for (unsigned i = 0; i < ACTORS; i++)
		if (enabled(i))
			return false;
	return !controller_pin(&s.f.m.controller);
}

static bool goal(void *context)
{
	(void)context;
	return all_done() && quiet() && !nvme_machine_watched(&s.f.m);
}

/* Interrupts and CPUs go on, without the device. */
static void go_on(void)
{
	bool any = true;

	for (unsigned turn = 0; turn < 200 && any && !s.wrong; turn++) {
		any = outside_step(ELAPSE);
		for (unsigned i = 0; i < VECTORS * NVME_MACHINE_CPUS && !pin_is_masked(); i++)
			any |= outside_step(ARRIVE + i);
		for (unsigned i = 0; i < ACTORS; i++) {
			any |= enabled(i);
			if (enabled(i))
				actor_step(i);
		}
	}
}

/* Entries that the device has posted and the mediator has not taken, though the guest has taken all it was shown. */
static bool something_waits(void)
{
	for (unsigned i = 1; i <= s.f.d.completion; i++) {
		const struct nvme_cq *cq = &s.f.m.nvme->cq[i];

		if ((cq->completions[cq->device_head].status & 1) == cq->device_phase)
			return true;
	}
	return false;
}

/* What the device had ended before they went on must have been found. */
static const char *check(void *context)
{
	const struct controller *c = &s.f.m.controller;
	unsigned under_way = 0, waiting = 0;

	(void)context;
	s.injecting = false;
	go_on();
	if (something_waits())
		s.wrong = "the device has completed a command and nobody finds it";
	device_fetches();
	for (unsigned i = 0; i < CONTROLLER_COMMANDS; i++)
		under_way += c->command[i].stage != CONTROLLER_FREE;
	for (unsigned i = 0; i < s.variant->commands; i++)
		waiting += request(i)->active;
	if (!s.wrong && !under_way && waiting)
		s.wrong = "a command is not with the device any more, or never was, and the guest waits for it";
	if (s.f.m.bus.faults)
		s.wrong = s.f.m.bus.fault;
	return s.wrong;
}

/* ---- setting up ---- */

static void add(struct explore *e, void *memory, size_t bytes)
{
	e->region[e->regions].memory = memory;
	e->region[e->regions++].bytes = bytes;
}

/* What a few commands change; the rest of the arena is compared at the end. */
static void add_queue(struct explore *e, unsigned id)
{
	const struct nvme *nvme = s.f.m.nvme;

	add(e, nvme->sq[id].commands, 1024);
	add(e, nvme->sq[id].slot, 2048);
	add(e, nvme->cq[id].completions, 512);
}

static void set_coalescing(void)
{
	struct nvme_command command = {.opcode = 9, .cdw10 = 8, .cdw11 = s.variant->coalesce - 1};

	if (s.variant->coalesce)
		assert_int_equal(driver_do(&s.f.d, 0, &command, NULL), 0);
}

static void explore_variant(const struct variant *variant)
{
	const struct nvme_machine_options options = {.sectors = 1024,
		.cipher_a = 4096,
		.ram_bytes = 4u << 20,
		.io_queues = variant->queues,
		.pin = variant->pin};
	struct explore e = {.step = step, .check = check, .goal = goal, .name = name};
	struct driver_options driver = variant->driver;

	memset(&s, 0, sizeof(s));
	s.variant = variant;
	driver.queues = variant->queues;
	driver.entries = driver.entries ? driver.entries : 8;
	assert_true(nvme_fixture_start(&s.f, &options, &driver));
	set_coalescing();
	for (unsigned i = 0; i < CONTROLLER_VECTORS; i++)
		s.f.m.affinity[i] = s.f.m.routed[i] = variant->same_cpu ? 2 : 1;
	s.f.m.patience = variant->impatient ? 0 : s.f.m.patience;
	forget_counters();
	add(&e, &s.f.m, sizeof(s.f.m));
	add(&e, s.f.d.sq, sizeof(s.f.d.sq));
	add(&e, s.f.d.cq, sizeof(s.f.d.cq));
	for (unsigned i = 1; i <= variant->queues; i++)
		add(&e, s.f.d.request[i], 8 * sizeof(s.f.d.request[i][0]));
	add(&e, &s.cpu, sizeof(s.cpu));
	add(&e, s.f.m.nvme, offsetof(struct nvme, sq));
	add(&e, s.f.m.nvme->sq, (1 + variant->queues) * sizeof(struct nvme_sq));
	add(&e, s.f.m.nvme->cq, (1 + variant->queues) * sizeof(struct nvme_cq));
	add(&e, s.f.m.nvme->cpu, NVME_MACHINE_CPUS * sizeof(struct nvme_cpu));
	for (unsigned i = 1; i <= variant->queues; i++)
		add_queue(&e, i);
	add(&e, s.f.memory, MAX_COMMANDS * 4096);
	add(&e, nvme_machine_pointer(&s.f.m, s.f.d.sq[1].memory), s.f.d.doorbells - s.f.d.sq[1].memory + 2 * 4096);
	explore_run(&e, MOST_STATES);
	printf("%-44s %6llu states, %7llu transitions\n", variant->name, (unsigned long long)e.states,
		(unsigned long long)e.edges);
	fflush(stdout);
	if (e.failure)
		fail_msg("%s: %s", variant->name, e.failure);
	nvme_machine_free(&s.f.m);
}

static void explore_all(const struct variant *variants, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		explore_variant(&variants[i]);
}

static void test_messages(void **state)
{
	static const struct variant variants[] = {
		{.name = "messages", .commands = 3, .queues = 1, .in_order = true},
		{.name = "messages, acknowledged late", .commands = 2, .queues = 1, .late = true},
		{.name = "messages to the submitter's CPU", .commands = 2, .queues = 1, .same_cpu = true},
		{.name = "together, messages", .commands = 3, .queues = 1, .first = 3},
		{.name = "one after the other, messages", .commands = 3, .queues = 1, .serial = true},
		{.name = "threaded, messages", .commands = 2, .queues = 1, .threaded = true},
		{.name = "two queues of one vector", .commands = 2, .queues = 2, .driver = {.vectors = 1}},
		{.name = "two queues, a vector each", .commands = 2, .queues = 2},
		{.name = "coalesced messages", .commands = 2, .queues = 1, .coalesce = 2},
		{.name = "the vector moves", .commands = 2, .queues = 1, .in_order = true, .moves = true},
		{.name = "it moves away from the submitter's CPU",
			.commands = 2,
			.queues = 1,
			.moves = true,
			.same_cpu = true},
	};

	(void)state;
	explore_all(variants, sizeof(variants) / sizeof(variants[0]));
}

static void test_pin(void **state)
{
	static const struct variant variants[] = {
		{.name = "pin", .commands = 3, .queues = 1, .pin = true},
		{.name = "pin, acknowledged late", .commands = 3, .queues = 1, .pin = true, .late = true},
		{.name = "pin, threaded", .commands = 3, .queues = 1, .pin = true, .threaded = true},
		{.name = "pin, two queues", .commands = 3, .queues = 2, .pin = true, .late = true},
		{.name = "pin, doorbells in memory",
			.commands = 3,
			.queues = 1,
			.pin = true,
			.late = true,
			.driver = {.doorbells = DRIVER_MEMORY}},
	};

	(void)state;
	explore_all(variants, sizeof(variants) / sizeof(variants[0]));
}

static void test_pollers(void **state)
{
	static const struct variant variants[] = {
		{.name = "polled", .commands = 3, .queues = 1, .poller = true, .driver = {.polling = true}},
		{.name = "polled, together",
			.commands = 3,
			.queues = 1,
			.poller = true,
			.first = 3,
			.driver = {.polling = true}},
		{.name = "polled, doorbells in memory",
			.commands = 3,
			.queues = 1,
			.poller = true,
			.driver = {.polling = true, .doorbells = DRIVER_MEMORY}},
		{.name = "polled beside a handler", .commands = 2, .queues = 1, .poller = true},
		{.name = "polled, and not waited for",
			.commands = 3,
			.queues = 1,
			.poller = true,
			.impatient = true,
			.driver = {.polling = true}},
	};

	(void)state;
	explore_all(variants, sizeof(variants) / sizeof(variants[0]));
}

/* With four in flight the guest need not ring. */
static void test_doorbells_in_memory(void **state)
{
	static const struct variant variants[] = {
		{.name = "doorbells in memory",
			.commands = 2,
			.queues = 1,
			.driver = {.doorbells = DRIVER_MEMORY}},
		{.name = "doorbells in memory, polled beside a handler",
			.commands = 2,
			.queues = 1,
			.poller = true,
			.twice = true,
			.driver = {.doorbells = DRIVER_MEMORY}},
		{.name = "doorbells in memory, one CPU",
			.commands = 2,
			.queues = 1,
			.same_cpu = true,
			.driver = {.doorbells = DRIVER_MEMORY}},
		{.name = "doorbells in memory, five commands",
			.commands = 5,
			.first = 4,
			.queues = 1,
			.late = true,
			.in_order = true,
			.calm = true,
			.driver = {.doorbells = DRIVER_MEMORY}},
	};

	(void)state;
	explore_all(variants, sizeof(variants) / sizeof(variants[0]));
}

/* Queues share one for completions that has not room for all of them. */
static void test_full_queue(void **state)
{
	static const struct variant variants[] = {
		{.name = "a full completion queue",
			.commands = 2,
			.queues = 2,
			.driver = {.completion = 1, .completion_entries = 2}},
		{.name = "a full completion queue, pin",
			.commands = 3,
			.queues = 2,
			.pin = true,
			.late = true,
			.driver = {.completion = 1, .completion_entries = 2}},
		{.name = "a full completion queue, doorbells in memory, polled",
			.commands = 2,
			.queues = 2,
			.poller = true,
			.twice = true,
			.driver = {.completion = 1, .completion_entries = 2, .doorbells = DRIVER_MEMORY}},
		{.name = "a full completion queue, doorbells in memory",
			.commands = 2,
			.queues = 2,
			.driver = {.completion = 1, .completion_entries = 2, .doorbells = DRIVER_MEMORY}},
	};

	(void)state;
	explore_all(variants, sizeof(variants) / sizeof(variants[0]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_messages),
		cmocka_unit_test(test_pin),
		cmocka_unit_test(test_pollers),
		cmocka_unit_test(test_doorbells_in_memory),
		cmocka_unit_test(test_full_queue),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
