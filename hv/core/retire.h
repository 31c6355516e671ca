/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What follows when the hypervisor has carried out an instruction for the guest: the
 * interrupt shadow and RF end, and the debug traps that the processor would have
 * raised are raised: single step, data and I/O breakpoints. APM volume 2, 13.1.
 * Exits of the calling vcpu only.
 */
#ifndef HV_CORE_RETIRE_H
#define HV_CORE_RETIRE_H

#include "hv/core/vcpu.h"

/* An instruction begins: what was noted of one that has faulted is forgotten. */
void retire_begin(struct vcpu *vcpu);

/* It has accessed memory at a linear address, or a port: noted when a breakpoint is there. */
void retire_access(struct vcpu *vcpu, uint64_t linear, unsigned size, bool write);
void retire_port(struct vcpu *vcpu, uint16_t port, unsigned size);

/* It is done, and rip stands behind it. */
void retire(struct vcpu *vcpu);

/* An iteration of a REP is done, and rip still stands at it. */
void retire_iteration(struct vcpu *vcpu);

#endif
