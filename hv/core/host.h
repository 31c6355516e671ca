/* SPDX-License-Identifier: Apache-2.0 */
/* The host's own tables: page tables, GDT, IDT, stacks. */
#ifndef HV_CORE_HOST_H
#define HV_CORE_HOST_H

#include "hv/core/vcpu.h"

/* An exception of the host, as host_entry.S lays it down. */
struct host_frame {
	uint64_t gpr[16]; /* encoding order; [4] is the stack below this frame */
	uint64_t vector, error;
	uint64_t rip, cs, rflags, rsp, ss;
};
_Static_assert(sizeof(struct host_frame) == 8 * 23, "host_entry.S");

/* Builds the shared tables; `limit` is where the identity mapping ends. Init only. 0 or -1 (no memory). */
int host_init(uint64_t limit);

/* Whether [address, address+bytes) lies in the identity mapping: what is beyond, nobody may touch. */
bool host_maps(uint64_t address, uint64_t bytes);

/* Loads them on this CPU: from here faults are ours. Interrupts are off. */
void host_enter(void);

/* A CPU area: vcpu at its bottom, the host stack above. Init only; NULL when there is no memory. */
struct vcpu *host_new_vcpu(uint32_t index, uint32_t apic_id, uint32_t backend_bytes);

#endif
