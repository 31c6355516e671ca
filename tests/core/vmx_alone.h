/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Intel backend alone: one vcpu with no core around it. The test says what the next
 * exit is, and finds what the entry before it has brought.
 */
#ifndef TESTS_CORE_VMX_ALONE_H
#define TESTS_CORE_VMX_ALONE_H

#include "hv/vmx/vmx.h"
#include "tests/core/vmx.h"

#define VMX_ALONE_RIP 0x1000u

struct vmx_alone {
	struct vcpu vcpu;
	/* The next exits. */
	uint32_t reason;
	uint64_t qualification, vectoring, physical;
	uint64_t interruption; /* of an exit for an exception; 0: an NMI */
	bool refused; /* VMLAUNCH or VMRESUME fails */
	/* The last entry. */
	unsigned entries;
	uint64_t event;
	bool interrupt_window, nmi_window, interrupts;
	uint32_t activity;
	uint64_t counters;
	uint64_t root[512] __attribute__((aligned(4096)));
	struct vmx_state state __attribute__((aligned(4096)));
};
extern struct vmx_alone vmx_alone;
extern const uint64_t vmx_alone_gdt[3]; /* code at 08h, data at 10h */

/* In 64-bit mode, nothing entered yet. */
void vmx_alone_start(void);
/* One entry, which exits for this reason. */
void vmx_alone_run(uint32_t reason);
/* For model_vmx.enter. */
int vmx_alone_enter(struct vcpu *vcpu, bool launched, const uint32_t *nmi_noted);

#endif
