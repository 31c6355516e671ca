/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Admin commands and I/O at random, on queues that come and go, while the witness
 * goes on. Every command is answered that is not deleted with its queue, what must
 * fail fails, and queues are there when they should be.
 */
#include "tests/guest/queues/queues.h"

#define DEPTH         40u    /* of commands that are out in one queue */
#define IDENTIFIERS   0xa000 /* of event requests, from here on */
#define EVENT_REQUEST 0x0c
#define CONFIGURE     0x7c
#define WITNESS_EVERY 4u

static struct out {
	uint32_t count;
	struct {
		uint16_t cid;
		bool must_fail;
		struct nvme_command what;
	} command[DEPTH];
} outs[PAIRS + 1];

static uint64_t done, answered[2]; /* well, or not */
static uint16_t next_identifier;
static uint32_t events; /* requests that were sent, and may be answered */

/* One admin command; the answers of event requests come when they like. */
static uint16_t do_admin(struct nvme_command *command)
{
	struct nvme_completion answer;

	command->cid = next_identifier++ % IDENTIFIERS;
	if (!sq_put(&sqs[0], command))
		guest_fail("the admin queue is full");
	sq_ring(&sqs[0]);
	done++;
	for (;;) {
		if (!cq_next(&cqs[0], &answer))
			guest_fail("admin command %x, CDW10 %x, CDW11 %x: no answer", command->opcode, command->cdw10, command->cdw11);
		cq_acknowledge(&cqs[0]);
		if (answer.cid == command->cid)
			break;
		if (answer.cid < IDENTIFIERS || !events--)
			guest_fail("an answer of admin command %x, which is none", answer.cid);
	}
	answered[STATUS(answer) != 0]++;
	return STATUS(answer);
}

static void expect(const struct nvme_command *command, uint16_t status, bool success)
{
	if (!status != success)
		guest_fail("admin command %x, CDW10 %x, CDW11 %x, PRP1 %lx: status %x", command->opcode, command->cdw10,
			   command->cdw11, command->prp1, status);
}

/* ---- queues ------------------------------------------------------------------------------------------------ */

/* The last pair is the witness's. */
static unsigned any_pair(void)
{
	return 1 + (unsigned)random_below(controller.pairs - 1);
}

static uint32_t any_size(void)
{
	return one_in(8) ? controller.most_entries : 2 + (uint32_t)random_below(one_in(2) ? 6 : 60);
}

/* Something that makes a creation wrong. */
static void spoil(struct nvme_command *command)
{
	bool bad = false;

	switch (random_below(6)) {
	case 0:
		command->cdw10 &= 0xffff0000;
		return;
	case 1:
		command->cdw10 |= 0x40 + (uint32_t)random_below(0xff00);
		return;
	case 2:
		command->cdw10 &= 0xffff;
		return;
	case 3:
		command->cdw10 |= 0xf0000000;
		return;
	case 4:
		while (!bad && beneath())
			command->prp1 = random_address(&bad);
		if (bad)
			return;
		break;
	}
	command->prp1 += 4 + random_below(1000) * 4;
}

static void create(void)
{
	unsigned id = any_pair(), on = any_pair();
	struct nvme_command command = {.opcode = one_in(2) ? NVME_CREATE_CQ : NVME_CREATE_SQ};
	bool cq = command.opcode == NVME_CREATE_CQ, legal = cq ? !cqs[id].made : !sqs[id].made && cqs[on].made;
	bool interrupts = one_in(2), spoiled = one_in(3);
	uint32_t entries = any_size();
	uint16_t status;

	command.cdw10 = id | (entries - 1) << 16;
	command.cdw11 = NVME_QUEUE_CONTIGUOUS;
	command.cdw11 |= cq ? interrupts ? INTERRUPTS(random_below(MESSAGES)) : 0 : on << 16 | (uint32_t)random_below(4) << 1;
	command.prp1 = cq ? (uint64_t)cqs[id].entry : (uint64_t)sqs[id].entry;
	if (spoiled)
		spoil(&command);
	if (cq && legal && !spoiled)
		cq_reset(&cqs[id], entries);
	status = do_admin(&command);
	expect(&command, status, legal && !spoiled);
	if (!cq && !status)
		sq_reset(&sqs[id], entries, &cqs[on]);
}

