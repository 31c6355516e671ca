/* SPDX-License-Identifier: Apache-2.0 */
#include "hv/core/ioport.h"
#include "hv/core/backend.h"
#include "hv/core/shootdown.h"
#include "storage/port.h"
#include <string.h>

#define MAX_HOOKS 32

static const struct ioport_hook *hooks[MAX_HOOKS];
static struct port_lock placing;
static uint32_t hook_count;

int ioport_add(const struct ioport_hook *hook)
{
	if (hook_count == MAX_HOOKS)
		return -1;
	hooks[hook_count++] = hook;
	backend->trap_port(hook->first, hook->last);
	return 0;
}

static void set_range(struct ioport_hook *hook, uint16_t first, uint16_t last)
{
	/* In between it has no ports. */
	__atomic_store_n(&hook->last, 0, __ATOMIC_SEQ_CST);
	__atomic_store_n(&hook->first, first, __ATOMIC_SEQ_CST);
	__atomic_store_n(&hook->last, last, __ATOMIC_SEQ_CST);
}

static bool is_taken(uint16_t first, uint16_t last)
{
	for (uint32_t i = 0; i < hook_count; i++)
		if (hooks[i]->first <= last && first <= hooks[i]->last)
			return true;
	return false;
}

/* Those that have found no hook before there was one are done: by whoever comes later it is found. */
static void wait_for_passing(void)
{
	const struct vcpu *self = this_vcpu();

	for (uint32_t i = 0; i < vcpu_count; i++) {
		uint32_t seen = __atomic_load_n(&vcpus[i]->passing, __ATOMIC_SEQ_CST);

		while (vcpus[i] != self && seen & 1 && __atomic_load_n(&vcpus[i]->passing, __ATOMIC_SEQ_CST) == seen)
			cpu_pause();
	}
}

int ioport_place(struct ioport_hook *hook, uint16_t first, uint16_t last)
{
	bool taken = false;

	port_lock(&placing);
	set_range(hook, 1, 0);
	if (first <= last) {
		taken = is_taken(first, last);
		if (!taken)
			set_range(hook, first, last);
	}
	port_unlock(&placing);
	if (taken)
		return -1;
	/* What was trapped once stays so: without a hook the device is asked. */
	if (first <= last)
		backend->trap_port(first, last);
	npt_shootdown();
	wait_for_passing();
	return 0;
}

const struct ioport_hook *ioport_find(uint16_t port, unsigned size)
{
	for (uint32_t i = 0; i < hook_count; i++)
		if (port <= hooks[i]->last && port + size > hooks[i]->first)
			return hooks[i];
	return NULL;
}

bool ioport_takes_whole(const struct ioport_hook *hook, uint16_t port, unsigned size)
{
	return (port >= hook->first && port + size - 1 <= hook->last) || (port == hook->first && size == hook->width);
}
