/* SPDX-License-Identifier: Apache-2.0 */
/* The hypervisor's side of hv/core/hypercall.h. */
#ifndef HV_CORE_HYPERCALL_EXIT_H
#define HV_CORE_HYPERCALL_EXIT_H

#include "hv/core/boot_info.h"
#include "hv/core/vcpu.h"

/* Keeps what the calls tell of the volumes; no key is copied. Init only. */
void hypercall_init(const struct boot_info *info);

/* Handles EXIT_HYPERCALL. Calls of other interfaces get #UD, as on a machine without virtualisation. */
void hypercall_exit(struct vcpu *vcpu);

#endif
