/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When the guest takes an NMI. The processor does not tell when the handler of the
 * one before has ended: its IRET is intercepted, and when one waits already, stepped
 * over by the trap flag. APM volume 2, 15.21.
 */
#include "hv/svm/svm.h"
#include "hv/core/shootdown.h"

/* One is about to be delivered. */
void svm_nmi_begins(struct vcpu *vcpu)
{
	struct svm_state *svm = vcpu->backend;

	svm->nmi_blocked = true;
	svm->nmi_returning = false;
	svm->vmcb.intercepts1 |= VMCB_IRET;
}

void svm_nmi_reset(struct svm_state *svm)
{
	svm->nmi_blocked = svm->nmi_returning = false;
	svm->vmcb.intercepts1 &= ~VMCB_IRET;
}

/*
 * NMIs stay blocked until the IRET has been executed, and we see it before: an NMI
 * that came now would be nested in the handler, and on a stack of its own, as
 * systems have it, overwrite the frame that IRET is about to read.
 */
void svm_iret(struct vcpu *vcpu)
{
	struct svm_state *svm = vcpu->backend;

	svm->iret_ahead = true;
	svm->vmcb.intercepts1 &= ~VMCB_IRET;
	if (!svm->nmi_blocked || svm->nmi_returning)
		return;
	svm->nmi_returning = true;
	svm->nmi_return_rip = vcpu->rip;
	svm->nmi_return_rsp = vcpu->gpr[4];
}

/* At every exit: whether the IRET is behind us. */
void svm_note_return(struct vcpu *vcpu)
{
	struct svm_state *svm = vcpu->backend;

	if (svm->nmi_returning && (vcpu->rip != svm->nmi_return_rip || vcpu->gpr[4] != svm->nmi_return_rsp))
		svm->nmi_blocked = svm->nmi_returning = false;
}

/* One instruction, by the trap flag. */
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
 * What is the guest's own #DB, it gets. The instruction may have loaded the flags
 * (IRET): only where none has been executed is the trap flag ours to clear.
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
		inject_exception(vcpu, EXCEPTION_DB, false, 0);
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
		inject_exception(vcpu, EXCEPTION_AC, true, 0);
	} else if (svm->stepping) {
		stepped(vcpu);
	} else {
		inject_exception(vcpu, EXCEPTION_DB, false, 0);
	}
}

/*
 * Where another event comes first, there is an exit right after it, by a signal to
 * ourselves. Where it is an exception at the IRET, the next IRET, that of its handler,
 * opens NMIs, as it does in the processor.
 */
bool svm_takes_nmi(struct vcpu *vcpu)
{
	struct svm_state *svm = vcpu->backend;

	if (svm->nmi_returning && vcpu->event) {
		svm->nmi_returning = false;
		svm->vmcb.intercepts1 |= VMCB_IRET;
	} else if (svm->nmi_returning) {
		svm_step(vcpu);
	} else if (!svm->nmi_blocked && vcpu->event) {
		vcpu_wake(vcpu);
	}
	return !svm->nmi_blocked && !vcpu->event;
}
