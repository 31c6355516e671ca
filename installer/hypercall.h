/* SPDX-License-Identifier: Apache-2.0 */
/* Calls the hypervisor from a process; the contract is hv/core/hypercall.h. */
#ifndef INSTALLER_HYPERCALL_H
#define INSTALLER_HYPERCALL_H

#include "hv/core/hypercall.h"
#include <stdint.h>

struct hypercall {
	int64_t result;
	uint64_t rbx, rcx, rdx, rsi;
};

/*
 * Calls `function`. Returns 0 with the answer, whatever its result; -1 when
 * nobody answers (the processor refuses the instruction).
 */
int hypercall(struct hypercall *answer, enum hypercall_function function, uint64_t rcx, uint64_t rdx);

#endif
