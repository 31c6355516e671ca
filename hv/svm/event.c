/* SPDX-License-Identifier: Apache-2.0 */
/* Exceptions and NMIs that the guest takes at its next entry. APM volume 2, 15.20. */
#include "hv/svm/svm.h"

void svm_inject_exception(struct vcpu *vcpu, enum exception vector, bool has_error, uint32_t error)
{
	uint64_t event = VMCB_EVENT_VALID | VMCB_EVENT_EXCEPTION | vector;

	if (has_error)
		event |= VMCB_EVENT_ERROR | (uint64_t)error << 32;
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

/* NMIs stay masked until the handler's IRET, which is intercepted to see it. */
void svm_inject_nmi(struct vcpu *vcpu)
{
	struct vmcb *vmcb = vmcb_of(vcpu);

	vmcb->event_injection = VMCB_EVENT_VALID | VMCB_EVENT_NMI | EXCEPTION_NMI;
	vmcb->intercepts1 |= VMCB_IRET;
}

void svm_nmi_done(struct vcpu *vcpu)
{
	vmcb_of(vcpu)->intercepts1 &= ~VMCB_IRET;
}
