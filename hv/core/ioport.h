/* SPDX-License-Identifier: Apache-2.0 */
/* Hooks on I/O ports. */
#ifndef HV_CORE_IOPORT_H
#define HV_CORE_IOPORT_H

#include "hv/core/vcpu.h"

struct ioport_hook {
	const char *name;
	void *context;
	uint16_t first, last;
	uint8_t width; /* of a register that begins at `first` and reaches beyond `last`, else 0 */
	bool several;  /* drivers access it several times within few instructions (hv/core/run_ahead.h) */
	/*
	 * An access of `size` 1, 2 or 4 bytes that lies inside the hook, or is of the
	 * register's width. What touches the hook in another way is made byte by byte, as
	 * buses do. NULL: the access goes to the device.
	 */
	uint32_t (*in)(void *context, uint16_t port, unsigned size);
	void (*out)(void *context, uint16_t port, unsigned size, uint32_t value);
	/*
	 * `count` accesses in a row of `size` bytes each at `port`, which lies inside the
	 * hook: REP INS and REP OUTS, of which many elements are then one exit. The data is
	 * at most IOPORT_BLOCK bytes. Optional, both or neither.
	 */
	void (*in_block)(void *context, uint16_t port, unsigned size, void *data, uint32_t count);
	void (*out_block)(void *context, uint16_t port, unsigned size, const void *data, uint32_t count);
};

#define IOPORT_BLOCK 512u

/* Adds the hook and traps its ports; it has none yet where last < first. Init only. 0, or -1 when the table is full. */
int ioport_add(const struct ioport_hook *hook);

/*
 * Gives a hook that was added other ports, or none where last < first. The device
 * does not decode the old ones any more, nor the new ones yet. Any CPU; returns when
 * every CPU traps them. 0, or -1 when another hook has one of them: it has none then.
 */
int ioport_place(struct ioport_hook *hook, uint16_t first, uint16_t last);

/* The hook that any byte of the access belongs to, or NULL; whether the access is one that the hook takes as it is. */
const struct ioport_hook *ioport_find(uint16_t port, unsigned size);
bool ioport_takes_whole(const struct ioport_hook *hook, uint16_t port, unsigned size);

/* IN or OUT as the guest makes it, by the hook or the device; `size` 1, 2 or 4. No lock held. */
void ioport_access(uint64_t *rax, uint16_t port, unsigned size, bool in);

/* Handles EXIT_IO. */
void ioport_exit(struct vcpu *vcpu);

#endif
