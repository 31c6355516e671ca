/* SPDX-License-Identifier: Apache-2.0 */
/* Signals between CPUs: kicks out of the guest, and translations that must be gone. */
#ifndef HV_CORE_SHOOTDOWN_H
#define HV_CORE_SHOOTDOWN_H

#include "hv/core/backend.h"

/*
 * Returns when no CPU can use a nested translation older than this call. CPUs in
 * the guest are kicked by NMI; the others flush before they enter. Any CPU, on a
 * host stack; the caller may hold locks, for nobody waits in the guest.
 */
void npt_shootdown(void);

/* Makes `vcpu` leave the guest soon, if it is there, to look at its requests. */
void vcpu_kick(struct vcpu *vcpu);

/* Wakes a CPU that halts in the host; harmless to one that does not. */
void vcpu_wake(struct vcpu *vcpu);

enum nmi { NMI_NONE, NMI_GUESTS, NMI_KICK };

/*
 * Opens the window (hv/core/backend.h) and tells what NMI came in it: one that may
 * have been a kick is one. On the vcpu's own CPU.
 */
enum nmi nmi_collect(struct vcpu *vcpu, enum window window);

/* Before an entry: takes note of what others asked for. in_guest is set already. */
void shootdown_serve(struct vcpu *vcpu);

#endif
