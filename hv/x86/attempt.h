/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Accesses to registers of which only the processor itself knows whether they are there,
 * and which values they take: false where it answers with #GP, and nothing has happened.
 * host_exception comes back here; interrupts are off. The host tests have the same
 * functions over a model.
 */
#ifndef HV_X86_ATTEMPT_H
#define HV_X86_ATTEMPT_H

#include <stdbool.h>
#include <stdint.h>

bool attempt_rdmsr(uint32_t index, uint64_t *value);
bool attempt_wrmsr(uint32_t index, uint64_t value);
bool attempt_xcr0(uint64_t value); /* CR4.OSXSAVE is set */

/* A #GP at [attempt_begin, attempt_refused) goes on at attempt_refused. */
extern const uint8_t attempt_begin[] __attribute__((visibility("hidden")));
extern const uint8_t attempt_refused[] __attribute__((visibility("hidden")));

#endif
