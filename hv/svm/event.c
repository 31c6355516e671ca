/* SPDX-License-Identifier: Apache-2.0 */
/* Exceptions and NMIs that the guest takes at its next entry. APM volume 2, 15.20. */
#include "hv/svm/svm.h"
#include "hv/core/nmi.h"

/* Real mode knows no error codes. */
void svm_inject_exception(struct vcpu *vcpu, enum exception vector, bool has_error, uint32_t error)
{
	uint64_t event = VMCB_EVENT_VALID | VMCB_EVENT_EXCEPTION | vector;

	if (has_error && vmcb_of(vcpu)->cr0 & CR0_PE)
		event |= VMCB_EVENT_ERROR | (uint64_t)error << 32;
	if ((vmcb_of(vcpu)->event_injection & (VMCB_EVENT_VALID | VMCB_EVENT_TYPE)) == (VMCB_EVENT_VALID | VMCB_EVENT_NMI))
		nmi_again(vcpu);
	vmcb_of(vcpu)->event_injection = event;
}

void svm_inject_page_fault(struct vcpu *vcpu, uint64_t address, uint32_t error)
{
	vmcb_of(vcpu)->cr2 = address;
	svm_inject_exception(vcpu, EXCEPTION_PF, true, error);
}

/* The breakpoints of before go, the other causes stay until the guest clears them. */
void svm_inject_debug(struct vcpu *vcpu, uint64_t causes)
{
	vmcb_of(vcpu)->dr6 = (vmcb_of(vcpu)->dr6 & ~DR6_BREAKPOINTS) | causes;
	svm_inject_exception(vcpu, EXCEPTION_DB, false, 0);
}

bool svm_injection_pending(struct vcpu *vcpu)
{
	return vmcb_of(vcpu)->event_injection & VMCB_EVENT_VALID;
}

void svm_inject_nmi(struct vcpu *vcpu)
{
	vmcb_of(vcpu)->event_injection = VMCB_EVENT_VALID | VMCB_EVENT_NMI | EXCEPTION_NMI;
}

static void intercept(struct vcpu *vcpu, uint32_t bit, bool on)
{
	struct vmcb *vmcb = vmcb_of(vcpu);

	vmcb->intercepts1 = on ? vmcb->intercepts1 | bit : vmcb->intercepts1 & ~bit;
}

void svm_watch_iret(struct vcpu *vcpu, bool on)
{
	intercept(vcpu, VMCB_IRET, on);
}

void svm_watch_halt(struct vcpu *vcpu, bool on)
{
	intercept(vcpu, VMCB_HLT, on);
}

void svm_watch_interrupts(struct vcpu *vcpu, bool on)
{
	intercept(vcpu, VMCB_INTR, on);
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

/* By the trap flag. */
void svm_step(struct vcpu *vcpu)
{
	struct svm_state *svm = vcpu->backend;

	if (svm->stepping)
		return;
	svm->stepping = true;
	svm->step_dr6 = svm->vmcb.dr6;
	svm->step_rip = vcpu->rip;
	svm->step_by_guest = vcpu->rflags & RFLAGS_TF;
	vcpu->rflags |= RFLAGS_TF;
}

/*
 * The instruction may have loaded the flags (IRET): only where none has been executed
 * is the trap flag ours to clear.
 */
static void stepped(struct vcpu *vcpu)
{
	struct svm_state *svm = vcpu->backend;
	uint64_t causes = svm->vmcb.dr6 & DR6_BREAKPOINTS;

	svm->stepping = false;
	if (!svm->step_by_guest) {
		svm->vmcb.dr6 = (svm->vmcb.dr6 & ~DR6_BS) | (svm->step_dr6 & DR6_BS);
		if (vcpu->rip == svm->step_rip)
			vcpu->rflags &= ~RFLAGS_TF;
	}
	if (svm->step_by_guest || causes & ~svm->step_dr6)
		svm_inject_exception(vcpu, EXCEPTION_DB, false, 0);
}

/*
 * DR6 and DR7 are already as the handler is to find them, and rip as it is pushed; of #AC, a fault, RF is pushed set, and
 * the error code is always 0. ICEBP is not intercepted with #DB. Of an event whose delivery this one has cut
 * short, an external interrupt has become a virtual one, an NMI comes again, and what an instruction raises at its start
 * it raises again. A trap goes, as in the processor. The interrupt shadow ends with the delivery.
 */
void svm_exception(struct vcpu *vcpu)
{
	const struct svm_state *svm = vcpu->backend;

	if (vcpu->exit.code == VMEXIT_ALIGNMENT) {
		vcpu->rflags |= RFLAGS_RF;
		svm_inject_exception(vcpu, EXCEPTION_AC, true, 0);
	} else if (svm->stepping) {
		stepped(vcpu);
	} else {
		svm_inject_exception(vcpu, EXCEPTION_DB, false, 0);
	}
}
