/* SPDX-License-Identifier: Apache-2.0 */
/* Guest linear memory as the emulator sees it: walked, checked, RAM or hook. */
#include "hv/core/backend.h"
#include "hv/core/event.h"
#include "hv/core/host.h"
#include "hv/core/memory.h"
#include "hv/core/mmio_find.h"
#include "hv/x86/physical.h"
#include <string.h>

#define PAGE 4096ull

/*
 * Our own memory reads as zeroes and swallows writes; beyond what the host maps
 * nobody answers. The guest's tables may name any address.
 */
static bool is_reachable(uint64_t gpa, unsigned size)
{
	return host_maps(gpa, size) && !memory_is_ours(gpa, size);
}

/*
 * Where the processor itself has fetched code or walked tables for the guest, and
 * we do it again: any memory that is neither ours nor trapped. Firmware parks its
 * CPUs in memory that its map calls reserved, not RAM.
 */
static bool is_processors(uint64_t gpa, unsigned size)
{
	return is_reachable(gpa, size) && !mmio_find(gpa);
}

static int table_load(void *context, uint64_t gpa, unsigned size, uint64_t *value)
{
	(void)context;
	if (!is_processors(gpa, size))
		return -1;
	*value = physical_load(gpa, size);
	return 0;
}

static int table_update(void *context, uint64_t gpa, unsigned size, uint64_t expected, uint64_t value)
{
	(void)context;
	if (!is_processors(gpa, size))
		return -1;
	return physical_exchange(gpa, size, expected, value) ? 0 : 1;
}

static const struct walk_memory table_memory = {NULL, table_load, table_update};

static int walk(struct vcpu *vcpu, uint64_t linear, enum walk_access access, struct walk_result *result)
{
	struct walk_cpu cpu;

	backend->paging(vcpu, &cpu);
	return walk_translate(&cpu, &table_memory, linear, access, result);
}

static int translate(struct vcpu *vcpu, uint64_t linear, enum walk_access access, uint64_t *gpa)
{
	struct walk_result result = {0};
	int error = walk(vcpu, linear, access, &result);

	if (error > 0)
		inject_page_fault(vcpu, linear, result.fault_error);
	else if (error < 0)
		inject_exception(vcpu, EXCEPTION_GP, true, 0);
	*gpa = result.gpa;
	return error;
}

/* Device memory that nobody hooked is accessed with the width the guest used. */
uint64_t guest_mapped_load(uint64_t gpa, unsigned size)
{
	const struct mmio_hook *hook = mmio_find(gpa);

	if (hook)
		return hook->read(hook->context, gpa - hook->gpa, size);
	if (is_reachable(gpa, size))
		return physical_load(gpa, size);
	return memory_is_ours(gpa, size) ? 0 : UINT64_MAX >> (64 - 8 * size);
}

void guest_mapped_store(uint64_t gpa, unsigned size, uint64_t value)
{
	const struct mmio_hook *hook = mmio_find(gpa);

	if (hook)
		hook->write(hook->context, gpa - hook->gpa, size, value);
	else if (is_reachable(gpa, size))
		physical_store(gpa, size, value);
}

/* An access that crosses a page is made byte by byte, after both pages have translated. */
int guest_load(void *context, uint64_t linear, unsigned size, uint64_t *value)
{
	uint64_t gpa, next;

	if (translate(context, linear, WALK_READ, &gpa))
		return -1;
	if (gpa % PAGE + size <= PAGE) {
		*value = guest_mapped_load(gpa, size);
		return 0;
	}
	if (translate(context, (linear | (PAGE - 1)) + 1, WALK_READ, &next))
		return -1;
	*value = 0;
	for (unsigned i = 0, left = (unsigned)(PAGE - gpa % PAGE); i < size; i++)
		*value |= guest_mapped_load(i < left ? gpa + i : next + i - left, 1) << 8 * i;
	return 0;
}

int guest_probe_store(struct vcpu *vcpu, uint64_t linear, unsigned size)
{
	uint64_t gpa;

	if (translate(vcpu, linear, WALK_WRITE, &gpa))
		return -1;
	return gpa % PAGE + size <= PAGE ? 0 : translate(vcpu, (linear | (PAGE - 1)) + 1, WALK_WRITE, &gpa);
}

