/* SPDX-License-Identifier: Apache-2.0 */
/* What the device does. */
#include "tests/model/nvme_interleave/internal.h"

struct interleave_system interleave;

unsigned interleave_queue_of(unsigned command)
{
	return 1 + command % interleave.variant->queues;
}

struct driver_request *interleave_request(unsigned command)
{
	return &interleave.f.d.request[interleave_queue_of(command)][command];
}

void interleave_device_fetches(void)
{
	for (unsigned queue = 1; queue <= interleave.variant->queues; queue++)
		while (controller_fetch(&interleave.f.m.controller, queue) >= 0)
			;
}

/* Of one queue: the guest's page tells which command it is. */
static bool earlier(const struct controller_command *a, const struct controller_command *b)
{
	return a->command.prp1 < b->command.prp1;
}

bool interleave_device_completes(unsigned place)
{
	const struct controller_command *command = &interleave.f.m.controller.command[place];

	interleave_device_fetches();
	for (unsigned i = 0; interleave.variant->in_order && i < CONTROLLER_COMMANDS; i++)
		if (interleave.f.m.controller.command[i].stage != CONTROLLER_FREE && earlier(&interleave.f.m.controller.command[i], command))
			return false;
	return command->stage != CONTROLLER_FREE && controller_post(&interleave.f.m.controller, place);
}

bool interleave_something_is_held(void)
{
	for (unsigned i = 0; i < VECTORS; i++)
		if (interleave.f.m.controller.held[i])
			return true;
	return false;
}
