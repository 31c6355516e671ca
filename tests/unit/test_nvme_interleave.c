/* SPDX-License-Identifier: Apache-2.0 */
/* Every interleaving around the NVMe mediator, for the ways in which a guest may drive a controller. */
#include "tests/model/nvme_interleave/interleave.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static void explore_all(const struct interleave_variant *variants, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		struct interleave_result result = nvme_interleave(&variants[i]);

		printf("%-44s %6llu states, %7llu transitions\n", variants[i].name, (unsigned long long)result.states,
			(unsigned long long)result.transitions);
		fflush(stdout);
		if (result.failure)
			fail_msg("%s: %s", variants[i].name, result.failure);
	}
}

static void test_messages(void **state)
{
	static const struct interleave_variant variants[] = {
		{.name = "messages", .commands = 3, .queues = 1, .in_order = true},
		{.name = "messages, acknowledged late", .commands = 2, .queues = 1, .late = true},
		{.name = "messages to the submitter's CPU", .commands = 2, .queues = 1, .same_cpu = true},
		{.name = "together, messages", .commands = 3, .queues = 1, .first = 3},
		{.name = "one after the other, messages", .commands = 3, .queues = 1, .serial = true},
		{.name = "threaded, messages", .commands = 2, .queues = 1, .threaded = true},
		{.name = "two queues of one vector", .commands = 2, .queues = 2, .driver = {.vectors = 1}},
		{.name = "two queues, a vector each", .commands = 2, .queues = 2},
		{.name = "coalesced messages", .commands = 2, .queues = 1, .coalesce = 2},
		{.name = "the vector moves", .commands = 2, .queues = 1, .in_order = true, .moves = true},
		{.name = "it moves away from the submitter's CPU",
			.commands = 2,
			.queues = 1,
			.moves = true,
			.same_cpu = true},
	};

	(void)state;
	explore_all(variants, sizeof(variants) / sizeof(variants[0]));
}

/* The mediator looks twice whether the command is done before it goes back to the guest. */
static void test_lingering(void **state)
{
	static const struct interleave_variant variants[] = {
		{.name = "lingering", .commands = 3, .queues = 1, .in_order = true, .leisure = 2},
		{.name = "lingering, one CPU", .commands = 2, .queues = 1, .same_cpu = true, .leisure = 2},
		{.name = "lingering, two queues of one vector",
			.commands = 2,
			.queues = 2,
			.leisure = 2,
			.driver = {.vectors = 1}},
		{.name = "lingering, acknowledged late", .commands = 2, .queues = 1, .late = true, .leisure = 2},
		{.name = "lingering, doorbells in memory",
			.commands = 2,
			.queues = 1,
			.leisure = 2,
			.driver = {.doorbells = DRIVER_MEMORY}},
		{.name = "lingering beside a poller", .commands = 2, .queues = 1, .poller = true, .leisure = 2},
		{.name = "lingering while the vector moves",
			.commands = 2,
			.queues = 1,
			.in_order = true,
			.moves = true,
			.leisure = 2},
	};

	(void)state;
	explore_all(variants, sizeof(variants) / sizeof(variants[0]));
}

static void test_pin(void **state)
{
	static const struct interleave_variant variants[] = {
		{.name = "pin", .commands = 3, .queues = 1, .pin = true},
		{.name = "pin, acknowledged late", .commands = 3, .queues = 1, .pin = true, .late = true},
		{.name = "pin, threaded", .commands = 3, .queues = 1, .pin = true, .threaded = true},
		{.name = "pin, two queues", .commands = 3, .queues = 2, .pin = true, .late = true},
		{.name = "pin, doorbells in memory",
			.commands = 3,
			.queues = 1,
			.pin = true,
			.late = true,
			.driver = {.doorbells = DRIVER_MEMORY}},
	};

	(void)state;
	explore_all(variants, sizeof(variants) / sizeof(variants[0]));
}

static void test_pollers(void **state)
{
	static const struct interleave_variant variants[] = {
		{.name = "polled", .commands = 3, .queues = 1, .poller = true, .driver = {.polling = true}},
		{.name = "polled, together",
			.commands = 3,
			.queues = 1,
			.poller = true,
			.first = 3,
			.driver = {.polling = true}},
		{.name = "polled, doorbells in memory",
			.commands = 3,
			.queues = 1,
			.poller = true,
			.driver = {.polling = true, .doorbells = DRIVER_MEMORY}},
		{.name = "polled beside a handler", .commands = 2, .queues = 1, .poller = true},
		{.name = "polled with interrupts off",
			.commands = 3,
			.queues = 1,
			.poller = true,
			.same_cpu = true,
			.deaf = true},
		{.name = "polled with interrupts off, together",
			.commands = 3,
			.queues = 1,
			.poller = true,
			.same_cpu = true,
			.deaf = true,
			.first = 3,
			.driver = {.doorbells = DRIVER_MEMORY}},
		{.name = "polled, and not waited for",
			.commands = 3,
			.queues = 1,
			.poller = true,
			.impatient = true,
			.driver = {.polling = true}},
	};

	(void)state;
	explore_all(variants, sizeof(variants) / sizeof(variants[0]));
}

/* With four in flight the guest need not ring. */
static void test_doorbells_in_memory(void **state)
{
	static const struct interleave_variant variants[] = {
		{.name = "doorbells in memory",
			.commands = 2,
			.queues = 1,
			.driver = {.doorbells = DRIVER_MEMORY}},
		{.name = "doorbells in memory, polled beside a handler",
			.commands = 2,
			.queues = 1,
			.poller = true,
			.twice = true,
			.driver = {.doorbells = DRIVER_MEMORY}},
		{.name = "doorbells in memory, one CPU",
			.commands = 2,
			.queues = 1,
			.same_cpu = true,
			.driver = {.doorbells = DRIVER_MEMORY}},
		{.name = "doorbells in memory, five commands",
			.commands = 5,
			.first = 4,
			.queues = 1,
			.late = true,
			.in_order = true,
			.calm = true,
			.driver = {.doorbells = DRIVER_MEMORY}},
	};

	(void)state;
	explore_all(variants, sizeof(variants) / sizeof(variants[0]));
}

/* Queues share one for completions that has not room for all of them. */
static void test_full_queue(void **state)
{
	static const struct interleave_variant variants[] = {
		{.name = "a full completion queue",
			.commands = 2,
			.queues = 2,
			.driver = {.completion = 1, .completion_entries = 2}},
		{.name = "a full completion queue, pin",
			.commands = 3,
			.queues = 2,
			.pin = true,
			.late = true,
			.driver = {.completion = 1, .completion_entries = 2}},
		{.name = "a full completion queue, doorbells in memory, polled",
			.commands = 2,
			.queues = 2,
			.poller = true,
			.twice = true,
			.driver = {.completion = 1, .completion_entries = 2, .doorbells = DRIVER_MEMORY}},
		{.name = "a full completion queue, doorbells in memory",
			.commands = 2,
			.queues = 2,
			.driver = {.completion = 1, .completion_entries = 2, .doorbells = DRIVER_MEMORY}},
	};

	(void)state;
	explore_all(variants, sizeof(variants) / sizeof(variants[0]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_messages),
		cmocka_unit_test(test_lingering),
		cmocka_unit_test(test_pin),
		cmocka_unit_test(test_pollers),
		cmocka_unit_test(test_doorbells_in_memory),
		cmocka_unit_test(test_full_queue),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
