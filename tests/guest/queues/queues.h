/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest that drives the first NVMe controller by itself: queues of every shape
 * the specification allows, what it forbids, and both at random. Lines that it
 * prints as `name = status` are what the controller says to one thing that is asked
 * of it; where that is not what NVM Express 1.4 specifies, the line ends with
 * "not" and the status that is. The case that runs it judges those; data that is
 * not what was written, and what is not answered at all, end the program.
 */
#ifndef TESTS_GUEST_QUEUES_H
#define TESTS_GUEST_QUEUES_H

#include "storage/nvme/registers.h"
#include "tests/guest/lib/traps.h"

#define PAGE          4096u
#define BLOCK         512u
#define NAMESPACE     1u
#define SCATTER_PAGES 132u    /* of the data of one command: MDTS and what an offset adds */
#define PAIRS         4u      /* of queues for I/O, at most */
#define ANSWER_US     30000000ull /* for one command, on a machine that is busy with others */
#define NO_ANSWER     0xffffu /* in the place of a status */

/* ---- controller.c: registers, the start and the end of its life ------------------------------------------ */

enum waiting {
	WAIT_OPEN,   /* looks at the queue; interrupts come meanwhile */
	WAIT_CLOSED, /* looks at the queue, with interrupts off */
	WAIT_HALT,   /* sleeps until an interrupt comes */
};

extern struct controller {
	volatile uint8_t *registers;
	uint64_t cap;
	uint32_t stride, most_entries; /* of a queue */
	uint32_t pairs;	               /* of queues for I/O that are used here */
	uint64_t blocks;               /* of the namespace */
	bool messages;                 /* MSI-X is on */
	volatile uint32_t *doorbells, *events; /* in memory, or NULL */
	enum waiting waiting;
} controller;

/* LBAs of the disk, as the options say. */
struct range {
	uint64_t first, blocks;
};
extern struct range scratch; /* to be written */
extern struct range witness_range;
extern struct range guarded; /* of a header partition; no blocks where there is none */

void controller_find(void);
/* MSI-X with a vector of ours for each of the table's first entries, to the calling CPU; or off. */
void controller_messages(bool on);
/* Sends one of them elsewhere. */
void controller_message_to(unsigned entry, uint32_t apic_id);
#define MESSAGES       8u
#define MESSAGE_VECTOR 0x50u /* of entry 0, the others follow */

uint32_t register_read(uint32_t offset);
void register_write(uint32_t offset, uint32_t value);
/* Waits for CSTS.RDY to be as it should; false when it does not, or with CSTS.CFS. */
bool controller_disable(void);
/* The admin queues are made anew, with as many entries; CSTS as it is when the controller is ready or has failed. */
uint32_t controller_enable(uint32_t cc, uint32_t sq_entries, uint32_t cq_entries);
/* Off and on, with queues of 32 entries; forgets every queue; `pairs` is asked for. */
void controller_restart(void);
#define CC_ENABLE (NVME_CC_EN | NVME_CC_ENTRIES)

/* Those that wait come now. After STI they come one instruction later. */
static inline void interrupts_let_in(void)
{
	__asm__ volatile("sti; nop; nop; cli" ::: "memory");
}

/* A timer of this CPU that ends its sleep, and interrupts it now and then. */
void tick_begin(void);

/* ---- queue.c ---------------------------------------------------------------------------------------------- */

struct cq {
	uint16_t id, vector;
	bool made, interrupts;
	uint32_t entries, head;
	uint16_t phase;
	volatile struct nvme_completion *entry;
};

struct sq {
	uint16_t id;
	bool made;
	uint32_t entries, tail, head; /* head: as the controller has told */
	struct nvme_command *entry;
	struct cq *cq;
};

/* Number 0 is the admin pair. */
extern struct sq sqs[PAIRS + 1];
extern struct cq cqs[PAIRS + 1];

/* Memory for them, once. */
void queues_begin(void);
/* Where both begin again, in this program's view. */
void sq_reset(struct sq *sq, uint32_t entries, struct cq *cq);
void cq_reset(struct cq *cq, uint32_t entries);

