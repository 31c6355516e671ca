/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the SVM backend share. */
#ifndef HV_SVM_SVM_H
#define HV_SVM_SVM_H

#include "hv/core/backend.h"
#include "hv/svm/vmcb.h"
#include <string.h>

struct svm_state {
	struct vmcb vmcb;
	uint8_t host_save[4096]; /* VM_HSAVE_PA */
	uint8_t iopm[3 * 4096];  /* APM 15.10, this CPU's */
	bool stepping; /* and what there was before svm_step(): */
	uint64_t step_dr6, step_rip;
	bool step_by_guest;
	uint8_t physical_bits;   /* of the processor's addresses */
};

/*
 * A guest can have the delivery of these raise the same one again, and so on without an end, in which the processor looks
 * for no signal of ours; so there is an exit at each. APM volume 2, 15.12. Others end in a shutdown, or are not raised by
 * a delivery.
 */
#define SVM_EXCEPTIONS (1u << EXCEPTION_DB | 1u << EXCEPTION_AC)

/* The permission map of MSRs (APM 15.11), shared by all CPUs. */
extern uint8_t svm_msrpm[2 * 4096];

/* run.S */
void svm_enter(struct vcpu *vcpu, uint64_t vmcb_pa);
void svm_nmi_window(bool halt);
void svm_smi_window(struct vcpu *vcpu);
extern const uint8_t svm_window_halt[] __attribute__((visibility("hidden")));
extern const uint8_t svm_window_end[] __attribute__((visibility("hidden")));

/* guest.c: the guest's state in the control block. */
void svm_paging(struct vcpu *vcpu, struct walk_cpu *out);
void svm_insn_cpu(struct vcpu *vcpu, struct insn_cpu *out);
void svm_segment(struct vcpu *vcpu, enum insn_segment which, struct segment *out);
void svm_retired(struct vcpu *vcpu);
void svm_reset(struct vcpu *vcpu);
void svm_startup(struct vcpu *vcpu, uint8_t vector);
uint64_t svm_read_efer(struct vcpu *vcpu);
void svm_write_efer(struct vcpu *vcpu, uint64_t value);
uint64_t svm_read_cr4(struct vcpu *vcpu);
uint64_t svm_read_dr7(struct vcpu *vcpu);
uint8_t svm_cpl(struct vcpu *vcpu);
bool svm_debugged(struct vcpu *vcpu);

/* event.c: exceptions and NMIs. */
void svm_inject_exception(struct vcpu *vcpu, enum exception vector, bool has_error, uint32_t error);
void svm_inject_page_fault(struct vcpu *vcpu, uint64_t address, uint32_t error);
void svm_inject_debug(struct vcpu *vcpu, uint64_t causes);
bool svm_injection_pending(struct vcpu *vcpu);
void svm_inject_nmi(struct vcpu *vcpu);
void svm_watch_iret(struct vcpu *vcpu, bool on);
void svm_watch_halt(struct vcpu *vcpu, bool on);
void svm_watch_interrupts(struct vcpu *vcpu, bool on);
void svm_pend_interrupt(struct vcpu *vcpu, uint8_t vector);
int svm_pending_interrupt(struct vcpu *vcpu);
void svm_step(struct vcpu *vcpu);
void svm_exception(struct vcpu *vcpu);

/* permission.c */
void svm_trap_port(uint16_t first, uint16_t last);
void svm_pass_port(struct vcpu *vcpu, uint16_t first, uint16_t last, bool passes);
void svm_trap_msr(uint32_t index, bool read, bool write);

static inline struct vmcb *vmcb_of(struct vcpu *vcpu)
{
	return &((struct svm_state *)vcpu->backend)->vmcb;
}

#endif
