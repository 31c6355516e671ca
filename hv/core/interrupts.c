/* SPDX-License-Identifier: Apache-2.0 */
#include "hv/core/interrupts.h"
#include "hv/core/lapic.h"
#include "hv/core/lapic_registers.h"
#include "hv/core/mediator.h"
#include "hv/core/nmi.h"
#include "hv/core/shootdown.h"

#define WORDS 4

/*
 * A vcpu sets in_guest, then reads its count; we raise the count, then read
 * in_guest, both sequentially consistent. `watched` says what the entry under way
 * has decided, and is 0 outside the guest: one that is found set belongs to an
 * entry that has read a count above 0, and every later one reads ours.
 */
static bool is_blind(const struct vcpu *vcpu)
{
	return __atomic_load_n(&vcpu->in_guest, __ATOMIC_SEQ_CST) &&
	       !__atomic_load_n(&vcpu->watched, __ATOMIC_SEQ_CST);
}

void interrupts_watch(uint64_t cpus)
{
	const struct vcpu *self = this_vcpu();

	for (uint64_t left = cpus; left; left &= left - 1)
		__atomic_add_fetch(&vcpus[__builtin_ctzll(left)]->watches, 1, __ATOMIC_SEQ_CST);
	for (uint64_t left = cpus; left; left &= left - 1) {
		struct vcpu *vcpu = vcpus[__builtin_ctzll(left)];

		if (vcpu == self || !is_blind(vcpu))
			continue;
		vcpu_kick(vcpu);
		while (is_blind(vcpu))
			cpu_pause();
	}
}

void interrupts_unwatch(uint64_t cpus)
{
	for (; cpus; cpus &= cpus - 1)
		__atomic_sub_fetch(&vcpus[__builtin_ctzll(cpus)]->watches, 1, __ATOMIC_SEQ_CST);
}

/*
 * NMIs come in the same window. Where nobody watches any more, and the guest has
 * taken what it was given, the interrupt stays where it is: with the next entry
 * the exits end, and the guest takes it by itself.
 */
void interrupt_exit(struct vcpu *vcpu)
{
	if (!__atomic_load_n(&vcpu->watches, __ATOMIC_SEQ_CST) && !interrupts_waiting(vcpu))
		return;
	nmi_take(vcpu, WINDOW_INTERRUPT);
	lapic_interrupted(vcpu);
	mediators_interrupt(vcpu->index);
}

void interrupt_taken(struct vcpu *vcpu, uint8_t vector)
{
	vcpu->taken[vector / 64] |= 1ull << vector % 64;
}

/* The highest, as the local APIC has it; negative when there is none. */
static int highest(const struct vcpu *vcpu)
{
	for (int word = WORDS - 1; word >= 0; word--)
		if (vcpu->taken[word])
			return 64 * word + 63 - __builtin_clzll(vcpu->taken[word]);
	return -1;
}

bool interrupts_waiting(const struct vcpu *vcpu)
{
	return highest(vcpu) >= 0 || backend->pending_interrupt((struct vcpu *)vcpu) >= 0;
}

/* One that has been taken is in service, as are those that the guest has not ended: it comes when they have been. */
static bool comes_later(int vector)
{
	return lapic_get(LAPIC_PPR) >> 4 > (uint32_t)vector >> 4;
}

/*
 * A higher one may have come before the guest could take the one that it was given.
 * Some emulators report a delivery that an exit cut short, and leave it pending as well.
 */
static void give(struct vcpu *vcpu)
{
	int vector = highest(vcpu), given = backend->pending_interrupt(vcpu);

	if (vector < 0 || given > vector || comes_later(vector))
		return;
	vcpu->taken[vector / 64] &= ~(1ull << vector % 64);
	if (given >= 0 && given != vector)
		interrupt_taken(vcpu, (uint8_t)given);
	backend->pend_interrupt(vcpu, (uint8_t)vector);
}

/*
 * As long as the guest has not taken what it was given, the next one exits too: some
 * emulators forget a virtual interrupt when another one overtakes it. One that has
 * to wait for the other's handler is given at an exit after its end of interrupt, at
 * the latest when the handler returns.
 */
void interrupts_serve(struct vcpu *vcpu)
{
	bool watched = __atomic_load_n(&vcpu->watches, __ATOMIC_SEQ_CST);

	give(vcpu);
	watched |= backend->pending_interrupt(vcpu) >= 0;
	backend->watch_interrupts(vcpu, watched);
	if (watched)
		__atomic_store_n(&vcpu->watched, 1, __ATOMIC_SEQ_CST);
	if (highest(vcpu) >= 0)
		backend->watch_return(vcpu);
}

void interrupts_reset(struct vcpu *vcpu)
{
	for (unsigned word = 0; word < WORDS; word++)
		vcpu->taken[word] = 0;
}
