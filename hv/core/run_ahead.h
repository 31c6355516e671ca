/* SPDX-License-Identifier: Apache-2.0 */
/*
 * After an emulated access that announces another (a disk command is two register
 * writes a few instructions apart, or a dozen of them to ports), the hypervisor goes
 * on executing the guest's instructions itself in the hope of reaching the next
 * access, which then costs no exit. Whatever is not plain stops it before the
 * instruction, and the guest goes on there by itself.
 */
#ifndef HV_CORE_RUN_AHEAD_H
#define HV_CORE_RUN_AHEAD_H

#include "hv/core/ioport.h"
#include "hv/core/vcpu.h"

/*
 * To be called when an instruction that wrote at `gpa` has been emulated and
 * committed; does nothing unless a hook stands there whose owner expects more.
 */
void run_ahead(struct vcpu *vcpu, uint64_t gpa);

/*
 * To be called when an IN or OUT of the hook's has been emulated and committed; does
 * nothing unless its driver is known to make several in a row.
 */
void run_ahead_at_ports(struct vcpu *vcpu, const struct ioport_hook *hook);

#endif
