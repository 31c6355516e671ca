/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/guest/lib/lapic.h"
#include "tests/guest/lib/traps.h"

#define SPURIOUS_ENABLED 0x100u
#define PIC_MASTER_MASK  0x21
#define PIC_SLAVE_MASK   0xa1

bool lapic_x2apic(void)
{
	return rdmsr(MSR_APIC_BASE) & APIC_BASE_X2APIC;
}

uint32_t lapic_read(uint32_t offset)
{
	if (lapic_x2apic())
		return (uint32_t)rdmsr(MSR_X2APIC_FIRST + (offset >> 4));
	return *(volatile uint32_t *)(LAPIC_PAGE + offset);
}

void lapic_write(uint32_t offset, uint32_t value)
{
	if (lapic_x2apic())
		wrmsr(MSR_X2APIC_FIRST + (offset >> 4), value);
	else
		*(volatile uint32_t *)(LAPIC_PAGE + offset) = value;
}

void lapic_send(uint32_t destination, uint32_t low)
{
	if (lapic_x2apic()) {
		wrmsr(MSR_X2APIC_ICR, (uint64_t)destination << 32 | low);
		return;
	}
	lapic_write(LAPIC_ICR_HIGH, destination << 24);
	lapic_write(LAPIC_ICR, low);
	while (lapic_read(LAPIC_ICR) & ICR_BUSY)
		cpu_pause();
}

void lapic_begin(void)
{
	port_out(PIC_MASTER_MASK, 1, 0xff);
	port_out(PIC_SLAVE_MASK, 1, 0xff);
	lapic_write(LAPIC_LVT_TIMER, LAPIC_MASKED);
	lapic_write(LAPIC_LVT_LINT0, LAPIC_MASKED);
	lapic_write(LAPIC_SPURIOUS, SPURIOUS_ENABLED | VECTOR_SPURIOUS);
	lapic_write(LAPIC_TPR, 0);
}
