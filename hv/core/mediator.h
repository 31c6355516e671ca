/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A mediator stands between the guest and one kind of device. It registers this
 * structure with REGISTER_MEDIATOR in a file of its own; adding one touches no
 * file of the core.
 */
#ifndef HV_CORE_MEDIATOR_H
#define HV_CORE_MEDIATOR_H

#include "hv/core/boot_info.h"
#include "hv/core/pci.h"
#include <stdbool.h>
#include <stdint.h>

struct mediator {
	const char *name;
	/* Whether it has work on this machine; decides from the volumes and the policy. Init only. */
	bool (*match)(const struct boot_info *info);
	/* Takes its devices over and places its hooks. Init only, before any CPU is a guest. 0 or negative. */
	int (*init)(const struct boot_info *info);
	/*
	 * An interrupt has come to vcpu `cpu`, which is watched (hv/core/interrupts.h), and the guest does
	 * not know of it yet. Optional. On that CPU.
	 */
	void (*interrupt)(unsigned cpu);
	/* Stops its devices so that they use no memory of ours; bounded. Any CPU. */
	void (*quiesce)(void);
	/* State for a restart of the hypervisor in place; both NULL where there is none to carry. */
	int (*save)(void *buffer, uint64_t bytes);
	int (*restore)(const void *buffer, uint64_t bytes);
	/* The machine ends: quiesce and forget everything secret. Any CPU, perhaps more than once. */
	void (*shutdown)(void);
};

#define REGISTER_MEDIATOR(variable)                                                                          \
	static const struct mediator *const variable##_entry                                                 \
		__attribute__((section(".mediators"), used)) = &variable

/* Calls match and init of each; the first failure is returned and the ones before are shut down. */
int mediators_init(const struct boot_info *info);
void mediators_interrupt(unsigned cpu);
void mediators_shutdown(void);

#endif
