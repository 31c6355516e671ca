/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many CPUs through one model machine, each on a lane of its own: a queue pair of
 * the guest's, the CPU that drives it and takes its interrupt, and the part of the
 * controller that works on it. The ordinary driver brings the machine up; from then
 * on the lanes go past the controller's checks. What lanes write is their own, to
 * the cache line, so that threads can drive them at full speed: one thread a lane.
 */
#ifndef TESTS_MODEL_NVME_LANES_H
#define TESTS_MODEL_NVME_LANES_H

#include "tests/model/guest_nvme.h"

#define LANES	     (CONTROLLER_QUEUES - 1)
#define LANE_ENTRIES 64	  /* of a queue; one less can be under way */
#define LANE_BYTES   4096 /* of a transfer, page-aligned */

enum lanes_mode {
	LANES_BARE,	 /* the guest drives the controller itself */
	LANES_CIPHER,	 /* the same, and the guest transforms its data: what AES-XTS takes and no more */
	LANES_ENCRYPTED, /* by way of the mediator */
};

struct lanes_options {
	enum lanes_mode mode;
	unsigned lanes;	       /* 1 .. LANES */
	uint64_t lane_blocks;  /* of LANE_BYTES that each lane has of the ciphertext, a multiple of 8 */
	uint64_t memory_bytes; /* of guest RAM that each lane has for data, whole pages */
	bool registers;	       /* beneath a mediator the guest rings in memory, as Linux does, unless this is set */
};

struct lane_request {
	bool write;
	uint8_t *data;
	uint64_t block; /* of the lane's */
};

/* The controller's side of a queue pair. */
struct lane_device {
	const struct nvme_command *commands;
	struct nvme_completion *completions;
	uint32_t sq_entries, cq_entries;
	uint32_t sq_head, sq_tail, cq_head, cq_tail;
	bool phase, interrupt; /* interrupt: its message is on its way */
};

struct lane {
	struct lanes *all;
	uint16_t queue; /* and vector; it comes to the CPU of this number less 1 */
	uint64_t first_lba;
	uint8_t *memory, *bounce; /* guest RAM: for data; of LANES_CIPHER */
	/* The guest's side; the pointers are into the doorbell buffer, or NULL. */
	struct nvme_command *commands;
	struct nvme_completion *completions;
	volatile uint32_t *sq_doorbell, *sq_event, *cq_doorbell, *cq_event;
	uint32_t tail, rung, head;
	bool phase;
	struct lane_request request[LANE_ENTRIES];
	uint64_t failed; /* completions with a status, or of nothing that is under way */
	/* The CPU. */
	uint32_t watches;
	uint64_t exits; /* doorbells and interrupts that a mediator saw */
	struct lane_device device;
} __attribute__((aligned(64)));

struct lanes {
	struct nvme_machine m;
	struct driver d;
	enum lanes_mode mode;
	unsigned count;
	struct lane lane[LANES];
};

/* False when the mediator or the controller refuses; ends the program when there is no memory. */
bool lanes_init(struct lanes *lanes, const struct lanes_options *options);
void lanes_free(struct lanes *lanes);

/*
 * Enters a command for one block of the lane's, under an identifier below LANE_ENTRIES - 1
 * that is not under way; lane_ring tells the device of all that were entered. `data` is
 * LANE_BYTES of the lane's memory, and stays as it is until the command is reaped.
 */
void lane_submit(struct lane *lane, uint16_t cid, bool write, uint64_t block, uint8_t *data);
void lane_ring(struct lane *lane);
/* The controller works, its interrupt comes, the guest's handler runs: identifiers of what has been completed. */
unsigned lane_reap(struct lane *lane, uint16_t cid[LANE_ENTRIES]);

/* What the medium holds of a block, as its owner should see it. */
void lane_plain(const struct lane *lane, uint64_t block, uint8_t *out);

#endif
