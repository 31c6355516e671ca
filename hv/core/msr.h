/* SPDX-License-Identifier: Apache-2.0 */
/* CPUID, the model-specific registers that are not the guest's alone, and XCR0, which is, but whose writes exit on some processors. */
#ifndef HV_CORE_MSR_H
#define HV_CORE_MSR_H

#include "hv/core/vcpu.h"

/* Traps the registers of the table. Init only. */
void msr_init(void);

/* Handle EXIT_MSR_READ, EXIT_MSR_WRITE, EXIT_XSETBV and EXIT_CPUID. */
void msr_read_exit(struct vcpu *vcpu);
void msr_write_exit(struct vcpu *vcpu);
void xsetbv_exit(struct vcpu *vcpu);
void cpuid_exit(struct vcpu *vcpu);

/* Skips the instruction at rip whose opcode has `opcode_bytes` bytes and any prefixes; false: a fault is on its way. */
bool skip_instruction(struct vcpu *vcpu, unsigned opcode_bytes);

#endif
