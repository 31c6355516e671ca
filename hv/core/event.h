/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The event that a vcpu takes at its next entry: vcpu->event, 0 when there is none.
 * Both vendors code it alike: APM volume 2, 15.20; SDM volume 3, 25.8.3 and 25.9.2.
 * A pending event is replaced; an NMI comes again when its handler's would have returned. On the vcpu's own CPU, outside the guest.
 */
#ifndef HV_CORE_EVENT_H
#define HV_CORE_EVENT_H

#include "hv/core/vcpu.h"
#include "hv/x86/registers.h"

#define EVENT_VECTOR     0xffull
#define EVENT_TYPE       (7ull << 8)
#define EVENT_INTERRUPT  (0ull << 8) /* an external one */
#define EVENT_NMI        (2ull << 8)
#define EVENT_EXCEPTION  (3ull << 8)
#define EVENT_SOFTWARE   (4ull << 8) /* and more: those that an instruction asks for */
#define EVENT_HAS_ERROR  (1ull << 11)
#define EVENT_VALID      (1ull << 31)
#define EVENT_ERROR(x)   ((uint64_t)(x) << 32)

/*
 * Exceptions, a bit each, whose delivery a guest can have raise the same one again, and so on without an end, in which the
 * processor looks for no signal of ours; so there is an exit at each. APM volume 2, 15.12. Others end in a
 * shutdown, or are not raised by a delivery.
 */
#define EVENT_ENDLESS (1u << EXCEPTION_DB | 1u << EXCEPTION_AC)

void inject_exception(struct vcpu *vcpu, enum exception vector, bool has_error, uint32_t error);
void inject_page_fault(struct vcpu *vcpu, uint64_t address, uint32_t error);
/* #DB as a trap: `causes` are the bits of DR6. */
void inject_debug(struct vcpu *vcpu, uint64_t causes);

/* An exit has cut the delivery of this event short (0: of none): what of it is to be delivered again. */
void event_cut_short(struct vcpu *vcpu, uint64_t event);

#endif
