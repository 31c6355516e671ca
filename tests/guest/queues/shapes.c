/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is legal: queues of every size, several that share one, in every way to hear
 * of completions, and data that lies in every way. What is written through one
 * shape is read through another.
 */
#include "tests/guest/queues/queues.h"

#define SET_ARBITRATION   0x01
#define FEATURE_NOT_CHANGEABLE 0x10e
#define IDENTIFY_CONTROLLER 1
#define OACS_DOORBELLS    0x100u
#define DOORBELL_CONFIG   0x7c
#define MOST_BLOCKS       1024u /* of one transfer: MDTS 7 */

static const struct place plain;
static uint8_t *buffer; /* a block for each entry of a queue */
static uint64_t salt;

static uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* As many single blocks at once as the queue takes; each is answered once. */
static void burst(struct sq *sq, bool write, uint32_t count, uint64_t with)
{
	static uint8_t answered[65536 / 8];
	struct nvme_completion answer;
	uint32_t put = 0, left = count;

	memset(answered, 0, sizeof(answered));
	for (; put < count; put++) {
		struct nvme_command command = transfer(write, scratch.first + put, 1);

		command.cid = (uint16_t)put;
		command.prp1 = (uint64_t)buffer + put * BLOCK;
		if (write)
			pattern_fill(buffer + put * BLOCK, scratch.first + put, 1, with);
		if (!sq_put(sq, &command))
			guest_fail("queue %u of %u is full at %u", sq->id, sq->entries, put);
	}
	sq_ring(sq);
	for (; left; left--) {
		if (!cq_next(sq->cq, &answer))
			guest_fail("%u of %u commands in a queue of %u, completions of %u: no answer", left, count, sq->entries,
				   sq->cq->entries);
		if (answer.sq_id != sq->id || STATUS(answer) || answer.cid >= count || answered[answer.cid / 8] >> answer.cid % 8 & 1)
			guest_fail("an answer of queue %u, command %u, status %x", answer.sq_id, answer.cid, STATUS(answer));
		answered[answer.cid / 8] |= (uint8_t)(1u << answer.cid % 8);
		cq_acknowledge(sq->cq);
	}
	for (put = 0; put < count; put++)
		if (!pattern_is(buffer + put * BLOCK, scratch.first + put, 1, with))
			guest_fail("block %u through a queue of %u: other data", put, sq->entries);
}

/* Written through the first, read through the second, round and round. */
static void write_and_read(struct sq *writer, struct sq *reader, uint32_t rounds)
{
	uint32_t count = least(writer->entries, reader->entries) - 1;

	for (uint32_t round = 0; round < rounds; round++) {
		for (uint32_t turn = 0; turn < 2; turn++, salt++) {
			burst(turn ? reader : writer, true, count, salt);
			memset(buffer, 0, count * BLOCK);
			burst(turn ? writer : reader, false, count, salt);
		}
	}
}

static void make_pair(unsigned pair, uint32_t sq_entries, uint32_t cq_entries, uint32_t cdw11)
{
	cq_make(&cqs[pair], cq_entries, cdw11);
	sq_make(&sqs[pair], sq_entries, &cqs[pair], 0);
}

static void delete_pair(unsigned pair)
{
	sq_delete(&sqs[pair]);
	cq_delete(&cqs[pair]);
}

/* Deleted and made again with the next size, under the same numbers and in the same memory. */
static void sizes(void)
{
	const uint32_t most = controller.most_entries;
	const uint32_t size[][2] = {{2, 2}, {3, 2}, {2, 3}, {4, 5}, {5, 4}, {7, 7}, {8, 16}, {16, 2}, {31, 31}, {64, 64},
		{65, 3}, {100, 99}, {127, 255}, {256, 128}, {2, most}, {most, 2}, {most - 1, 17}, {most, most}};
	unsigned count = sizeof(size) / sizeof(size[0]);

	for (unsigned i = 0; i < count; i++) {
		const uint32_t *other = size[(i + 1) % count];

		make_pair(1, size[i][0], size[i][1], 0);
		make_pair(2, other[0], other[1], 0);
		write_and_read(&sqs[1], &sqs[2], size[i][0] < 64 ? 6 : 1);
		delete_pair(2);
		delete_pair(1);
	}
	print("sizes = %u\n", count);
}

