/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A model NVM Express 1.4 controller: the registers, the queues it fetches from
 * and posts to over the bus, its interrupts. Nothing moves by itself: the test
 * lets it fetch a command, move its data and complete it, in any order that the
 * specification allows; only RDY and the shutdown status settle by themselves,
 * after some register reads. Until RDY is 0 it uses memory.
 *
 * It also watches its driver: what the specification forbids software to do is a
 * fault (bus_fault) where it is `strict`.
 */
#ifndef TESTS_MODEL_NVME_CONTROLLER_H
#define TESTS_MODEL_NVME_CONTROLLER_H

#include "tests/model/bus.h"
#include "tests/model/nvme_namespace.h"

#define CONTROLLER_QUEUES     17 /* pairs, the admin queues among them */
#define CONTROLLER_VECTORS    17
#define CONTROLLER_NAMESPACES 4
#define CONTROLLER_COMMANDS   128 /* fetched and not completed, at most */
#define CONTROLLER_EVENTS     4	  /* asynchronous event requests at a time: AERL + 1 */

/* More of enum nvme_status. */
enum {
	NVME_COMMAND_ABORTED = 0x07 << 1,
	NVME_QUEUE_DELETED = 0x08 << 1,
	NVME_EVENT_LIMIT = 1 << 9 | 0x05 << 1,
	NVME_INVALID_VECTOR = 1 << 9 | 0x08 << 1,
};

struct controller_queue {
	bool made, contiguous;
	uint32_t entries, head, tail;
	uint64_t base; /* or of the PRP list */
	/* Of a submission queue: */
	uint16_t cq;
	/* Of a completion queue: */
	bool phase, interrupts;
	uint16_t vector;
};

enum controller_stage { CONTROLLER_FREE, CONTROLLER_FETCHED, CONTROLLER_MOVED, CONTROLLER_EVENT };

struct controller_command {
	enum controller_stage stage;
	uint16_t sq, cq, status;
	uint32_t result;
	struct nvme_command command;
};

struct controller {
	struct bus *bus;
	struct namespace *ns[CONTROLLER_NAMESPACES]; /* by identifier less 1 */
	/* What it is; the test may change it before it is enabled. */
	uint64_t cap;
	unsigned io_queues; /* pairs that Number of Queues grants: 1 .. CONTROLLER_QUEUES - 1 */
	uint8_t mdts;
	unsigned delay; /* register reads that a change takes */
	bool msix;	/* messages; otherwise the pin */
	bool strict;
	bool arena_queues;   /* queues in guest RAM are a fault */
	bool forget_deleted; /* commands of a deleted submission queue get no completion */
	bool stuck;	     /* RDY never changes */
	/* Registers: */
	uint32_t cc, csts, intms, aqa;
	uint64_t asq, acq;
	bool gone; /* unplugged: every register reads as ones */
	unsigned ready_wait, shutdown_wait;
	/* At work: */
	struct controller_queue sq[CONTROLLER_QUEUES], cq[CONTROLLER_QUEUES];
	struct controller_command command[CONTROLLER_COMMANDS];
	unsigned turn; /* the queue that controller_step() looks at next */
	uint32_t feature[256];
	uint8_t event_masked; /* by type, until its log page is read */
	uint32_t event[CONTROLLER_EVENTS];
	unsigned events; /* that wait for a request */
	bool message[CONTROLLER_VECTORS]; /* on its way */
	unsigned held[CONTROLLER_VECTORS]; /* completions whose message coalescing holds back */
	/* For the test: */
	unsigned seen[256]; /* admin commands by opcode */
	unsigned dangerous; /* of them, those that no guest may reach */
	unsigned full;	    /* completions that found no room in their queue */
	uint64_t reads, writes;
	/* Called before each register access; may be NULL. */
	void (*access)(void *context, uint32_t offset);
	void *access_context;
};

/* A disabled controller without namespaces. */
void controller_init(struct controller *c, struct bus *bus);

uint32_t controller_read(struct controller *c, uint32_t offset);
void controller_write(struct controller *c, uint32_t offset, uint32_t value);

/* Fetches the next entry of a submission queue: its place in `command`, or -1 when there is none. */
int controller_fetch(struct controller *c, unsigned sq);
/* Carries a fetched command out: data are moved, and it waits to be completed. */
void controller_move(struct controller *c, unsigned index);
/* Completes it (moves it first where that has not happened). False when its queue is full, or it is an event request. */
bool controller_post(struct controller *c, unsigned index);
/* The place of a fetched command, or -1. */
int controller_find(const struct controller *c, unsigned sq, uint16_t cid);
/* One of these; false when there was nothing to do. */
bool controller_step(struct controller *c);
/* All, until nothing is left; held messages are sent. */
void controller_run(struct controller *c);
/* The aggregation time is over: held messages are sent. */
void controller_elapse(struct controller *c);

/* An asynchronous event: completes a request, or waits for one. */
void controller_event(struct controller *c, uint8_t type, uint8_t information, uint8_t page);
/* A fatal error: CSTS.CFS, and nothing moves any more. */
void controller_fail(struct controller *c);
/* The pin's level. */
bool controller_pin(const struct controller *c);

/* Between the files of the model: */
bool controller_runs(const struct controller *c);
void controller_forget(struct controller *c);
void controller_ring(struct controller *c, uint32_t offset, uint32_t value);
void controller_admin(struct controller *c, struct controller_command *command);
void controller_io(struct controller *c, struct controller_command *command);
/* Moves data between `data` and the memory that the command's PRPs name; 0 or a status. */
uint16_t controller_dma(struct controller *c, const struct nvme_command *command, uint8_t *data, uint32_t bytes, bool to_host);
void controller_fault(struct controller *c, const char *what, unsigned queue, uint32_t value);
uint32_t controller_most_bytes(const struct controller *c);
void controller_identify(const struct controller *c, uint8_t data[4096]);

#endif
