/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Doorbells that say what cannot be, and queues that are deleted with commands in
 * flight, while the witness goes on: every queue is used afterwards.
 */
#include "tests/guest/queues/queues.h"

#define EVENT_REQUEST    0x0c
#define ABORTED_DELETION 0x008 /* Command Aborted due to SQ Deletion */
#define TURNS            24u
#define EVENT_US         2000000ull

static const struct place plain;
static uint64_t salt = 7000;

/* The queue works, and so does the witness's. */
static void check(struct sq *sq)
{
	salt++;
	write_pattern(sq, scratch.first + salt % 64, 8, salt, &plain);
	check_pattern(sq, scratch.first + salt % 64, 8, salt, &plain);
	if (machine.cpus == 1)
		witness_step();
}

static void out_of_range(struct sq *sq)
{
	const uint32_t wrong[] = {sq->entries, sq->entries + 1, 0x7fff, 0xffff, 0x8000ffff, UINT32_MAX};

	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		register_write(nvme_doorbell(sq->id, false, controller.stride), wrong[i]);
		check(sq);
		register_write(nvme_doorbell(sq->id, true, controller.stride), wrong[i]);
		check(sq);
		register_write(nvme_doorbell(0, false, controller.stride), wrong[i] | 0x8000);
		register_write(nvme_doorbell(0, true, controller.stride), wrong[i] | 0x8000);
		check(sq);
	}
	print("doorbells out of range = dropped\n");
}

/* A head that is further than what was shown. A controller that believes it goes on when it hears the right one. */
static void head_too_far(struct sq *sq)
{
	for (uint32_t far = 1; far < sq->cq->entries; far++) {
		register_write(nvme_doorbell(sq->id, true, controller.stride), (sq->cq->head + far) % sq->cq->entries);
		if (!beneath())
			cq_acknowledge(sq->cq);
		check(sq);
	}
	print("heads that are too far = dropped\n");
}

/* Of queues that are not there, at odd places, of odd widths. */
static void of_nobody(struct sq *sq)
{
	for (uint32_t queue = controller.pairs + 1; queue < 80; queue += 7) {
		register_write(nvme_doorbell(queue, false, controller.stride), 1);
		register_write(nvme_doorbell(queue, true, controller.stride), 1);
	}
	for (uint32_t offset = NVME_DOORBELLS; offset < NVME_DOORBELLS + 32; offset++) {
		volatile uint8_t *at = controller.registers + offset;

		*at = 0xff;
		if (offset % 2 == 0)
			*(volatile uint16_t *)at = 0xffff;
	}
	check(sq);
	print("doorbells of nobody = dropped\n");
}

/* One event request is out. "none" where the controller tells of no event. */
static void told_by_event(struct sq *sq)
{
	struct nvme_completion answer;

	if (!sq_put(&sqs[0], &(struct nvme_command){.opcode = EVENT_REQUEST, .cid = 0x9999}))
		guest_fail("the admin queue is full");
	sq_ring(&sqs[0]);
	register_write(nvme_doorbell(sq->id, false, controller.stride), 0xffff);
	check(sq);
	if (!WAIT_UNTIL(cq_there(&cqs[0]), EVENT_US)) {
		print("event of a doorbell out of range = none\n");
		return;
	}
	if (!cq_next(&cqs[0], &answer) || answer.cid != 0x9999 || STATUS(answer))
		guest_fail("an event request is answered as %x, status %x", answer.cid, STATUS(answer));
	cq_acknowledge(&cqs[0]);
	print("event of a doorbell out of range = %x\n", answer.result);
}

/*
 * Those that have not been completed are gone with their queue: their completions
 * are there before the deletion's, or never come.
 */
static void delete_in_flight(uint32_t turn)
{
	const uint32_t count = 1 + turn % 15, blocks = 1 + (turn * 37) % 128;
	struct sq *sq = &sqs[1];
	uint32_t answered = 0;
	uint16_t status;

	cq_make(&cqs[1], 16 + turn, turn & 1 ? INTERRUPTS(1) : 0);
	sq_make(sq, 16, &cqs[1], 0);
	for (uint32_t i = 0; i < count; i++) {
		struct nvme_command command = transfer(false, scratch.first + i * blocks, blocks);

		place_prps(&command, &plain, blocks * BLOCK);
		command.cid = (uint16_t)i;
		if (!sq_put(sq, &command))
			guest_fail("the queue is full");
	}
	sq_ring(sq);
	status = admin(&(struct nvme_command){.opcode = NVME_DELETE_CQ, .cdw10 = 1}, NULL);
	if (status != S(NVME_INVALID_QUEUE_DELETION))
		guest_fail("deletion of a completion queue that is in use: status %x", status);
	status = admin(&(struct nvme_command){.opcode = NVME_DELETE_SQ, .cdw10 = 1}, NULL);
	if (status)
		guest_fail("deletion with %u commands in flight: status %x", count, status);
	while (cq_there(&cqs[1])) {
		struct nvme_completion answer;

		cq_next(&cqs[1], &answer);
		cq_acknowledge(&cqs[1]);
		if (answer.cid >= count || (STATUS(answer) && STATUS(answer) != ABORTED_DELETION))
			guest_fail("an answer of a deleted queue: command %x, status %x", answer.cid, STATUS(answer));
		answered++;
	}
	if (answered > count)
		guest_fail("%u of %u commands are answered", answered, count);
	sq->made = false;
	cq_delete(&cqs[1]);
	/* In the same place, of the same number: nothing of the other's comes out of it. */
	cq_make(&cqs[1], 8, 0);
	sq_make(sq, 8, &cqs[1], 0);
	check(sq);
	sq_delete(sq);
	cq_delete(&cqs[1]);
}

void doorbells(void)
{
	unsigned last = controller.pairs;

	cq_make(&cqs[last], 16, 0);
	sq_make(&sqs[last], 16, &cqs[last], 0);
	witness_fill(&sqs[last]);
	witness_begin();
	cq_make(&cqs[1], 11, 0);
	sq_make(&sqs[1], 13, &cqs[1], 0);
	out_of_range(&sqs[1]);
	head_too_far(&sqs[1]);
	of_nobody(&sqs[1]);
	told_by_event(&sqs[1]);
	sq_delete(&sqs[1]);
	cq_delete(&cqs[1]);
	for (uint32_t turn = 0; turn < TURNS; turn++)
		delete_in_flight(turn);
	print("deletions in flight = %u\n", TURNS);
	witness_end();
	controller_restart();
}
