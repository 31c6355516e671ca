/* SPDX-License-Identifier: Apache-2.0 */
#include "hv/core/mediator.h"
#include "hv/core/log.h"

/* Laid down by the linker script from every REGISTER_MEDIATOR. */
extern const struct mediator *const mediator_table[] __attribute__((visibility("hidden")));
extern const struct mediator *const mediator_table_end[] __attribute__((visibility("hidden")));

#define MAX_MEDIATORS 16

static const struct mediator *active[MAX_MEDIATORS];
static uint32_t active_count;

int mediators_init(const struct boot_info *info)
{
	for (const struct mediator *const *entry = mediator_table; entry < mediator_table_end; entry++) {
		const struct mediator *mediator = *entry;

		if (active_count == MAX_MEDIATORS || !mediator->match(info))
			continue;
		int error = mediator->init(info);

		if (error) {
			log_error("%s: could not take its devices over (%d)", mediator->name, error);
			mediators_shutdown();
			return error;
		}
		active[active_count++] = mediator;
	}
	return 0;
}

void mediators_interrupt(unsigned cpu)
{
	for (uint32_t i = 0; i < active_count; i++)
		if (active[i]->interrupt)
			active[i]->interrupt(cpu);
}

void mediators_shutdown(void)
{
	for (uint32_t i = active_count; i-- > 0;)
		active[i]->shutdown();
}
