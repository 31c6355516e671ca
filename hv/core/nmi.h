/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guest's NMIs: those it sends by its command register, which never leave us,
 * and those that reach the processor. One is in its handler, one more may wait:
 * APM volume 2, 8.2.3 and 15.21.
 */
#ifndef HV_CORE_NMI_H
#define HV_CORE_NMI_H

#include "hv/core/backend.h"

/* Sends one to a vcpu; one that waits for its start does not get it. It merges with others, as NMIs do. Any CPU. */
void nmi_send(struct vcpu *vcpu);

/* All that follow: on the vcpu's own CPU, outside the guest. */

/* An NMI is pending in the processor: takes it in the window, and for the guest when it is not one of ours. */
void nmi_take(struct vcpu *vcpu, enum window window);
/* Before an entry: injects what waits, when its time has come. */
void nmi_serve(struct vcpu *vcpu);
/* INIT: nothing waits. */
void nmi_reset(struct vcpu *vcpu);

#endif
