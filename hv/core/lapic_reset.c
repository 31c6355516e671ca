/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What INIT makes of a local APIC, by hand: our CPUs never get a real one. APM
 * volume 2, 16.3.2 and table 14-2. The command register keeps its contents:
 * writing it would send.
 */
#include "hv/core/backend.h"
#include "hv/core/lapic.h"
#include "hv/core/lapic_registers.h"
#include "hv/core/shootdown.h"

#define VECTORS         256
#define SPURIOUS_INIT   0xffu
#define SPURIOUS_ENABLE 0x100u
#define MASKED          (1u << 16)

static bool any_set(uint32_t first)
{
	uint32_t bits = 0;

	for (uint32_t word = 0; word < VECTORS / 32; word++)
		bits |= lapic_get(first + word * 16);
	return bits;
}

/* Requests cannot be cleared: they are taken, and ended; the guest is given none of them (interrupts_reset). */
static void drain(struct vcpu *vcpu)
{
	lapic_set(LAPIC_TPR, 0);
	lapic_set(LAPIC_SPURIOUS, SPURIOUS_ENABLE | SPURIOUS_INIT);
	for (unsigned turn = 0; turn < 2 * VECTORS && (any_set(LAPIC_ISR) || any_set(LAPIC_IRR)); turn++) {
		interrupts_on();
		nmi_collect(vcpu, WINDOW_PASS);
		interrupts_off();
		lapic_set(LAPIC_EOI, 0);
	}
	lapic_set(LAPIC_SPURIOUS, SPURIOUS_INIT);
}

void lapic_reset(struct vcpu *vcpu)
{
	static const uint16_t lvt[] = {LAPIC_LVT_THERMAL, LAPIC_LVT_COUNTER, LAPIC_LVT_LINT0, LAPIC_LVT_LINT1,
				       LAPIC_LVT_ERROR};
	uint32_t entries = lapic_get(LAPIC_VERSION) >> 16 & 0xff; /* without the timer's */

	lapic_set(LAPIC_TIMER_INITIAL, 0);
	lapic_set(LAPIC_LVT_TIMER, MASKED);
	/* The thermal and the counter entry are there when at least five are (APM 16.3.4). */
	for (unsigned i = entries >= 5 ? 0 : entries >= 4 ? 1 : 2; i < sizeof(lvt) / sizeof(lvt[0]); i++)
		lapic_set(lvt[i], MASKED);
	drain(vcpu);
	lapic_set(LAPIC_TIMER_DIVIDE, 0);
	if (!lapic_x2apic()) {
		lapic_set(LAPIC_LDR, 0);
		lapic_set(LAPIC_DFR, UINT32_MAX);
		lapic_note_logical(vcpu);
	}
	lapic_set(LAPIC_ERROR, 0);
	lapic_set(LAPIC_ERROR, 0);
}
