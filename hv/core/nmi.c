/* SPDX-License-Identifier: Apache-2.0 */
#include "hv/core/nmi.h"
#include "hv/core/event.h"
#include "hv/core/shootdown.h"

void nmi_send(struct vcpu *vcpu)
{
	if (__atomic_load_n(&vcpu->life, __ATOMIC_SEQ_CST) != VCPU_RUNNING)
		return;
	__atomic_store_n(&vcpu->nmi_requested, 1, __ATOMIC_SEQ_CST);
	if (vcpu != this_vcpu())
		vcpu_kick(vcpu);
}

void nmi_take(struct vcpu *vcpu, enum window window)
{
	if (nmi_collect(vcpu, window) == NMI_GUESTS)
		vcpu->nmi_pending = true;
}

void nmi_serve(struct vcpu *vcpu)
{
	if (__atomic_load_n(&vcpu->nmi_requested, __ATOMIC_SEQ_CST) &&
	    __atomic_exchange_n(&vcpu->nmi_requested, 0, __ATOMIC_SEQ_CST))
		vcpu->nmi_pending = true;
	if (!vcpu->nmi_pending || !backend->takes_nmi(vcpu))
		return;
	vcpu->nmi_pending = false;
	vcpu->event = EVENT_VALID | EVENT_NMI | EXCEPTION_NMI;
}

/* What is blocked is the backend's to reset. */
void nmi_reset(struct vcpu *vcpu)
{
	vcpu->nmi_pending = false;
	__atomic_store_n(&vcpu->nmi_requested, 0, __ATOMIC_SEQ_CST);
}
