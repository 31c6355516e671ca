/* SPDX-License-Identifier: Apache-2.0 */
#include "hv/core/shootdown.h"
#include "hv/core/lapic.h"

static uint64_t generation;

void vcpu_wake(struct vcpu *vcpu)
{
	__atomic_add_fetch(&vcpu->kicks_begun, 1, __ATOMIC_SEQ_CST);
	lapic_send_nmi(vcpu->apic_id);
	__atomic_add_fetch(&vcpu->kicks_done, 1, __ATOMIC_SEQ_CST);
}

/*
 * NMIs merge, and one of ours may arrive long after its sender has announced it.
 * A kick is taken off the account only when its NMI was certainly pending before
 * the window: until then an NMI counts as ours. So a guest is never given an NMI
 * that was not its own; in a close race it may lose one of a device that met ours.
 */
enum nmi nmi_collect(struct vcpu *vcpu, enum window window)
{
	uint32_t before = vcpu->host_nmis, done = __atomic_load_n(&vcpu->kicks_done, __ATOMIC_SEQ_CST);
	bool ours = __atomic_load_n(&vcpu->kicks_begun, __ATOMIC_SEQ_CST) != vcpu->kicks_taken;

	backend->window(vcpu, window);
	if (__atomic_load_n(&vcpu->host_nmis, __ATOMIC_RELAXED) == before)
		return NMI_NONE;
	vcpu->kicks_taken = done;
	return ours ? NMI_KICK : NMI_GUESTS;
}

/*
 * The target sets in_guest, then reads the requests; we write the request, then
 * read in_guest, both sequentially consistent: one of us sees the other. An NMI
 * that meets the target between its look and its entry is held back until that, or
 * noted, and ends the entry at once.
 */
void vcpu_kick(struct vcpu *vcpu)
{
	if (__atomic_load_n(&vcpu->in_guest, __ATOMIC_SEQ_CST))
		vcpu_wake(vcpu);
}

void shootdown_serve(struct vcpu *vcpu)
{
	uint64_t wanted = __atomic_load_n(&vcpu->flush_wanted, __ATOMIC_SEQ_CST);

	if (wanted == vcpu->flush_done)
		return;
	backend->flush(vcpu);
	__atomic_store_n(&vcpu->flush_done, wanted, __ATOMIC_RELEASE);
}

static bool may_be_stale(const struct vcpu *vcpu, uint64_t wanted)
{
	return __atomic_load_n(&vcpu->in_guest, __ATOMIC_SEQ_CST) &&
	       __atomic_load_n(&vcpu->flush_done, __ATOMIC_ACQUIRE) < wanted;
}

/* flush_wanted only ever grows: of two requesters the later one speaks for both. */
static void request(struct vcpu *vcpu, uint64_t wanted)
{
	uint64_t seen = __atomic_load_n(&vcpu->flush_wanted, __ATOMIC_RELAXED);

	while (seen < wanted && !__atomic_compare_exchange_n(&vcpu->flush_wanted, &seen, wanted, false,
							   __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
		;
}

void npt_shootdown(void)
{
	struct vcpu *self = this_vcpu();
	uint64_t wanted = __atomic_add_fetch(&generation, 1, __ATOMIC_SEQ_CST);

	for (uint32_t i = 0; i < vcpu_count; i++) {
		if (!vcpus[i]->online)
			continue;
		request(vcpus[i], wanted);
		if (vcpus[i] != self)
			vcpu_kick(vcpus[i]);
	}
	for (uint32_t i = 0; i < vcpu_count; i++)
		while (vcpus[i] != self && vcpus[i]->online && may_be_stale(vcpus[i], wanted))
			cpu_pause();
}
