/* SPDX-License-Identifier: Apache-2.0 */
/*
 * External interrupts are the guest's own, and cause no exit; but for a while, on
 * CPUs where somebody has to see them before the guest does. Then the host takes an
 * interrupt from the local APIC, tells the mediators, and gives the same vector to
 * the guest, whose end-of-interrupt ends it. APM volume 2, 15.13 and 15.21.
 */
#ifndef HV_CORE_INTERRUPTS_H
#define HV_CORE_INTERRUPTS_H

#include "hv/core/backend.h"

/*
 * The CPUs of `cpus` (a bit each, by vcpu index) exit at interrupts from now on, as
 * often as interrupts_unwatch has not been called. Returns when none of them is in
 * the guest without it. The caller may hold locks, for nobody waits in the guest.
 */
void interrupts_watch(uint64_t cpus);
void interrupts_unwatch(uint64_t cpus);

/* All that follow: on the vcpu's own CPU, outside the guest. */

/* EXIT_INTERRUPT. */
void interrupt_exit(struct vcpu *vcpu);
/* An interrupt that the processor has accepted and the guest has not been given yet. */
void interrupt_taken(struct vcpu *vcpu, uint8_t vector);
bool interrupts_waiting(const struct vcpu *vcpu);
/* Before an entry: whether there are exits, and what the guest is given. in_guest is set already. */
void interrupts_serve(struct vcpu *vcpu);
/* INIT: nothing waits. What the local APIC knows of it is ended by lapic_reset. */
void interrupts_reset(struct vcpu *vcpu);

#endif
