/* SPDX-License-Identifier: Apache-2.0 */
/* The system that is explored, and what its files share. */
#ifndef TESTS_MODEL_NVME_INTERLEAVE_INTERNAL_H
#define TESTS_MODEL_NVME_INTERLEAVE_INTERNAL_H

#include "storage/nvme/internal.h"
#include "tests/model/explore.h"
#include "tests/model/nvme_interleave/interleave.h"

#define MAX_COMMANDS 6
#define MAX_PLACES   40 /* within an exit, where something else may happen */
#define VECTORS	     3
#define SUBMITTER    1u /* its CPU */

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

extern struct interleave_system {
	const struct interleave_variant *variant;
	struct nvme_fixture f;
	struct cpus cpu;
	/* Not part of the state: */
	unsigned places, at, event; /* in the exit being made; where something is injected, and what */
	bool injecting, inside;
	unsigned measured[8]; /* places of each actor's next step without an injection */
	const char *wrong;
} interleave;

/* Who makes steps that may be exits. */
enum actor { TAKE_0, TAKE_1, HANDLER_0, HANDLER_1, THREAD, SUBMIT, MOVE, TICK, ACTORS };

/*
 * Numbers of transitions: the device completes a command; coalesced messages are
 * sent; a message arrives; then, for each actor, its step alone and with one event
 * at one place.
 */
#define ELAPSE MAX_COMMANDS
#define ARRIVE (ELAPSE + 1)
#define FIRST  (ARRIVE + VECTORS * NVME_MACHINE_CPUS)

/* device.c: a command's queue and request; what the device has fetched, and completes (false: it cannot). */
unsigned interleave_queue_of(unsigned command);
struct driver_request *interleave_request(unsigned command);
void interleave_device_fetches(void);
bool interleave_device_completes(unsigned place);
bool interleave_something_is_held(void);

/* consume.c */
bool interleave_all_done(void);
/* Whether its next step stays away from the mediator. */
bool consumer_in_memory(const struct consumer *c);
bool handler_enabled(unsigned cpu);
void handler_step(unsigned cpu);
bool cpu_is_preempted(unsigned cpu);
unsigned thread_cpu(void);
bool thread_enabled(void);
void thread_step(void);

/* submit.c */
bool submitter_enabled(void);
void submitter_step(void);
bool submitter_in_memory(void);
bool mover_enabled(void);
void mover_step(void);

/* actors.c */
bool actor_enabled(enum actor actor);
void actor_act(enum actor actor);
/* Whether it can make its step while another CPU is in the mediator. */
bool actor_stays_outside(enum actor actor);
unsigned actor_cpu(enum actor actor);

/* steps.c: an actor's step, with what is to be injected; a step of anybody but a CPU; and as explore.h asks for them. */
void actor_step(enum actor actor);
bool interleave_outside_step(unsigned number);
bool interleave_pin_is_masked(void);
void interleave_forget_counters(void);
enum explore_step interleave_step(void *context, unsigned number);
const char *interleave_name(void *context, unsigned number);

#endif
