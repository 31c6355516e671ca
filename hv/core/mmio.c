/* SPDX-License-Identifier: Apache-2.0 */
/* Placing and finding hooks; the views of single vcpus. */
#include "hv/core/mmio.h"
#include "hv/core/backend.h"
#include "hv/core/log.h"
#include "hv/core/memory.h"
#include "hv/core/mmio_find.h"
#include "hv/core/shootdown.h"

#define PAGE      4096ull
#define MAX_HOOKS 32

static struct mmio_hook *hooks[MAX_HOOKS];
static uint32_t hook_count;
/* Guards every nested page table; a shoot-down may be waited for while it is held. */
static struct port_lock npt_lock;

int mmio_add(struct mmio_hook *hook)
{
	if (hook_count == MAX_HOOKS)
		return -1;
	hook->bytes = 0;
	hooks[hook_count++] = hook;
	return 0;
}

/* `bytes` is the field a reader tests last and a mover clears first. */
struct mmio_hook *mmio_find(uint64_t gpa)
{
	for (uint32_t i = 0; i < hook_count; i++)
		if (gpa - __atomic_load_n(&hooks[i]->gpa, __ATOMIC_ACQUIRE) <
		    __atomic_load_n(&hooks[i]->bytes, __ATOMIC_ACQUIRE))
			return hooks[i];
	return NULL;
}

static int map_everywhere(uint64_t gpa, uint64_t bytes, unsigned access)
{
	for (uint32_t i = 0; i < vcpu_count; i++)
		if (npt_map(&vcpus[i]->npt, gpa, bytes, gpa, access))
			return -1;
	return 0;
}

static bool placeable(const struct mmio_hook *hook, uint64_t gpa, uint64_t bytes)
{
	if (gpa % PAGE || bytes % PAGE || !bytes || memory_touches_ram(gpa, bytes))
		return false;
	for (uint32_t i = 0; i < hook_count; i++)
		if (hooks[i] != hook && gpa < hooks[i]->gpa + hooks[i]->bytes && hooks[i]->gpa < gpa + bytes)
			return false;
	return true;
}

static void forget(struct mmio_hook *hook)
{
	uint64_t bytes = hook->bytes;

	if (!bytes)
		return;
	__atomic_store_n(&hook->bytes, 0, __ATOMIC_RELEASE);
	hook->revealed = 0;
	/* The tables are split already: this cannot run out of pages. */
	map_everywhere(hook->gpa, bytes, NPT_ALL);
}

int mmio_place(struct mmio_hook *hook, uint64_t gpa, uint64_t bytes, unsigned access)
{
	int result = -1;

	port_lock(&npt_lock);
	forget(hook);
	if (!placeable(hook, gpa, bytes)) {
		log_warning("%s: registers at %lx cannot be followed there; they are left alone", hook->name, gpa);
	} else if (map_everywhere(gpa, bytes, access)) {
		log_error("%s: no pages left for nested page tables", hook->name);
		map_everywhere(gpa, bytes, NPT_ALL);
	} else {
		__atomic_store_n(&hook->gpa, gpa, __ATOMIC_RELEASE);
		__atomic_store_n(&hook->bytes, bytes, __ATOMIC_RELEASE);
		result = 0;
	}
	npt_shootdown();
	port_unlock(&npt_lock);
	return result;
}

void mmio_remove(struct mmio_hook *hook)
{
	port_lock(&npt_lock);
	forget(hook);
	npt_shootdown();
	port_unlock(&npt_lock);
}

void mmio_reveal(struct mmio_hook *hook, const void *copy)
{
	struct vcpu *vcpu = this_vcpu();

	port_lock(&npt_lock);
	if (hook->bytes && !npt_map(&vcpu->npt, hook->gpa, hook->bytes, (uint64_t)copy, NPT_READ)) {
		hook->revealed |= 1ull << vcpu->index;
		backend->flush(vcpu);
	}
	port_unlock(&npt_lock);
}

/* The unlocked look is at our own bit, which only we set. */
void mmio_conceal(struct mmio_hook *hook, bool all_cpus)
{
	struct vcpu *self = this_vcpu();
	uint64_t mask = all_cpus ? UINT64_MAX : 1ull << self->index;

	if (!(__atomic_load_n(&hook->revealed, __ATOMIC_ACQUIRE) & mask))
		return;
	port_lock(&npt_lock);
	mask &= hook->revealed;
	for (uint32_t i = 0; i < vcpu_count; i++)
		if (mask >> i & 1 && hook->bytes)
			npt_map(&vcpus[i]->npt, hook->gpa, hook->bytes, hook->gpa, 0);
	hook->revealed &= ~mask;
	backend->flush(self);
	if (mask & ~(1ull << self->index))
		npt_shootdown();
	port_unlock(&npt_lock);
}

/* Whether the processor has such an address, and the tables can map it. */
static bool is_mappable(struct vcpu *vcpu, uint64_t gpa)
{
	struct walk_cpu cpu;

	backend->paging(vcpu, &cpu);
	return gpa < NPT_LIMIT && !(gpa >> cpu.physical_bits);
}

bool mmio_map_missing(struct vcpu *vcpu, uint64_t gpa)
{
	static uint32_t said;
	const uint64_t gib = 1ull << 30, start = gpa & ~(gib - 1);
	bool missing, mapped = false;

	port_lock(&npt_lock);
	missing = is_mappable(vcpu, gpa) && !npt_lookup(&vcpu->npt, gpa).access && !mmio_find(gpa) && !memory_is_ours(gpa, 1);
	if (missing)
		mapped = !npt_map_limited(&vcpu->npt, start, gib, start, NPT_ALL, &vcpu->missing_tables);
	port_unlock(&npt_lock);
	if (missing && !mapped && log_limited(&said))
		log_warning("cpu %u: no more device memory is mapped: nobody answers at %lx", vcpu->index, gpa);
	return mapped;
}

int mmio_hide_own_memory(void)
{
	const void *zeroes = memory_take(PAGE, PAGE);

	if (!zeroes)
		return -1;
	for (uint32_t i = 0; i < vcpu_count; i++)
		if (npt_map_same(&vcpus[i]->npt, memory_base(), memory_bytes(), (uint64_t)zeroes, NPT_READ))
			return -1;
	return 0;
}
