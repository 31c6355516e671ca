/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the guest takes at an entry. NMIs are virtual ones: the processor knows whether one
 * is in its handler. Where something cannot be given yet, the window for it exits. SDM
 * volume 3, 25.6, 27.3.1.5, 27.6.
 */
#include "hv/vmx/vmx.h"

#define BLOCKED_BY_INSTRUCTION (BLOCKED_BY_STI | BLOCKED_BY_MOV_SS)
#define PENDING_STEP           (1ull << 14) /* of the pending debug exceptions */
#define DEBUGCTL_BRANCH_STEP   (1ull << 1)
#define ERROR_BITS             0xffffull

bool vmx_takes_nmi(struct vcpu *vcpu)
{
	if (!vcpu->event && !(vmread(VMCS_INTERRUPTIBILITY) & (BLOCKED_BY_NMI | BLOCKED_BY_INSTRUCTION)))
		return true;
	vmx_of(vcpu)->watch_nmi = true;
	return false;
}

void vmx_watch_interrupts(struct vcpu *vcpu, bool on)
{
	vmx_of(vcpu)->watch_interrupts = on;
	vmx_of(vcpu)->held &= on;
}

void vmx_pend_interrupt(struct vcpu *vcpu, uint8_t vector)
{
	vmx_of(vcpu)->pending = vector;
}

int vmx_pending_interrupt(struct vcpu *vcpu)
{
	return vmx_of(vcpu)->pending;
}

void vmx_watch_return(struct vcpu *vcpu)
{
	vmx_of(vcpu)->watch_return = true;
}

static bool interruptible(const struct vcpu *vcpu, uint32_t state)
{
	return vcpu->rflags & RFLAGS_IF && !(state & BLOCKED_BY_INSTRUCTION);
}

/*
 * These exits come whether the guest takes interrupts or not. One that it does not take
 * stays in the local APIC, where its priority is still the guest's to change.
 */
bool vmx_holds_interrupt(struct vcpu *vcpu)
{
	return vmx_of(vcpu)->held = !interruptible(vcpu, (uint32_t)vmread(VMCS_INTERRUPTIBILITY));
}

/*
 * The checks of 27.2.1.3 and 27.3.1.5 on what is injected: in real mode no exception
 * has an error code; a halted CPU takes no exception; an NMI that is delivered again
 * is not in its handler.
 */
static void write_event(struct vcpu *vcpu, uint64_t event, uint32_t state)
{
	/* A fault's frame has RF set; the processor takes it from the flags that it is entered with. */
	if ((event & EVENT_TYPE) == EVENT_EXCEPTION && (event & EVENT_VECTOR) != EXCEPTION_DB)
		vcpu->rflags |= RFLAGS_RF;
	if (!(vmread(VMCS_GUEST_CR0) & CR0_PE))
		event &= ~EVENT_HAS_ERROR;
	if (event & EVENT_HAS_ERROR)
		vmwrite(VMCS_ENTRY_ERROR, event >> 32 & ERROR_BITS);
	if ((event & EVENT_TYPE) == EVENT_NMI && state & BLOCKED_BY_NMI)
		vmwrite(VMCS_INTERRUPTIBILITY, state & ~BLOCKED_BY_NMI);
	if (vmread(VMCS_ACTIVITY) == ACTIVITY_HALTED)
		vmwrite(VMCS_ACTIVITY, ACTIVITY_ACTIVE);
	vmwrite(VMCS_ENTRY_EVENT, (uint32_t)event);
}

/* An entry with such blocking wants to find a step pending where the guest steps (27.3.1.5), and only there. */
static void match_step(const struct vcpu *vcpu)
{
	bool step = vcpu->rflags & RFLAGS_TF && !(vmread(VMCS_GUEST_DEBUGCTL) & DEBUGCTL_BRANCH_STEP);
	uint64_t pending = vmread(VMCS_PENDING_DEBUG);

	if (step != !!(pending & PENDING_STEP))
		vmwrite(VMCS_PENDING_DEBUG, pending ^ PENDING_STEP);
}

/* While STI blocks, an NMI's window may stand open already, on processors that give none then. */
static void write_controls(struct vmx_state *vmx, uint32_t state)
{
	bool by_sti = vmx->watch_nmi && state & BLOCKED_BY_STI;
	bool interrupt_window = vmx->watch_return || by_sti || vmx->held || (vmx->pending >= 0 && !vmx->giving);
	uint32_t primary = vmx->primary, pin = vmx->pin;

	primary |= interrupt_window ? PRIMARY_INTERRUPT_WINDOW : 0;
	primary |= vmx->watch_nmi && !by_sti ? PRIMARY_NMI_WINDOW : 0;
	pin |= vmx->watch_interrupts && !vmx->held ? PIN_INTERRUPT : 0;
	vmwrite(VMCS_PRIMARY, primary);
	vmwrite(VMCS_PIN, pin);
}

void vmx_prepare_events(struct vcpu *vcpu)
{
	struct vmx_state *vmx = vmx_of(vcpu);
	uint32_t state = (uint32_t)vmread(VMCS_INTERRUPTIBILITY);
	uint64_t event = vcpu->event;

	vmx->held = vmx->held && !interruptible(vcpu, state);
	vmx->giving = !event && vmx->pending >= 0 && interruptible(vcpu, state);
	if (vmx->giving)
		event = EVENT_VALID | EVENT_INTERRUPT | (uint64_t)vmx->pending;
	if (event)
		write_event(vcpu, event, state);
	else
		vmwrite(VMCS_ENTRY_EVENT, 0);
	if (state & BLOCKED_BY_INSTRUCTION)
		match_step(vcpu);
	write_controls(vmx, state);
}

void vmx_finish_events(struct vcpu *vcpu)
{
	struct vmx_state *vmx = vmx_of(vcpu);
	uint64_t vectoring = vmread(VMCS_VECTORING) & (EVENT_VALID | EVENT_HAS_ERROR | EVENT_TYPE | EVENT_VECTOR);

	if (vmx->giving)
		vmx->pending = -1;
	vmx->giving = false;
	if (vectoring & EVENT_VALID && vectoring & EVENT_HAS_ERROR)
		vectoring |= EVENT_ERROR(vmread(VMCS_VECTORING_ERROR));
	/* An event that goes to a task is delivered by the switch. */
	event_cut_short(vcpu, (uint16_t)vmread(VMCS_EXIT_REASON) == VMX_EXIT_TASK_SWITCH ? 0 : vectoring);
}
