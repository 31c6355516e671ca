/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A model of VMX: the fields of each processor's control structure, the capability
 * registers, and entries: on a hypervisor's stack (cpu.h) they go to the driver of the
 * guest, else a test carries them out, for the first processor.
 */
#ifndef TESTS_CORE_VMX_H
#define TESTS_CORE_VMX_H

#include "hv/core/vcpu.h"
#include "tests/core/cpu.h"
#include <stdbool.h>
#include <stdint.h>

struct model_vmx {
	bool broken;          /* VMXON fails */
	bool on;              /* VMXON has been executed */
	uint64_t current;     /* the control structure that is loaded */
	uint64_t invalidated; /* INVEPTs */
	unsigned unblocked;   /* IRETs after exits at NMIs */
	uint64_t dr6;
	/* An entry that has passed its checks: returns what vmx_enter does, having written the fields of an exit. */
	int (*enter)(struct vcpu *vcpu, bool launched, const uint32_t *nmi_noted);
};
extern struct model_vmx model_vmx;

/* No fields, off; the MSRs are those of a processor with all that is needed. */
void model_vmx_reset(void);

/* Of an exit: a field that the processor writes. */
void model_vmx_exit_field(uint32_t field, uint64_t value);

/* The check that an entry with the fields as they are would fail, in words; NULL: none. */
const char *model_vmx_refusal(void);

/* An exit of a CPU of the model's, given by SVM's code and information. */
void model_vmx_exit(struct model_cpu *cpu, uint64_t code, uint64_t info1, uint64_t info2);

/* Whether its guest waits for a start-up interrupt, and takes nothing else. */
bool model_vmx_waits(const struct model_cpu *cpu);

/* A CPU's field, from outside. */
uint64_t model_vmx_field(const struct model_cpu *cpu, uint32_t field);
void model_vmx_set_field(const struct model_cpu *cpu, uint32_t field, uint64_t value);

/* What RDMSR of a capability, FEATURE_CONTROL or an MTRR gives; false: there is no such register. */
bool model_msr_read(uint32_t index, uint64_t *value);
bool model_msr_write(uint32_t index, uint64_t value);
void model_msr_set(uint32_t index, uint64_t value);

#endif