/* Every submission queue completes in the one completion queue, with each priority. */
static void shared(void)
{
	struct nvme_completion answer;
	uint32_t turns = 20;

	cq_make(&cqs[1], 5, 0);
	for (unsigned id = 1; id <= controller.pairs; id++)
		sq_make(&sqs[id], 3 + id, &cqs[1], (id & 3) << 1);
	for (uint32_t turn = 0; turn < turns; turn++) {
		uint32_t put = 0;

		for (unsigned id = 1; id <= controller.pairs; id++)
			for (unsigned i = 0; i < 2; i++, put++) {
				struct nvme_command command = transfer(turn & 1, scratch.first + id, 1);

				command.cid = (uint16_t)(id << 8 | i);
				command.prp1 = (uint64_t)buffer + put * BLOCK;
				pattern_fill(buffer + put * BLOCK, scratch.first + id, 1, turn);
				if (!sq_put(&sqs[id], &command))
					guest_fail("queue %u is full", id);
			}
		for (unsigned id = controller.pairs; id; id--)
			sq_ring(&sqs[id]);
		for (; put; put--) {
			if (!cq_next(&cqs[1], &answer))
				guest_fail("%u commands of queues that share one: no answer", put);
			if (STATUS(answer) || answer.cid >> 8 != answer.sq_id)
				guest_fail("an answer of queue %u, command %x, status %x", answer.sq_id, answer.cid, STATUS(answer));
			cq_acknowledge(&cqs[1]);
		}
	}
	for (unsigned id = 1; id <= controller.pairs; id++)
		check_pattern(&sqs[id], scratch.first + id, 1, turns - 1, &plain);
	/* One goes, the others stay; it comes again with another size. */
	sq_delete(&sqs[1]);
	check_pattern(&sqs[2], scratch.first + 2, 1, turns - 1, &plain);
	sq_make(&sqs[1], 9, &cqs[1], 0);
	check_pattern(&sqs[1], scratch.first + 1, 1, turns - 1, &plain);
	for (unsigned id = 1; id <= controller.pairs; id++)
		sq_delete(&sqs[id]);
	cq_delete(&cqs[1]);
	print("shared = %u\n", controller.pairs);
}

/* Burst, and weights of the priorities: what was set is what is read, where it can be set. */
static void arbitration(void)
{
	static const uint32_t values[] = {0x00000000, 0x00000007, 0x0a050203, 0xffffff01, 0x00000000};

	for (unsigned i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		struct nvme_command set = {.opcode = NVME_SET_FEATURES, .cdw10 = SET_ARBITRATION, .cdw11 = values[i]};
		struct nvme_command get = {.opcode = NVME_GET_FEATURES, .cdw10 = SET_ARBITRATION};
		uint32_t result = 0;
		uint16_t status = admin(&set, NULL);

		if ((status && status != FEATURE_NOT_CHANGEABLE) || admin(&get, &result) || (!status && result != values[i]))
			guest_fail("arbitration %x: status %x, then %x", values[i], status, result);
		print("arbitration %x = %x, status %x\n", values[i], result, status);
		make_pair(1, 8, 8, 0);
		make_pair(2, 8, 8, 0);
		write_and_read(&sqs[1], &sqs[2], 1);
		delete_pair(1);
		delete_pair(2);
	}
}

/* A command after the other, whose end is heard of in one way. */
static void hear(const char *how, bool messages, uint32_t cdw11, enum waiting waiting)
{
	uint16_t vector = (uint16_t)(cdw11 >> 16);
	volatile uint64_t *count = &this_cpu()->count[MESSAGE_VECTOR + vector];

	if (messages != controller.messages) {
		controller_messages(messages);
		controller_restart();
	}
	make_pair(1, 4, 4, cdw11);
	make_pair(2, 17, 17, 0);
	controller.waiting = waiting;
	for (uint32_t i = 0; i < 24; i++) {
		uint64_t seen = *count;

		write_pattern(&sqs[1], scratch.first + i, 1 + i, salt + i, &plain);
		check_pattern(&sqs[1], scratch.first + i, 1 + i, salt + i, &plain);
		if (waiting == WAIT_HALT && !WAIT_UNTIL((interrupts_let_in(), *count > seen), ANSWER_US))
			guest_fail("%s: no interrupt at the %uth command", how, i);
	}
	write_and_read(&sqs[1], &sqs[2], 3);
	controller.waiting = WAIT_OPEN;
	interrupts_let_in();
	print("heard by %s = yes\n", how);
	delete_pair(1);
	delete_pair(2);
	salt += 24;
}

static void ways_to_hear(void)
{
	hear("looking", true, 0, WAIT_OPEN);
	hear("looking, interrupts off", true, 0, WAIT_CLOSED);
	hear("message 1", true, INTERRUPTS(1), WAIT_HALT);
	hear("message 0", true, INTERRUPTS(0), WAIT_HALT);
	hear("message 7, looking", true, INTERRUPTS(7), WAIT_OPEN);
	hear("message 3, interrupts off", true, INTERRUPTS(3), WAIT_CLOSED);
	hear("pin, looking", false, INTERRUPTS(0), WAIT_OPEN);
	hear("no message, looking", false, 0, WAIT_OPEN);
	controller_messages(true);
	controller_restart();
}

