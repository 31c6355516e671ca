/* SPDX-License-Identifier: Apache-2.0 */
/* The ways a machine ends: S5, S4, reset, panic. On each the keys are wiped first. */
#ifndef HV_CORE_POWER_H
#define HV_CORE_POWER_H

#include <stdbool.h>
#include <stdint.h>

/* Hooks the sleep control and reset ports that ACPI names, and the standard ones. Init only. 0 or -1. */
int power_init(void);

/* Only the keys, at once, whatever the other CPUs do: for a panic. */
void power_wipe_keys(void);

/* Stops the guest, shuts the mediators down, wipes and resets the machine. */
void power_reset(const char *why) __attribute__((noreturn));

/* Halts this CPU for good, and the others at their next exit. */
void power_stop_all_cpus(void) __attribute__((noreturn));

/* Whether every CPU has been told to stop. */
bool power_stopping(void);

#endif
