/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest's NVMe driver, as Linux's: queues in guest RAM, completions consumed
 * while their phase matches and then acknowledged at once, and doorbells that are
 * rung in memory where the controller offers that (Doorbell Buffer Config).
 * Register accesses are made on the CPU that is named.
 */
#ifndef TESTS_MODEL_GUEST_NVME_H
#define TESTS_MODEL_GUEST_NVME_H

#include "tests/model/nvme_machine.h"

#define DRIVER_QUEUES	CONTROLLER_QUEUES
#define DRIVER_REQUESTS 256 /* command identifiers of each submission queue */
#define DRIVER_TIMEOUT	0xffff /* a status: there was no completion */

enum driver_doorbells {
	DRIVER_REGISTERS,
	DRIVER_MEMORY,	     /* configured when the queues are there, as Linux does */
	DRIVER_MEMORY_FIRST, /* before they are made */
};

struct driver_options {
	unsigned queues;	/* submission queues beside the admin's; 0: 2 */
	unsigned completion;	/* completion queues they share in turn; 0: one each */
	unsigned vectors;	/* that these share in turn, from 1 on; 0: one each */
	unsigned entries;	/* of each queue; 0: 64 */
	unsigned completion_entries; /* of completion queues, where they are others */
	unsigned admin_entries; /* 0: 32 */
	enum driver_doorbells doorbells;
	bool polling; /* completion queues of I/O without interrupts */
	bool lists;   /* queues of pages that lie apart */
	bool shared_with_admin; /* all on vector 0 */
};

struct driver_queue {
	bool made;
	uint64_t memory, list; /* a page after the other, or by their list */
	uint32_t entries;
	/* Of a submission queue: */
	uint32_t tail, rung, freed; /* freed: the head that the controller has told */
	uint16_t completion;	    /* its completion queue */
	/* Of a completion queue: */
	uint32_t head;
	bool phase, polled;
	uint16_t vector;
};

struct driver_request {
	bool active, done;
	uint16_t status; /* without the phase */
	uint32_t result;
};

struct driver {
	struct nvme_machine *m;
	struct driver_options options;
	unsigned queues, completion; /* that there are, beside the admin's */
	uint32_t stride;	     /* CAP.DSTRD, as it was told */
	struct driver_queue sq[DRIVER_QUEUES], cq[DRIVER_QUEUES];
	struct driver_request request[DRIVER_QUEUES][DRIVER_REQUESTS];
	uint64_t doorbells, events;  /* the two pages of the doorbell buffer */
	bool in_memory;		     /* they are in use */
	uint64_t page, list;	     /* for the driver's own commands */
	uint16_t next_cid;
	uint64_t completions, rings; /* rings: doorbell registers written */
	unsigned strange;	     /* completions of nothing that is under way */
	uint8_t controller[4096];    /* Identify, as it was told */
};

/* Takes memory, becomes the machine's handler, and begins; false when something failed. */
bool driver_start(struct driver *d, struct nvme_machine *m, const struct driver_options *options);
/* Reset, admin queues, Identify, Number of Queues, queues of I/O: on the memory it has. */
bool driver_begin(struct driver *d);
/* CC.EN, and RDY; false when that does not follow. Disabled, all requests are given up. */
bool driver_enable(struct driver *d, bool enable);
/* Makes a completion or submission queue, or deletes it; returns the status. */
uint16_t driver_create_cq(struct driver *d, unsigned queue);
uint16_t driver_create_sq(struct driver *d, unsigned queue);
uint16_t driver_delete_sq(struct driver *d, unsigned queue);
uint16_t driver_delete_cq(struct driver *d, unsigned queue);

/* Puts a command with the identifier it bears into the queue; rung separately. False when there is no room. */
bool driver_enter(struct driver *d, unsigned queue, const struct nvme_command *command);
void driver_ring(struct driver *d, unsigned cpu, unsigned queue);
/* The place of a doorbell in the two pages, in words. */
unsigned driver_doorbell(const struct driver *d, unsigned queue, bool completion);
/* The doorbell in memory: written, what it held before is returned; then whether the register has to be written as well. */
uint32_t driver_write_memory(struct driver *d, unsigned queue, bool completion, uint32_t value);
bool driver_must_ring(struct driver *d, unsigned queue, bool completion, uint32_t value, uint32_t old);
void driver_ring_register(struct driver *d, unsigned cpu, unsigned queue, bool completion, uint32_t value);
/* Takes what has been completed, and acknowledges it; returns how many. */
unsigned driver_poll(struct driver *d, unsigned cpu, unsigned completion_queue);
/* Takes the next entry only, without telling the controller; false when there is none. */
bool driver_consume(struct driver *d, unsigned completion_queue);
void driver_acknowledge(struct driver *d, unsigned cpu, unsigned completion_queue);
/* The interrupt handler. */
void driver_handler(void *context, unsigned cpu, uint16_t vector);

/* An identifier that is free. */
uint16_t driver_cid(struct driver *d, unsigned queue);
/* A command with an identifier of its own, to its end: the status, or DRIVER_TIMEOUT. */
uint16_t driver_do(struct driver *d, unsigned queue, struct nvme_command *command, uint32_t *result);
bool driver_busy(const struct driver *d);

/* PRPs for data at these pages (only the first may begin inside one), lists at `list` and in the pages after it. */
void driver_prps(struct nvme_machine *m, struct nvme_command *command, const uint64_t *page, unsigned count, uint64_t list);
/* The same for memory that lies together. */
void driver_linear(struct nvme_machine *m, struct nvme_command *command, uint64_t address, uint32_t bytes, uint64_t list);

struct nvme_command driver_transfer(bool write, uint32_t nsid, uint64_t lba, uint32_t count);
/* One round: moves `count` blocks between the namespace and the guest's memory at `address`; the status. */
uint16_t driver_read(struct driver *d, unsigned queue, uint32_t nsid, uint64_t lba, uint32_t count, uint64_t address);
uint16_t driver_write(struct driver *d, unsigned queue, uint32_t nsid, uint64_t lba, uint32_t count, uint64_t address);

#endif
