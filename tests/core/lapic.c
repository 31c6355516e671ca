/* SPDX-License-Identifier: Apache-2.0 */
/* The model processors' local APICs: priorities, interrupts in service, commands. APM volume 2, chapter 16. */
#include "hv/x86/registers.h"
#include "tests/core/cpu.h"
#include "tests/core/platform.h"

#define TPR 0x80u
#define PPR 0xa0u
#define EOI 0xb0u
#define ISR 0x100u

static int in_service(const struct model_cpu *it)
{
	for (int word = 7; word >= 0; word--)
		if (it->lapic[ISR / 16 + (unsigned)word])
			return 32 * word + 31 - __builtin_clz(it->lapic[ISR / 16 + (unsigned)word]);
	return -1;
}

static void set_priority(struct model_cpu *it)
{
	uint32_t task = it->lapic[TPR / 16] & 0xff, service = in_service(it) < 0 ? 0 : (uint32_t)in_service(it) & 0xf0;

	it->lapic[PPR / 16] = task >> 4 >= service >> 4 ? task : service;
}

void cpu_serve(struct model_cpu *it, uint8_t vector)
{
	it->lapic[ISR / 16 + vector / 32] |= 1u << vector % 32;
	set_priority(it);
}

bool cpu_serves_now(const struct model_cpu *it, uint8_t vector)
{
	return vector >> 4 > it->lapic[PPR / 16] >> 4;
}

void cpu_end_of_interrupt(struct model_cpu *it)
{
	int vector = in_service(it);

	if (vector >= 0)
		it->lapic[ISR / 16 + vector / 32] &= ~(1u << vector % 32);
	set_priority(it);
}

void cpu_lapic_set(struct model_cpu *it, uint32_t offset, uint32_t value)
{
	if (offset == EOI) {
		cpu_end_of_interrupt(it);
		return;
	}
	it->lapic[offset / 16] = value;
	set_priority(it);
}

void cpu_lapic_send(struct model_cpu *from, uint32_t low, uint32_t destination)
{
	unsigned mode = low >> 8 & 7, shorthand = low >> 18 & 3;

	from->sent[from->sent_count++ % 16] = (struct sent_interrupt){low, destination};
	if (mode == 5 || mode == 6)
		platform_violation("a real INIT or SIPI (%x) leaves for %x", low, destination);
	if (mode != 4)
		return;
	for (unsigned i = 0; i < cpu_count; i++) {
		bool broadcast = destination == 0xffffffff || (destination == 0xff && !(from->apic_base & APIC_BASE_X2APIC));
		bool meant = shorthand == 0 ? (low >> 11 & 1 ? cpus[i].lapic[0xd0 / 16] >> 24 & destination
							    : cpus[i].apic_id == destination) || broadcast
			     : shorthand == 1 ? &cpus[i] == from
					      : shorthand == 2 || &cpus[i] != from;

		if (meant)
			__atomic_store_n(&cpus[i].nmi_pending, 1, __ATOMIC_SEQ_CST);
	}
}
