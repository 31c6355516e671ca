/* SPDX-License-Identifier: Apache-2.0 */
/*
 * I/O APICs are the guest's own, but for one thing: an entry that would send INIT
 * is not taken. INIT acts on vcpus, by the command register alone (lapic.h).
 */
#ifndef HV_CORE_IOAPIC_H
#define HV_CORE_IOAPIC_H

/* Hooks the registers of those that ACPI names. Init only. 0 or -1. */
int ioapic_init(void);

#endif
