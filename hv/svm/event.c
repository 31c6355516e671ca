/* SPDX-License-Identifier: Apache-2.0 */
/* External interrupts, watched and given. APM volume 2, 15.13 and 15.21. */
#include "hv/core/msr.h"
#include "hv/svm/svm.h"

void svm_watch_interrupts(struct vcpu *vcpu, bool on)
{
	struct vmcb *vmcb = vmcb_of(vcpu);

	vmcb->intercepts1 = on ? vmcb->intercepts1 | VMCB_INTR : vmcb->intercepts1 & ~VMCB_INTR;
}

/* The processor clears V_IRQ when the guest has taken it. */
void svm_pend_interrupt(struct vcpu *vcpu, uint8_t vector)
{
	vmcb_of(vcpu)->vintr = VMCB_V_IRQ | VMCB_V_IGN_TPR | VMCB_V_VECTOR(vector);
}

int svm_pending_interrupt(struct vcpu *vcpu)
{
	uint64_t vintr = vmcb_of(vcpu)->vintr;

	return vintr & VMCB_V_IRQ ? VMCB_V_VECTOR_OF(vintr) : -1;
}

/* The IRET that has just exited would never be executed if it did again: it is stepped over. */
void svm_watch_return(struct vcpu *vcpu)
{
	struct svm_state *svm = vcpu->backend;

	if (svm->iret_ahead && !vcpu->event)
		svm_step(vcpu);
	else
		svm->vmcb.intercepts1 |= VMCB_IRET;
}

void svm_watch_halt(struct vcpu *vcpu)
{
	struct svm_state *svm = vcpu->backend;
	bool on = svm->vmcb.vintr & VMCB_V_IRQ && !svm->deaf_halt_ahead;

	svm->vmcb.intercepts1 = on ? svm->vmcb.intercepts1 | VMCB_HLT : svm->vmcb.intercepts1 & ~VMCB_HLT;
	svm->deaf_halt_ahead = false;
}

/*
 * A processor takes the interrupt at the HLT at once, and goes on behind it; so does the guest. There are emulators that
 * now and then forget a virtual interrupt at the entry that it was given with: without this exit the guest would halt
 * with it, and if it is the local APIC's highest nothing would come any more. With interrupts off it is a halt, that only
 * an NMI ends.
 */
void svm_halt(struct vcpu *vcpu)
{
	struct svm_state *svm = vcpu->backend;

	if (vcpu->rflags & RFLAGS_IF)
		skip_instruction(vcpu, 1);
	else
		svm->deaf_halt_ahead = true;
}
