/* SPDX-License-Identifier: Apache-2.0 */
/* INIT and SIPI as they act on vcpus. APM volume 2, 16.5. */
#ifndef HV_CORE_STARTUP_H
#define HV_CORE_STARTUP_H

#include "hv/core/vcpu.h"

/* Sent by any CPU; acts when the target next looks at its requests. */
void startup_init(struct vcpu *vcpu);
void startup_sipi(struct vcpu *vcpu, uint8_t vector);

/* On the target, before an entry: does what is pending. Returns when the vcpu is to run. */
void startup_serve(struct vcpu *vcpu);

#endif
