/* SPDX-License-Identifier: Apache-2.0 */
#include "hv/core/nmi.h"
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

/*
 * NMIs stay blocked until the IRET has been executed, and we see it before: an NMI
 * that came now would be nested in the handler, and on a stack of its own, as
 * systems have it, overwrite the frame that IRET is about to read.
 */
void nmi_handler_ends(struct vcpu *vcpu)
{
	vcpu->nmi_returning = true;
	vcpu->nmi_return_rip = vcpu->rip;
	vcpu->nmi_return_rsp = vcpu->gpr[4];
}

static bool has_returned(const struct vcpu *vcpu)
{
	return vcpu->nmi_returning && (vcpu->rip != vcpu->nmi_return_rip || vcpu->gpr[4] != vcpu->nmi_return_rsp);
}

/* An exception came instead: the next IRET, that of its handler, opens NMIs, as it does in the processor. */
static void watch_next(struct vcpu *vcpu)
{
	vcpu->nmi_returning = false;
	backend->watch_iret(vcpu, true);
}

static void inject(struct vcpu *vcpu)
{
	vcpu->nmi_pending = false;
	vcpu->nmi_blocked = true;
	vcpu->nmi_returning = false;
	backend->inject_nmi(vcpu);
	backend->watch_iret(vcpu, true);
}

void nmi_again(struct vcpu *vcpu)
{
	vcpu->nmi_pending = true;
}

/* Where an NMI has to wait for an instruction or for another event, there is an exit right after it. */
void nmi_serve(struct vcpu *vcpu)
{
	if (__atomic_load_n(&vcpu->nmi_requested, __ATOMIC_SEQ_CST) &&
	    __atomic_exchange_n(&vcpu->nmi_requested, 0, __ATOMIC_SEQ_CST))
		vcpu->nmi_pending = true;
	if (has_returned(vcpu))
		vcpu->nmi_blocked = vcpu->nmi_returning = false;
	if (!vcpu->nmi_pending)
		return;
	bool other_event = backend->injection_pending(vcpu);

	if (vcpu->nmi_returning && other_event)
		watch_next(vcpu);
	else if (vcpu->nmi_returning)
		backend->step(vcpu);
	else if (!vcpu->nmi_blocked && other_event)
		vcpu_wake(vcpu);
	else if (!vcpu->nmi_blocked)
		inject(vcpu);
}

void nmi_reset(struct vcpu *vcpu)
{
	vcpu->nmi_pending = vcpu->nmi_blocked = vcpu->nmi_returning = false;
	__atomic_store_n(&vcpu->nmi_requested, 0, __ATOMIC_SEQ_CST);
}