int guest_store(void *context, uint64_t linear, unsigned size, uint64_t value)
{
	uint64_t gpa, next;

	if (translate(context, linear, WALK_WRITE, &gpa))
		return -1;
	if (gpa % PAGE + size <= PAGE) {
		guest_mapped_store(gpa, size, value);
		return 0;
	}
	if (translate(context, (linear | (PAGE - 1)) + 1, WALK_WRITE, &next))
		return -1;
	for (unsigned i = 0, left = (unsigned)(PAGE - gpa % PAGE); i < size; i++)
		guest_mapped_store(i < left ? gpa + i : next + i - left, 1, value >> 8 * i & 0xff);
	return 0;
}

int guest_system_copy(struct vcpu *vcpu, uint64_t linear, void *bytes, unsigned count, bool store)
{
	struct walk_cpu cpu;

	backend->paging(vcpu, &cpu);
	cpu.cpl = 0;
	cpu.rflags |= RFLAGS_AC; /* SMAP is for explicit accesses */
	for (unsigned done = 0; done < count; done++) {
		struct walk_result result = {0};
		int error = walk_translate(&cpu, &table_memory, linear + done, store ? WALK_WRITE : WALK_READ, &result);

		if (error || !is_processors(result.gpa, 1)) {
			if (error > 0)
				inject_page_fault(vcpu, linear + done, result.fault_error);
			else
				inject_exception(vcpu, EXCEPTION_GP, true, 0);
			return -1;
		}
		if (store)
			physical_store(result.gpa, 1, ((uint8_t *)bytes)[done]);
		else
			((uint8_t *)bytes)[done] = (uint8_t)physical_load(result.gpa, 1);
	}
	return 0;
}

/* RAM that nobody hooked is copied; anything else gets its bytes one by one. */
static uint8_t *plain_memory(uint64_t gpa, unsigned bytes)
{
	return mmio_find(gpa) ? NULL : memory_guest(gpa, bytes);
}

int guest_load_block(struct vcpu *vcpu, uint64_t linear, unsigned bytes, void *data)
{
	uint64_t gpa;

	if (translate(vcpu, linear, WALK_READ, &gpa))
		return -1;
	const uint8_t *memory = plain_memory(gpa, bytes);

	if (memory)
		memcpy(data, memory, bytes);
	for (unsigned i = 0; !memory && i < bytes; i++)
		((uint8_t *)data)[i] = (uint8_t)guest_mapped_load(gpa + i, 1);
	return 0;
}

int guest_store_block(struct vcpu *vcpu, uint64_t linear, unsigned bytes, const void *data)
{
	uint64_t gpa;

	if (translate(vcpu, linear, WALK_WRITE, &gpa))
		return -1;
	uint8_t *memory = plain_memory(gpa, bytes);

	if (memory)
		memcpy(memory, data, bytes);
	for (unsigned i = 0; !memory && i < bytes; i++)
		guest_mapped_store(gpa + i, 1, ((const uint8_t *)data)[i]);
	return 0;
}

/*
 * An instruction in trapped registers is not ours to emulate. The second page may be absent when the instruction ends before it.
 */
unsigned guest_fetch(struct vcpu *vcpu, uint8_t bytes[INSN_MAX_BYTES])
{
	struct insn_cpu cpu;
	unsigned count = 0;

	backend->insn_cpu(vcpu, &cpu);
	uint64_t linear = cpu.mode == INSN_MODE_64 ? cpu.rip : (uint32_t)(cpu.rip + cpu.segment_base[SEG_CS]);

	while (count < INSN_MAX_BYTES) {
		struct walk_result result = {0};
		unsigned left = (unsigned)(PAGE - linear % PAGE);
		unsigned part = left < INSN_MAX_BYTES - count ? left : INSN_MAX_BYTES - count;

		if (walk(vcpu, linear, WALK_FETCH, &result)) {
			if (!count)
				inject_page_fault(vcpu, linear, result.fault_error);
			break;
		}
		if (!is_processors(result.gpa, part)) {
			if (!count)
				inject_exception(vcpu, EXCEPTION_GP, true, 0);
			break;
		}
		physical_copy(bytes + count, result.gpa, part);
		count += part;
		linear += part;
	}
	return count;
}

/*
 * SMEP and SMAP as if they were on keep user pages out, and with them protection
 * keys, which the walk does not know.
 */
bool guest_peek(struct vcpu *vcpu, uint64_t linear, enum walk_access access, uint64_t *gpa)
{
	struct walk_result result = {0};
	struct walk_cpu cpu;

	backend->paging(vcpu, &cpu);
	cpu.cr4 |= CR4_SMEP | CR4_SMAP;
	cpu.rflags &= ~RFLAGS_AC;
	if (cpu.cpl == 3 || walk_translate(&cpu, &table_memory, linear, access, &result))
		return false;
	*gpa = result.gpa;
	return true;
}
