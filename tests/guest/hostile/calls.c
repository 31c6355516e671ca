/* SPDX-License-Identifier: Apache-2.0 */
/* Hypercalls with any number and argument; interrupts to other CPUs and to itself. */
#include "tests/guest/hostile/hostile.h"
#include "tests/guest/lib/lapic.h"
#include "hv/core/hypercall.h"

void do_hypercall(struct fuzzer *f)
{
	struct run r;

	run_prepare(&r, NULL);
	for (unsigned i = 0; i < 16; i++)
		if (i != 4)
			r.gpr[i] = draw_value(f);
	r.gpr[0] = one_in(f, 8) ? draw_value(f) : HYPERCALL_MAGIC;
	r.gpr[3] = one_in(f, 3) ? draw_value(f) : draw_below(f, 6);
	if (one_in(f, 2))
		r.gpr[1] = draw_below(f, 70);
	doing(f, "hypercall", r.gpr[3], r.gpr[1], r.gpr[2]);
	run_bytes(&r, (const uint8_t[]){0x0f, 0x01, 0xd9}, 3);
}

/*
 * Left out: SMIs, which this firmware has no handler for; INIT, which the boot
 * CPU sends when it is ready to start the others again (main.c); vectors that
 * would look like exceptions.
 */
void do_interrupt(struct fuzzer *f)
{
	static const uint32_t modes[] = {ICR_FIXED, ICR_FIXED, 1u << 8, ICR_NMI, ICR_SIPI, 3u << 8};
	static const uint32_t targets[] = {0, 0, 0, ICR_LOGICAL, ICR_SELF, ICR_ALL, ICR_OTHERS};
	uint32_t low = modes[draw_below(f, 6)] | targets[draw_below(f, 7)];
	uint32_t destination = one_in(f, 4) ? (uint32_t)draw_below(f, 256) : cpus[draw_below(f, machine.cpus)]->apic_id;
	uint32_t vector = (uint32_t)(32 + draw_below(f, 224));

	low |= vector == VECTOR_RUN_DONE ? VECTOR_WAKE : vector;
	low |= one_in(f, 4) ? 0 : ICR_ASSERT;
	low |= one_in(f, 8) ? ICR_LEVEL : 0;
	/* A SIPI is nothing to a CPU that runs; to one that waits for it, it is the boot CPU's to send. */
	if ((low & (7u << 8)) == ICR_SIPI)
		low = (low & ~0xffu) | cpu_start_vector();
	doing(f, "interrupt", low, destination, 0);
	/* Left out: an NMI to a CPU that is on its way from its start and has no table of handlers yet. */
	config_lock();
	lapic_send(destination, low);
	config_unlock();
}
