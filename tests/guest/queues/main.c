/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/guest/queues/queues.h"
#include "tests/guest/lib/lapic.h"

#define IDENTIFY_NAMESPACE 0

void report(const char *name, uint16_t status, uint16_t specified)
{
	if (status == specified)
		print("%s = %x\n", name, status);
	else if (status == NO_ANSWER)
		print("%s = no answer not %x\n", name, specified);
	else
		print("%s = %x not %x\n", name, status, specified);
}

void ask(struct sq *sq, const char *name, struct nvme_command command, uint16_t specified)
{
	report(name, command_do(sq, &command, NULL), specified);
}

/* A mediator passes a namespace on when it knows its format: every system identifies it first. */
static void identify(void)
{
	struct nvme_command command = {.opcode = NVME_IDENTIFY_OPCODE, .nsid = NAMESPACE, .cdw10 = IDENTIFY_NAMESPACE};
	uint8_t *data = take_memory(PAGE, PAGE);
	uint16_t status;

	command.prp1 = (uint64_t)data;
	status = admin(&command, NULL);
	if (status)
		guest_fail("Identify Namespace: status %x", status);
	memcpy(&controller.blocks, data, 8);
	if (scratch.first + scratch.blocks > controller.blocks || 1u << data[128 + 4 * (data[26] & 0xf) + 2] != BLOCK)
		guest_fail("the namespace has %lu blocks, or they are not of %u bytes", controller.blocks, BLOCK);
	print("pairs = %u\nentries = %u\nblocks = %lu\n", controller.pairs, controller.most_entries, controller.blocks);
}

static bool wanted(const char *part)
{
	const char *only = option("only");

	return !only || !strcmp(only, part);
}

static void took(const char *what, uint64_t *since)
{
	uint64_t now = time_us();

	print("took: %s %lu ms\n", what, (now - *since) / 1000);
	*since = now;
}

/* The last part leaves in the witness's range what the case knows. */
void guest_main(void)
{
	uint64_t since;

	print("cpus = %u\nbeneath = %u\n", machine.cpus, beneath());
	random_begin();
	lapic_begin();
	tick_begin();
	cpus_start();
	controller_find();
	queues_begin();
	data_begin();
	controller_messages(true);
	controller_restart();
	identify();
	since = time_us();
	if (wanted("shapes")) {
		shapes();
		took("shapes", &since);
	}
	if (wanted("refusals")) {
		refusals();
		took("refusals", &since);
	}
	if (wanted("doorbells")) {
		doorbells();
		took("doorbells", &since);
	}
	if (wanted("life")) {
		life();
		took("life", &since);
	}
	if (wanted("random") && option_number("commands", 0)) {
		at_random(option_number("commands", 0));
		took("random", &since);
	}
	controller_restart();
	cq_make(&cqs[1], 64, 0);
	sq_make(&sqs[1], 64, &cqs[1], 0);
	witness_leave(&sqs[1]);
	guest_end(true);
}