static bool in_use(unsigned cq)
{
	for (unsigned id = 1; id <= PAIRS; id++)
		if (sqs[id].made && sqs[id].cq == &cqs[cq])
			return true;
	return false;
}

static void answer_of(struct out *out, const struct nvme_completion *answer)
{
	uint32_t found = out->count;

	/* Of several with one identifier, one that this can be the answer of. */
	for (uint32_t i = 0; i < out->count; i++)
		if (out->command[i].cid == answer->cid &&
			(found == out->count || out->command[i].must_fail == (STATUS(*answer) != 0)))
			found = i;
	if (found == out->count)
		guest_fail("an answer of queue %u, command %x, which is none", answer->sq_id, answer->cid);
	if (!STATUS(*answer) && out->command[found].must_fail)
		guest_fail("command %x of queue %u was carried out", answer->cid, answer->sq_id);
	answered[STATUS(*answer) != 0]++;
	out->command[found] = out->command[--out->count];
}

/* Its completions are there when the deletion's is; those that are not there never come. Others may share its completion queue. */
static void drain(struct sq *sq)
{
	struct nvme_completion answer;

	while (cq_there(sq->cq)) {
		cq_next(sq->cq, &answer);
		cq_acknowledge(sq->cq);
		answer_of(&outs[answer.sq_id], &answer);
	}
	outs[sq->id].count = 0;
}

static void delete(void)
{
	unsigned id = one_in(6) ? controller.pairs + 1 + (unsigned)random_below(0x8000) : one_in(8) ? 0 : any_pair();
	struct nvme_command command = {.opcode = one_in(2) ? NVME_DELETE_CQ : NVME_DELETE_SQ, .cdw10 = id};
	bool known = id && id < controller.pairs, cq = command.opcode == NVME_DELETE_CQ;
	bool legal = known && (cq ? cqs[id].made && !in_use(id) : sqs[id].made);

	expect(&command, do_admin(&command), legal);
	if (legal && cq)
		cqs[id].made = false;
	if (legal && !cq) {
		drain(&sqs[id]);
		sqs[id].made = false;
	}
}

/* ---- other admin commands ------------------------------------------------------------------------------------ */

static bool is_left_out(const struct nvme_command *command)
{
	uint8_t opcode = command->opcode;

	/* Queues have their own steps; doorbells in memory would be the witness's too; its commands are not aborted. */
	if (opcode == NVME_DELETE_SQ || opcode == NVME_CREATE_SQ || opcode == NVME_DELETE_CQ || opcode == NVME_CREATE_CQ ||
		opcode == CONFIGURE || opcode == EVENT_REQUEST)
		return true;
	return opcode == 0x08 && (command->cdw10 & 0xffff) == controller.pairs;
}

static void other(void)
{
	static const uint8_t common[] = {0x02, 0x06, 0x06, 0x08, 0x09, 0x0a, 0x0a, 0x14, 0x18};
	struct nvme_command command = {.opcode = common[random_below(sizeof(common))], .nsid = one_in(2) ? NAMESPACE : 0};
	bool bad = false;

	if (one_in(4))
		command.opcode = (uint8_t)random_next();
	if (!beneath() && command.opcode >= 0x80)
		return;
	command.cdw10 = one_in(4) ? (uint32_t)random_next() : (uint32_t)random_below(0x20) | (uint32_t)random_below(0x80) << 16;
	command.cdw11 = one_in(2) ? (uint32_t)random_next() : (uint32_t)random_below(4);
	if (one_in(4))
		command.nsid = (uint32_t)random_next();
	if (one_in(16))
		command.flags = (uint8_t)random_next();
	command.prp1 = random_address(&bad);
	command.prp2 = random_address(&bad);
	/* As much as two pages and no list: what stands there is read as one. */
	if (command.opcode == NVME_GET_LOG_PAGE)
		command.cdw10 &= 0x03ffffff;
	if (command.opcode == NVME_GET_LOG_PAGE)
		command.cdw11 &= 0xffff0000;
	if (!is_left_out(&command))
		do_admin(&command);
}

static void ask_for_event(void)
{
	struct nvme_command command = {.opcode = EVENT_REQUEST, .cid = (uint16_t)(IDENTIFIERS + random_below(0x1000))};

	if (events > 20 || !sq_put(&sqs[0], &command))
		return;
	sq_ring(&sqs[0]);
	events++;
	done++;
}

