/* SPDX-License-Identifier: Apache-2.0 */
/* The ways a machine ends: S5, S4, reset, panic. On each the keys are wiped first. */
#ifndef HV_CORE_POWER_H
#define HV_CORE_POWER_H

#include <stdbool.h>
#include <stdint.h>

/* Hooks the sleep control and reset ports that ACPI names, and the standard ones. Init only. 0 or -1. */
int power_init(void);

/*
 * For a panic: tells the other CPUs to stop and waits until they have, or until a
 * bound is over, for one of them may wait for a lock that this CPU holds.
 */
void power_stop_others_in_panic(void);

/* Resets the machine, and nothing else. */
void power_reset_now(void) __attribute__((noreturn));

/* Stops the guest, shuts the mediators down, wipes and resets the machine. */
void power_reset(const char *why) __attribute__((noreturn));

/* Halts this CPU for good, and the others at their next exit. */
void power_stop_all_cpus(void) __attribute__((noreturn));

/* Whether every CPU has been told to stop. */
bool power_stopping(void);

#endif
