/* SPDX-License-Identifier: Apache-2.0 */
/* The local APIC in both modes: by its page, or by MSRs where x2APIC is on. */
#ifndef TESTS_GUEST_LIB_LAPIC_H
#define TESTS_GUEST_LIB_LAPIC_H

#include "tests/guest/lib/guest.h"

#define LAPIC_PAGE 0xfee00000ull

/* Register offsets in the page; >> 4 from MSR 800h on. */
enum {
	LAPIC_ID = 0x20,
	LAPIC_VERSION = 0x30,
	LAPIC_TPR = 0x80,
	LAPIC_EOI = 0xb0,
	LAPIC_LDR = 0xd0,
	LAPIC_DFR = 0xe0,
	LAPIC_SPURIOUS = 0xf0,
	LAPIC_ISR = 0x100,
	LAPIC_IRR = 0x200,
	LAPIC_ERROR = 0x280,
	LAPIC_ICR = 0x300,
	LAPIC_ICR_HIGH = 0x310,
	LAPIC_LVT_TIMER = 0x320,
	LAPIC_LVT_LINT0 = 0x350,
	LAPIC_LVT_LINT1 = 0x360,
	LAPIC_LVT_ERROR = 0x370,
	LAPIC_TIMER_INITIAL = 0x380,
	LAPIC_TIMER_CURRENT = 0x390,
	LAPIC_TIMER_DIVIDE = 0x3e0,
};

#define LAPIC_MASKED (1u << 16)

/* The command register's low word. */
#define ICR_FIXED   (0u << 8)
#define ICR_SMI     (2u << 8)
#define ICR_NMI     (4u << 8)
#define ICR_INIT    (5u << 8)
#define ICR_SIPI    (6u << 8)
#define ICR_LOGICAL (1u << 11)
#define ICR_BUSY    (1u << 12)
#define ICR_ASSERT  (1u << 14)
#define ICR_LEVEL   (1u << 15)
#define ICR_SELF    (1u << 18)
#define ICR_ALL     (2u << 18)
#define ICR_OTHERS  (3u << 18)

bool lapic_x2apic(void);
uint32_t lapic_read(uint32_t offset);
void lapic_write(uint32_t offset, uint32_t value);
/* Sends an interrupt and waits until it has gone. `destination` is an APIC id (or a logical one). */
void lapic_send(uint32_t destination, uint32_t low);
/* Software-enables it, masks the timer and LINT0, and masks the legacy interrupt controllers. */
void lapic_begin(void);

#endif
