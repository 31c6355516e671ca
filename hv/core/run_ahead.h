/* SPDX-License-Identifier: Apache-2.0 */
/*
 * After an emulated write that announces another (a disk command is two register
 * writes a few instructions apart), the hypervisor goes on executing the guest's
 * instructions itself in the hope of reaching the second access, which then costs
 * no exit. Whatever is not plain stops it before the instruction, and the guest
 * goes on there by itself.
 */
#ifndef HV_CORE_RUN_AHEAD_H
#define HV_CORE_RUN_AHEAD_H

#include "hv/core/vcpu.h"

/*
 * To be called when an instruction that wrote at `gpa` has been emulated and
 * committed; does nothing unless a hook stands there whose owner expects more.
 */
void run_ahead(struct vcpu *vcpu, uint64_t gpa);

#endif