/* One page, two, a list; lists that begin where few entries are left, and those that end with their page. */
static void places(void)
{
	static const struct {
		uint32_t blocks, offset, list;
	} at[] = {
		{1, 0, 0}, {1, 4, 0}, {1, 508, 0}, {1, PAGE - 512, 0}, {1, PAGE - 508, 0}, {1, PAGE - 4, 0}, {8, 0, 0}, {8, 4, 0},
		{8, PAGE - 4, 0}, {9, 0, 0}, {15, 512, 0}, {16, 0, 0}, {16, 4, 0}, {16, 4, 8}, {16, 4, PAGE - 16},
		{16, 4, PAGE - 8}, {17, 0, 0}, {17, 0, PAGE - 16}, {17, 0, PAGE - 8}, {17, PAGE - 4, 4 * 8}, {24, 2048, PAGE - 24},
		{33, 12, PAGE - 8}, {128, 0, PAGE - 15 * 8}, {128, 0, PAGE - 14 * 8}, {255, 260, 2048}, {1000, 100, PAGE - 64 * 8},
		{MOST_BLOCKS, 0, 0}, {MOST_BLOCKS, 4, 0}, {MOST_BLOCKS, PAGE - 4, PAGE - 8}, {MOST_BLOCKS, 0, PAGE - 127 * 8},
	};
	const unsigned count = sizeof(at) / sizeof(at[0]);

	make_pair(1, 2, 2, 0);
	make_pair(2, 33, 7, 0);
	for (unsigned i = 0; i < count; i++) {
		const struct place place = {at[i].offset, at[i].list}, other = {at[count - 1 - i].offset, at[count - 1 - i].list};

		salt++;
		write_pattern(&sqs[1], scratch.first + i, at[i].blocks, salt, &place);
		check_pattern(&sqs[2], scratch.first + i, at[i].blocks, salt, &other);
		write_pattern(&sqs[2], scratch.first + i, at[i].blocks, salt + 1000, &plain);
		check_pattern(&sqs[1], scratch.first + i, at[i].blocks, salt + 1000, &place);
	}
	delete_pair(1);
	delete_pair(2);
	print("places = %u\n", count);
}

static void admin_queues(void)
{
	static const uint32_t size[][2] = {{2, 2}, {2, 4096}, {4096, 2}, {3, 17}, {64, 5}, {4096, 4096}};
	uint8_t *data = take_memory(PAGE, PAGE);

	for (unsigned i = 0; i < sizeof(size) / sizeof(size[0]); i++) {
		uint32_t csts;

		if (!controller_disable())
			guest_fail("the controller does not stop");
		csts = controller_enable(CC_ENABLE, size[i][0], size[i][1]);
		if ((csts & 3) != NVME_CSTS_RDY)
			guest_fail("admin queues of %u and %u: CSTS %x", size[i][0], size[i][1], csts);
		for (unsigned turn = 0; turn < 150; turn++) {
			struct nvme_command command = {.opcode = NVME_IDENTIFY_OPCODE, .cdw10 = IDENTIFY_CONTROLLER};

			command.prp1 = (uint64_t)data;
			data[4] = 0;
			if (admin(&command, NULL) || !data[4])
				guest_fail("Identify in admin queues of %u and %u", size[i][0], size[i][1]);
		}
	}
	print("admin queues = %u\n", (unsigned)(sizeof(size) / sizeof(size[0])));
	controller_restart();
}

/* Doorbells in memory: rung there, and in the register when the controller asks for that. */
static void doorbells_in_memory(void)
{
	struct nvme_command identify = {.opcode = NVME_IDENTIFY_OPCODE, .cdw10 = IDENTIFY_CONTROLLER};
	struct nvme_command config = {.opcode = DOORBELL_CONFIG};
	uint8_t *data = take_memory(PAGE, PAGE);
	uint32_t *pages = take_memory(2 * PAGE, PAGE);

	identify.prp1 = (uint64_t)data;
	if (admin(&identify, NULL))
		guest_fail("Identify Controller");
	if (!((data[256] | (uint32_t)data[257] << 8) & OACS_DOORBELLS)) {
		print("doorbells in memory = none\n");
		return;
	}
	for (unsigned entries = 2; entries < 80; entries += 13) {
		memset(pages, 0, 2 * PAGE);
		config.prp1 = (uint64_t)pages;
		config.prp2 = (uint64_t)pages + PAGE;
		if (admin(&config, NULL))
			guest_fail("Doorbell Buffer Config");
		controller.doorbells = pages;
		controller.events = pages + PAGE / 4;
		make_pair(1, entries, entries + 3, INTERRUPTS(1));
		make_pair(2, entries + 1, 4, INTERRUPTS(2));
		write_and_read(&sqs[1], &sqs[2], 4);
		controller_restart();
	}
	print("doorbells in memory = used\n");
}

void shapes(void)
{
	buffer = take_memory(controller.most_entries * BLOCK, PAGE);
	sizes();
	shared();
	arbitration();
	ways_to_hear();
	places();
	admin_queues();
	doorbells_in_memory();
}