/* An entry into the queue; false when it is full. Rung separately. */
bool sq_put(struct sq *sq, const struct nvme_command *command);
void sq_ring(struct sq *sq);
/* The next completion, when it is there, or in its time; false when none comes. */
bool cq_there(const struct cq *cq);
bool cq_next(struct cq *cq, struct nvme_completion *out);
void cq_acknowledge(struct cq *cq);
#define STATUS(completion) ((uint16_t)((completion).status & 0xfffe & ~(uint16_t)NVME_DO_NOT_RETRY) >> 1)

/* One command to its end, with an identifier of its own: its status without "do not retry", or NO_ANSWER. */
uint16_t command_do(struct sq *sq, struct nvme_command *command, uint32_t *result);
uint16_t admin(struct nvme_command *command, uint32_t *result);

/* CDW11 beside what the arguments say: QPRIO, IEN and vector. Ends the program unless it succeeds. */
void cq_make(struct cq *cq, uint32_t entries, uint32_t cdw11);
void sq_make(struct sq *sq, uint32_t entries, struct cq *cq, uint32_t cdw11);
void sq_delete(struct sq *sq);
void cq_delete(struct cq *cq);
#define INTERRUPTS(vector) (NVME_QUEUE_INTERRUPTS | (uint32_t)(vector) << 16)

/* ---- data.c ------------------------------------------------------------------------------------------------ */

/* What a block holds after it was written with `salt`. */
void pattern_fill(uint8_t *data, uint64_t lba, uint32_t blocks, uint64_t salt);
bool pattern_is(const uint8_t *data, uint64_t lba, uint32_t blocks, uint64_t salt);

/* Where data lies, and the list that says so. */
struct place {
	uint32_t offset; /* in the first of the pages */
	uint32_t list;   /* where the list begins in its first page */
};
/* Pages that lie apart, and three for lists. */
extern uint8_t *scatter[SCATTER_PAGES], *list_pages;
void data_begin(void);
/* PRPs of `bytes` there. */
void place_prps(struct nvme_command *command, const struct place *place, uint32_t bytes);
/* Between there and memory that lies together. */
void place_copy(const struct place *place, uint8_t *memory, uint32_t bytes, bool out);

struct nvme_command transfer(bool write, uint64_t lba, uint32_t blocks);
struct nvme_command with_prps(struct nvme_command command, uint64_t prp1, uint64_t prp2);
/* Fails unless it succeeds. Up to MDTS. */
void write_pattern(struct sq *sq, uint64_t lba, uint32_t blocks, uint64_t salt, const struct place *place);
void check_pattern(struct sq *sq, uint64_t lba, uint32_t blocks, uint64_t salt, const struct place *place);

/* ---- what is tried ------------------------------------------------------------------------------------------ */

/* Prints `name = status`; see above. The second does the command first. */
void report(const char *name, uint16_t status, uint16_t specified);
void ask(struct sq *sq, const char *name, struct nvme_command command, uint16_t specified);
/* A status of storage/nvme/registers.h as it is printed. */
#define S(status) ((uint16_t)(status) >> 1)

void shapes(void);
void refusals(void);
void refused_io(struct sq *sq);
void doorbells(void);
void life(void);
/* random.c: `commands` of every kind, on queues that come and go. */
void at_random(uint64_t commands);
/* random_io.c: memory for it; then a command of I/O. True where it must not succeed. */
void random_io_begin(void);
bool random_io(struct nvme_command *command);
/* An address for data or for a queue: `*bad` is set where no device may be told that one. */
uint64_t random_address(bool *bad);
bool one_in(uint64_t n);

/*
 * witness.c: transfers on the last pair of queues that must go on whatever the
 * others do: by another CPU where there is one, else a step at a time.
 */
void witness_fill(struct sq *sq);
void witness_begin(void);
void witness_step(void);
void witness_end(void);
/* Leaves in the range what the case will look for. */
void witness_leave(struct sq *sq);

#endif
