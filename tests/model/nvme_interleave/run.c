/* SPDX-License-Identifier: Apache-2.0 */
/* What must hold in every state; one system, explored. */
#include "tests/model/nvme_interleave/internal.h"
#include <string.h>

#define MOST_STATES 400000

static bool quiet(void)
{
	for (unsigned i = 0; i < ACTORS; i++)
		if (actor_enabled(i))
			return false;
	return !controller_pin(&interleave.f.m.controller);
}

static bool goal(void *context)
{
	(void)context;
	return interleave_all_done() && quiet() && !nvme_machine_watched(&interleave.f.m);
}

/* Interrupts and CPUs go on, without the device. */
static void go_on(void)
{
	bool any = true;

	for (unsigned turn = 0; turn < 200 && any && !interleave.wrong; turn++) {
		any = interleave_outside_step(ELAPSE);
		for (unsigned i = 0; i < VECTORS * NVME_MACHINE_CPUS && !interleave_pin_is_masked(); i++)
			any |= interleave_outside_step(ARRIVE + i);
		for (unsigned i = 0; i < ACTORS; i++) {
			any |= actor_enabled(i);
			if (actor_enabled(i))
				actor_step(i);
		}
	}
}

/* Entries that the device has posted and the mediator has not taken, though the guest has taken all it was shown. */
static bool something_waits(void)
{
	for (unsigned i = 1; i <= interleave.f.d.completion; i++) {
		const struct nvme_cq *cq = &interleave.f.m.nvme->cq[i];

		if ((cq->completions[cq->device_head].status & 1) == cq->device_phase)
			return true;
	}
	return false;
}

/* What the device had ended before they went on must have been found. */
static const char *check(void *context)
{
	const struct controller *c = &interleave.f.m.controller;
	unsigned under_way = 0, waiting = 0;

	(void)context;
	interleave.injecting = false;
	go_on();
	if (something_waits())
		interleave.wrong = "the device has completed a command and nobody finds it";
	interleave_device_fetches();
	for (unsigned i = 0; i < CONTROLLER_COMMANDS; i++)
		under_way += c->command[i].stage != CONTROLLER_FREE;
	for (unsigned i = 0; i < interleave.variant->commands; i++)
		waiting += interleave_request(i)->active;
	if (!interleave.wrong && !under_way && waiting)
		interleave.wrong = "a command is not with the device any more, or never was, and the guest waits for it";
	if (interleave.f.m.bus.faults)
		interleave.wrong = interleave.f.m.bus.fault;
	return interleave.wrong;
}

static void add(struct explore *e, void *memory, size_t bytes)
{
	e->region[e->regions].memory = memory;
	e->region[e->regions++].bytes = bytes;
}

/* What a few commands change; the rest of the arena is compared at the end. */
static void add_queue(struct explore *e, unsigned id)
{
	const struct nvme *nvme = interleave.f.m.nvme;

	add(e, nvme->sq[id].commands, 1024);
	add(e, nvme->sq[id].slot, 2048);
	add(e, nvme->cq[id].completions, 512);
}

static bool set_coalescing(void)
{
	struct nvme_command command = {.opcode = 9, .cdw10 = 8, .cdw11 = interleave.variant->coalesce - 1};

	return !interleave.variant->coalesce || !driver_do(&interleave.f.d, 0, &command, NULL);
}

struct interleave_result nvme_interleave(const struct interleave_variant *variant)
{
	const struct nvme_machine_options options = {.sectors = 1024,
		.cipher_a = 4096,
		.ram_bytes = 4u << 20,
		.io_queues = variant->queues,
		.pin = variant->pin};
	struct explore e = {.step = interleave_step, .check = check, .goal = goal, .name = interleave_name};
	struct driver_options driver = variant->driver;

	memset(&interleave, 0, sizeof(interleave));
	interleave.variant = variant;
	driver.queues = variant->queues;
	driver.entries = driver.entries ? driver.entries : 8;
	if (!nvme_fixture_start(&interleave.f, &options, &driver) || !set_coalescing())
		return (struct interleave_result){.failure = "the driver does not begin"};
	for (unsigned i = 0; i < CONTROLLER_VECTORS; i++)
		interleave.f.m.affinity[i] = interleave.f.m.routed[i] = variant->same_cpu ? 2 : 1;
	interleave.f.m.cpu[SUBMITTER].masked = variant->deaf;
	interleave.f.m.patience = variant->impatient ? 0 : interleave.f.m.patience;
	interleave.f.m.leisure = variant->leisure;
	interleave_forget_counters();
	add(&e, &interleave.f.m, sizeof(interleave.f.m));
	add(&e, interleave.f.d.sq, sizeof(interleave.f.d.sq));
	add(&e, interleave.f.d.cq, sizeof(interleave.f.d.cq));
	for (unsigned i = 1; i <= variant->queues; i++)
		add(&e, interleave.f.d.request[i], 8 * sizeof(interleave.f.d.request[i][0]));
	add(&e, &interleave.cpu, sizeof(interleave.cpu));
	add(&e, interleave.f.m.nvme, offsetof(struct nvme, sq));
	add(&e, interleave.f.m.nvme->sq, (1 + variant->queues) * sizeof(struct nvme_sq));
	add(&e, interleave.f.m.nvme->cq, (1 + variant->queues) * sizeof(struct nvme_cq));
	add(&e, interleave.f.m.nvme->cpu, NVME_MACHINE_CPUS * sizeof(struct nvme_cpu));
	for (unsigned i = 1; i <= variant->queues; i++)
		add_queue(&e, i);
	add(&e, interleave.f.memory, MAX_COMMANDS * 4096);
	add(&e, nvme_machine_pointer(&interleave.f.m, interleave.f.d.sq[1].memory),
		interleave.f.d.doorbells - interleave.f.d.sq[1].memory + 2 * 4096);
	explore_run(&e, MOST_STATES);
	nvme_machine_free(&interleave.f.m);
	return (struct interleave_result){e.states, e.edges, e.failure};
}
