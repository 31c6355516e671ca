/* SPDX-License-Identifier: Apache-2.0 */
/* The local APIC of this CPU, in whichever mode it is. APM volume 2, table 16-2. */
#ifndef HV_CORE_LAPIC_REGISTERS_H
#define HV_CORE_LAPIC_REGISTERS_H

#include "hv/x86/physical.h"
#include "hv/x86/registers.h"

#define LAPIC_PAGE 0xfee00000ull

enum lapic_register {
	LAPIC_VERSION = 0x30,
	LAPIC_TPR = 0x80,
	LAPIC_PPR = 0xa0,
	LAPIC_EOI = 0xb0,
	LAPIC_LDR = 0xd0,
	LAPIC_DFR = 0xe0,
	LAPIC_SPURIOUS = 0xf0,
	LAPIC_ISR = 0x100, /* eight words, 16 bytes apart */
	LAPIC_IRR = 0x200,
	LAPIC_ERROR = 0x280,
	LAPIC_ICR_LOW = 0x300,
	LAPIC_ICR_HIGH = 0x310,
	LAPIC_LVT_TIMER = 0x320,
	LAPIC_LVT_THERMAL = 0x330,
	LAPIC_LVT_COUNTER = 0x340,
	LAPIC_LVT_LINT0 = 0x350,
	LAPIC_LVT_LINT1 = 0x360,
	LAPIC_LVT_ERROR = 0x370,
	LAPIC_TIMER_INITIAL = 0x380,
	LAPIC_TIMER_DIVIDE = 0x3e0,
};

static inline uint32_t lapic_page_read(uint64_t offset)
{
	return (uint32_t)physical_load(LAPIC_PAGE + offset, 4);
}

static inline void lapic_page_write(uint64_t offset, uint32_t value)
{
	physical_store(LAPIC_PAGE + offset, 4, value);
}

static inline bool lapic_x2apic(void)
{
	return rdmsr(MSR_APIC_BASE) & APIC_BASE_X2APIC;
}

static inline uint32_t lapic_get(uint32_t offset)
{
	return lapic_x2apic() ? (uint32_t)rdmsr(MSR_X2APIC_FIRST + (offset >> 4))
			      : lapic_page_read(offset);
}

static inline void lapic_set(uint32_t offset, uint32_t value)
{
	if (lapic_x2apic())
		wrmsr(MSR_X2APIC_FIRST + (offset >> 4), value);
	else
		lapic_page_write(offset, value);
}

#endif
