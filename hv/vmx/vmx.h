/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the VMX backend share. */
#ifndef HV_VMX_VMX_H
#define HV_VMX_VMX_H

#include "hv/core/backend.h"
#include "hv/core/event.h"
#include "hv/vmx/capability.h"
#include "hv/vmx/enter.h"
#include "hv/vmx/instructions.h"
#include "hv/vmx/vmcs.h"
#include "hv/x86/descriptor.h"
#include <string.h>

struct vmx_state {
	uint8_t vmxon[4096]; /* the processor's own */
	uint8_t vmcs[4096];
	struct vmcs_msr guest_counters, host_counters; /* PERF_GLOBAL_CTRL */
	uint32_t nmi_noted;  /* an NMI has come to the host, and the window has not been opened since */
	bool launched;
	bool flush;          /* before the next entry */
	bool watch_interrupts, watch_return, watch_nmi; /* exits that are asked for; the last two for one entry */
	bool held;           /* an external interrupt waits in the local APIC until the guest takes any */
	bool giving;         /* the next entry delivers `pending` */
	int pending;         /* the external interrupt to be given, negative: none */
	uint32_t pin, primary;
	uint64_t cr0_must;   /* bits of CR0 that are held at 1 while the guest sees its own */
	uint64_t ept_pointer;
	uint8_t physical_bits;
};

static inline struct vmx_state *vmx_of(struct vcpu *vcpu)
{
	return vcpu->backend;
}

/* run.S */
int vmx_enter(struct vcpu *vcpu, bool launched, const uint32_t *nmi_noted);
void vmx_halt(const uint32_t *nmi_noted);
void vmx_unblock_nmis(void);
#define HIDDEN __attribute__((visibility("hidden")))
extern const uint8_t vmx_enter_look[] HIDDEN, vmx_enter_looked[] HIDDEN, vmx_enter_noted[] HIDDEN, vmx_exit[] HIDDEN;
extern const uint8_t vmx_halt_look[] HIDDEN, vmx_halted[] HIDDEN;

/* start.c: the control structure from the state of the CPU that runs. */
void vmx_start(struct vcpu *vcpu, const struct launch_state *launch);

/* guest.c: the guest's state in the control structure. */
void vmx_paging(struct vcpu *vcpu, struct walk_cpu *out);
void vmx_insn_cpu(struct vcpu *vcpu, struct insn_cpu *out);
void vmx_segment(struct vcpu *vcpu, enum insn_segment which, struct segment *out);
void vmx_retired(struct vcpu *vcpu);
void vmx_reset(struct vcpu *vcpu);
void vmx_startup(struct vcpu *vcpu, uint8_t vector);
void vmx_write_cr2(struct vcpu *vcpu, uint64_t value);
uint64_t vmx_read_cr4(struct vcpu *vcpu);
uint64_t vmx_read_dr6(struct vcpu *vcpu);
void vmx_write_dr6(struct vcpu *vcpu, uint64_t value);
uint64_t vmx_read_dr7(struct vcpu *vcpu);
uint8_t vmx_cpl(struct vcpu *vcpu);
bool vmx_debugged(struct vcpu *vcpu);
bool vmx_in_64_bits(void);

/* A segment of the guest's, rights in the form of 25.4.1. */
struct vmx_segment {
	uint16_t selector;
	uint32_t limit, rights;
	uint64_t base;
};
void vmx_set_segment(enum vmcs_segment which, const struct vmx_segment *segment);

/* control_register.c: CR0 and CR4, some of whose bits VMX operation holds. */
void vmx_set_cr0(struct vcpu *vcpu, uint64_t value);
void vmx_set_cr4(uint64_t value);
uint64_t vmx_cr0(void);
uint64_t vmx_cr4(void);
/* The guest writes one, and would change such a bit. */
void vmx_cr_access(struct vcpu *vcpu, uint64_t qualification);

/* event.c: what is given at an entry, and the exits that tell when something can be. */
bool vmx_takes_nmi(struct vcpu *vcpu);
void vmx_watch_interrupts(struct vcpu *vcpu, bool on);
void vmx_pend_interrupt(struct vcpu *vcpu, uint8_t vector);
int vmx_pending_interrupt(struct vcpu *vcpu);
void vmx_watch_return(struct vcpu *vcpu);
/* At an exit for an external interrupt: whether the guest does not take it now. Then there is an exit when it does. */
bool vmx_holds_interrupt(struct vcpu *vcpu);
void vmx_prepare_events(struct vcpu *vcpu);
/* The entry was carried out: what it has delivered is off our hands, or cut short. */
void vmx_finish_events(struct vcpu *vcpu);

/* task_switch.c: the guest switches to another task. */
void vmx_task_switch(struct vcpu *vcpu, uint64_t qualification);

/* exit.c: fills vcpu->exit from the control structure. */
void vmx_decode_exit(struct vcpu *vcpu);

/* msr.c */
#define VMX_MSR_RULES 13
extern const struct msr_rule vmx_msr_rules[VMX_MSR_RULES] HIDDEN;
void vmx_hide_from_cpuid(uint32_t leaf, uint32_t subleaf, struct cpuid_result *result);

/* permission.c: shared by all CPUs. 25.6.4, 25.6.9. */
extern uint8_t vmx_io_bitmaps[2 * 4096];
extern uint8_t vmx_msr_bitmap[4096];
void vmx_trap_port(uint16_t first, uint16_t last);
void vmx_trap_msr(uint32_t index, bool read, bool write);

#endif
