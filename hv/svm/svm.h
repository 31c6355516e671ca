/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the SVM backend share. */
#ifndef HV_SVM_SVM_H
#define HV_SVM_SVM_H

#include "hv/core/backend.h"
#include "hv/core/event.h"
#include "hv/svm/vmcb.h"
#include <string.h>

struct svm_state {
	struct vmcb vmcb;
	uint8_t host_save[4096]; /* VM_HSAVE_PA */
	bool iret_ahead;                         /* the guest's next instruction is an IRET that has exited */
	bool deaf_halt_ahead;                    /* ... is a HLT that has exited, with interrupts off */
	bool nmi_blocked, nmi_returning;         /* an NMI is in its handler; its IRET is next, and stands ... */
	uint64_t nmi_return_rip, nmi_return_rsp; /* ... here */
	bool stepping;                           /* and what there was before svm_step(): */
	uint64_t step_dr6, step_rip;
	bool step_by_guest;
	uint8_t physical_bits;   /* of the processor's addresses */
};

/* Permission maps (APM 15.10, 15.11), shared by all CPUs. */
extern uint8_t svm_iopm[3 * 4096];
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
void svm_write_cr2(struct vcpu *vcpu, uint64_t value);
uint64_t svm_read_cr4(struct vcpu *vcpu);
uint64_t svm_read_dr6(struct vcpu *vcpu);
void svm_write_dr6(struct vcpu *vcpu, uint64_t value);
uint64_t svm_read_dr7(struct vcpu *vcpu);
uint8_t svm_cpl(struct vcpu *vcpu);
bool svm_debugged(struct vcpu *vcpu);

/* event.c: external interrupts. */
void svm_watch_interrupts(struct vcpu *vcpu, bool on);
void svm_pend_interrupt(struct vcpu *vcpu, uint8_t vector);
int svm_pending_interrupt(struct vcpu *vcpu);
void svm_watch_return(struct vcpu *vcpu);
/* Before an entry: whether HLT exits; and when it has. */
void svm_watch_halt(struct vcpu *vcpu);
void svm_halt(struct vcpu *vcpu);

/* nmi.c */
bool svm_takes_nmi(struct vcpu *vcpu);
void svm_nmi_begins(struct vcpu *vcpu);
void svm_nmi_reset(struct svm_state *svm);
void svm_iret(struct vcpu *vcpu);
void svm_note_return(struct vcpu *vcpu);
/* An exit behind the next instruction. */
void svm_step(struct vcpu *vcpu);
void svm_exception(struct vcpu *vcpu);

/* msr.c */
#define SVM_MSR_RULES 6
extern const struct msr_rule svm_msr_rules[SVM_MSR_RULES] __attribute__((visibility("hidden")));
void svm_hide_from_cpuid(uint32_t leaf, uint32_t subleaf, struct cpuid_result *result);

/* permission.c */
void svm_trap_port(uint16_t first, uint16_t last);
void svm_trap_msr(uint32_t index, bool read, bool write);

static inline struct vmcb *vmcb_of(struct vcpu *vcpu)
{
	return &((struct svm_state *)vcpu->backend)->vmcb;
}

#endif
