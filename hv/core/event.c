/* SPDX-License-Identifier: Apache-2.0 */
#include "hv/core/event.h"
#include "hv/core/backend.h"
#include "hv/core/interrupts.h"

#define BREAKPOINT 3 /* #BP and #OF come from instructions */
#define OVERFLOW   4

/* NMIs are blocked from the beginning of a delivery on, also when that raises an exception. */
void inject_exception(struct vcpu *vcpu, enum exception vector, bool has_error, uint32_t error)
{
	if ((vcpu->event & (EVENT_VALID | EVENT_TYPE)) == (EVENT_VALID | EVENT_NMI))
		vcpu->nmi_pending = true;
	vcpu->event = EVENT_VALID | EVENT_EXCEPTION | vector;
	if (has_error)
		vcpu->event |= EVENT_HAS_ERROR | EVENT_ERROR(error);
}

void inject_page_fault(struct vcpu *vcpu, uint64_t address, uint32_t error)
{
	backend->write_cr2(vcpu, address);
	inject_exception(vcpu, EXCEPTION_PF, true, error);
}

/* The breakpoints of before go, the other causes stay until the guest clears them. */
void inject_debug(struct vcpu *vcpu, uint64_t causes)
{
	backend->write_dr6(vcpu, (backend->read_dr6(vcpu) & ~DR6_BREAKPOINTS) | causes);
	inject_exception(vcpu, EXCEPTION_DB, false, 0);
}

/*
 * Some emulators report an external interrupt as an exception with a vector of 32 or
 * more; and some deliver an injected one twice, so it is given anew by the backend's
 * own way. What an instruction asked for is not repeated: rip still points at it.
 */
void event_cut_short(struct vcpu *vcpu, uint64_t event)
{
	uint64_t type = event & EVENT_TYPE, vector = event & EVENT_VECTOR;

	vcpu->event = 0;
	if (!(event & EVENT_VALID))
		return;
	if (type == EVENT_INTERRUPT || (type == EVENT_EXCEPTION && vector >= 32))
		interrupt_taken(vcpu, (uint8_t)vector);
	else if (type == EVENT_NMI || (type == EVENT_EXCEPTION && vector != BREAKPOINT && vector != OVERFLOW))
		vcpu->event = event;
}
