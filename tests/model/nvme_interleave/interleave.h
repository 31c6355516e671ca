/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every interleaving of two CPUs, the device and the messages between them around
 * the NVMe mediator, for a few commands. A CPU goes on by one access to the registers
 * or to memory; within an exit, something else may happen at any place where the
 * mediator speaks to the device or asks about interrupts. What must hold:
 *
 *   - a completion that the guest finds has its data in clear, and is of a command under way;
 *   - if the device does nothing more, interrupts and pollers running on find
 *     everything that it has completed: no completion is lost or late;
 *   - from every state the end can be reached, with no CPU watched: nobody hangs.
 */
#ifndef TESTS_MODEL_NVME_INTERLEAVE_H
#define TESTS_MODEL_NVME_INTERLEAVE_H

#include "tests/model/nvme_fixture.h"

/* One way of driving the controller. */
struct interleave_variant {
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
	bool deaf;	  /* which takes none */
	bool moves;	  /* the vector is sent to the other CPU meanwhile */
	bool impatient;	  /* the mediator does not wait for a poller's commands */
	unsigned leisure; /* looks at a command whose interrupt will come, before the exit ends */
	unsigned coalesce; /* completions that one message may stand for */
};

struct interleave_result {
	uint64_t states, transitions;
	const char *failure; /* NULL when everything holds; else the trace has been printed */
};

/* Explores it. */
struct interleave_result nvme_interleave(const struct interleave_variant *variant);

#endif