/* ---- I/O ------------------------------------------------------------------------------------------------------- */

static void submit(struct sq *sq)
{
	struct out *out = &outs[sq->id];
	uint32_t count = 1 + (uint32_t)random_below(one_in(2) ? 4 : DEPTH);

	while (count-- && out->count < DEPTH) {
		struct nvme_command command;
		bool must_fail = random_io(&command);

		command.cid = out->count && one_in(10) ? out->command[0].cid : (uint16_t)random_next();
		if (!sq_put(sq, &command))
			break;
		out->command[out->count].cid = command.cid;
		out->command[out->count].what = command;
		out->command[out->count++].must_fail = must_fail;
		done++;
	}
	sq_ring(sq);
}

static void fail_unanswered(const struct sq *sq)
{
	const struct nvme_command *first = &outs[sq->id].command[0].what;

	guest_fail("after %lu commands, %u of queue %u (of %u, completions in %u of %u%s) are not answered: opcode %x, flags %x, "
		   "namespace %x, CDW10 %x, 11 %x, 12 %x, PRP1 %lx, PRP2 %lx", done, outs[sq->id].count, sq->id, sq->entries,
		   sq->cq->id, sq->cq->entries, sq->cq->interrupts ? " with interrupts" : "", first->opcode, first->flags, first->nsid,
		   first->cdw10, first->cdw11, first->cdw12, first->prp1, first->prp2);
}

static void collect(struct sq *sq)
{
	struct nvme_completion answer;

	while (outs[sq->id].count) {
		if (!cq_next(sq->cq, &answer))
			fail_unanswered(sq);
		cq_acknowledge(sq->cq);
		answer_of(&outs[answer.sq_id], &answer);
	}
}

/* What other queues there are, at once. */
static void transfers(void)
{
	bool abandoned = one_in(24);

	for (unsigned id = 1; id < controller.pairs; id++)
		if (sqs[id].made && !one_in(4))
			submit(&sqs[id]);
	if (abandoned)
		delete();
	for (unsigned id = 1; id < controller.pairs; id++)
		if (sqs[id].made)
			collect(&sqs[id]);
}

/* ---- doorbells and registers ------------------------------------------------------------------------------------ */

static void ring_wrongly(void)
{
	unsigned id = one_in(4) ? controller.pairs + 1 + (unsigned)random_below(60) : any_pair();
	bool completion = one_in(2), made = id < controller.pairs && (completion ? cqs[id].made : sqs[id].made);
	uint32_t entries = made ? completion ? cqs[id].entries : sqs[id].entries : 0;

	register_write(nvme_doorbell(id, completion, controller.stride),
		       entries + (uint32_t)random_below(one_in(2) ? 8 : 0xf0000000));
}

static void write_register(void)
{
	uint32_t offset = (uint32_t)random_below(NVME_DOORBELLS / 4) * 4;

	if (one_in(2))
		offset = (uint32_t)random_below(0x60 / 4) * 4;
	if (offset != NVME_CC && offset != NVME_INTMS && offset != NVME_INTMC && beneath())
		register_write(offset, (uint32_t)random_next());
}

static void step(uint64_t number)
{
	switch (random_below(16)) {
	case 0:
	case 1:
		create();
		break;
	case 2:
		if (one_in(2))
			delete();
		break;
	case 3:
	case 4:
		other();
		break;
	case 5:
		if (one_in(4))
			ask_for_event();
		break;
	case 6:
		ring_wrongly();
		write_register();
		break;
	default:
		transfers();
	}
	if (machine.cpus == 1 && number % WITNESS_EVERY == 0)
		witness_step();
}

void at_random(uint64_t commands)
{
	unsigned last = controller.pairs;

	random_io_begin();
	cq_make(&cqs[last], 16, machine.cpus > 1 ? INTERRUPTS(6) : 0);
	sq_make(&sqs[last], 16, &cqs[last], 0);
	witness_fill(&sqs[last]);
	if (machine.cpus > 1)
		controller_message_to(6, cpus[1]->apic_id);
	witness_begin();
	for (uint64_t number = 0; done < commands; number++)
		step(number);
	witness_end();
	print("random = %lu commands, %lu answered well, %lu refused\n", done, answered[0], answered[1]);
}
