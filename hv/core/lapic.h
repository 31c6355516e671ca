/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The local APIC is the guest's own. Two things of it are ours: the interrupt
 * command register is watched, so that INIT and SIPI act on vcpus and never on
 * CPUs that run us; and NMIs are sent through it, unseen. APM volume 2, chapter 16.
 */
#ifndef HV_CORE_LAPIC_H
#define HV_CORE_LAPIC_H

#include "hv/core/vcpu.h"

/* Hooks the register page and the x2APIC ICR. Init only. 0 or -1. */
int lapic_init(bool lift_when_done);

/* The firmware has left: from here SIPIs count towards lifting the trap. */
void lapic_boot_services_done(void);

/* Whether the guest's commands go to the APIC unseen. */
bool lapic_is_lifted(void);

/* A vcpu has been started by SIPI. Any CPU. */
void lapic_started(struct vcpu *vcpu);

/* What INIT does to the APIC of this CPU. */
void lapic_reset(struct vcpu *vcpu);

/* Takes note of how logical destinations name this CPU: at its start, and when its registers have changed. */
void lapic_note_logical(struct vcpu *vcpu);

/* A fixed-function NMI to one CPU; the guest's ICR is as before afterwards. */
void lapic_send_nmi(uint32_t apic_id);

/* An interrupt has come to this CPU. */
void lapic_interrupted(struct vcpu *vcpu);

/*
 * The interrupt that a message of a device stands for (APM volume 2, 16.11): sends it, by this CPU's command
 * register, where it is a fixed or a lowest-priority one; and the vcpus that it may reach, a bit each: all of
 * them where its destination is none that is known.
 */
void lapic_send_message(uint64_t address, uint32_t data);
uint64_t lapic_message_cpus(uint64_t address);

/* The guest writes the x2APIC ICR, or IA32_APIC_BASE; false: #GP. */
bool lapic_write_x2apic_icr(uint64_t value);
bool lapic_write_base(uint64_t value);

#endif
