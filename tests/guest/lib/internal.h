/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files of the library: what the entry calls, in its order. */
#ifndef TESTS_GUEST_LIB_INTERNAL_H
#define TESTS_GUEST_LIB_INTERNAL_H

#include "tests/guest/lib/guest.h"

/* Takes the options' text apart in place. */
void options_set(char *text);
/* Fills `machine` from the ACPI tables. */
void tables_read(uint64_t rsdp);
/* The memory take_memory() gives from. */
void memory_set(uint64_t base, uint64_t bytes);
/* Measures the TSC. */
void time_begin(void);
/* Page tables of ours, in force afterwards. */
void paging_begin(void);
/* The boot CPU's structures; goes over to its own stack and calls `next`. */
void cpus_begin(void (*next)(void)) __attribute__((noreturn));
/* Fills the interrupt table; then, on each CPU, loads it. */
void traps_begin(void);

#endif
