/* SPDX-License-Identifier: Apache-2.0 */
#include "hv/core/hypercall.h"
#include "hv/core/backend.h"
#include "hv/core/event.h"
#include "hv/core/counters.h"
#include "hv/core/hypercall_exit.h"
#include "hv/core/lapic.h"
#include "hv/core/log.h"
#include "hv/core/memory.h"
#include "hv/core/msr.h"
#include <string.h>

enum { RAX, RCX, RDX, RBX, RSI = 6 };

/* What may be told of a volume. */
static struct volume_facts {
	uint64_t first_lba, last_lba;
	uint64_t sector_and_unit, place;
	char uuid[48];
} volumes[BOOT_MAX_VOLUMES];
static uint32_t volume_count;
static uint64_t weak_policy; /* enum hypercall_policy */

/* Where on its controller the disk is. */
static uint64_t unit_of(const struct boot_volume *volume)
{
	return volume->controller == BOOT_CONTROLLER_NVME ? volume->namespace_id : volume->port;
}

void hypercall_init(const struct boot_info *info)
{
	weak_policy = info->policy.icr == BOOT_ICR_FAST ? HYPERCALL_ICR_FAST : 0;
	volume_count = info->volumes;
	for (uint32_t i = 0; i < volume_count; i++) {
		const struct boot_volume *volume = &info->volume[i];
		struct volume_facts *facts = &volumes[i];

		facts->first_lba = volume->first_lba;
		facts->last_lba = volume->last_lba;
		facts->sector_and_unit = volume->sector_bytes | unit_of(volume) << 32;
		facts->place = (uint64_t)volume->controller << 32 | (uint64_t)volume->pci_bus << 8 |
			       (uint64_t)volume->pci_device << 3 | volume->pci_function;
		memcpy(facts->uuid, volume->uuid, sizeof(volume->uuid));
	}
}

static uint64_t version(void)
{
	uint64_t parts[3] = {0}, part = 0;

	for (const char *c = UNDERSEAL_VERSION; *c; c++)
		if (*c == '.')
			part++;
		else if (part < 3)
			parts[part] = parts[part] * 10 + (uint64_t)(*c - '0');
	return parts[0] << 32 | parts[1] << 16 | parts[2];
}

static int64_t call_info(uint64_t *gpr)
{
	gpr[RBX] = version();
	memcpy(&gpr[RCX], backend->name, 8);
	gpr[RDX] = vcpu_count | weak_policy << 32;
	gpr[RSI] = volume_count | memory_bytes() >> 20 << 32;
	return HYPERCALL_OK;
}

static int64_t call_volume(uint64_t *gpr)
{
	uint64_t index = gpr[RCX], word = gpr[RDX];

	if (index >= volume_count || word > 2)
		return HYPERCALL_PAST_END;
	const struct volume_facts *facts = &volumes[index];

	if (word) {
		memcpy(&gpr[RBX], facts->uuid + 24 * (word - 1), 8);
		memcpy(&gpr[RCX], facts->uuid + 24 * (word - 1) + 8, 8);
		memcpy(&gpr[RDX], facts->uuid + 24 * (word - 1) + 16, 8);
		return HYPERCALL_OK;
	}
	gpr[RBX] = facts->first_lba;
	gpr[RCX] = facts->last_lba;
	gpr[RDX] = facts->sector_and_unit;
	gpr[RSI] = facts->place;
	return HYPERCALL_OK;
}

static int64_t call_counter(uint64_t *gpr)
{
	uint64_t cpu = gpr[RCX], index = gpr[RDX];

	if (cpu >= vcpu_count || index >= COUNTERS)
		return HYPERCALL_PAST_END;
	const uint64_t *counter = index < EXIT_REASONS ? &vcpus[cpu]->counter[index]
						       : &vcpus[cpu]->counter_extra[index - EXIT_REASONS];

	gpr[RBX] = __atomic_load_n(counter, __ATOMIC_RELAXED);
	memcpy(&gpr[RCX], counter_names[index], 8);
	memcpy(&gpr[RDX], counter_names[index] + 8, 8);
	memcpy(&gpr[RSI], counter_names[index] + 16, 8);
	return HYPERCALL_OK;
}

static int64_t call_log(uint64_t *gpr)
{
	uint64_t sequence = gpr[RCX], text[2] = {0};
	const struct log_ring *previous = log_previous();

	if (gpr[RDX] > 1 || (gpr[RDX] && !previous))
		return HYPERCALL_PAST_END;
	gpr[RCX] = gpr[RDX] ? log_ring_read(previous, &sequence, text, sizeof(text))
			    : log_read(&sequence, text, sizeof(text));
	gpr[RBX] = sequence;
	gpr[RDX] = text[0];
	gpr[RSI] = text[1];
	return HYPERCALL_OK;
}

static int64_t call_previous_end(uint64_t *gpr)
{
	const struct log_ring *previous = log_previous();

	if (!previous)
		return HYPERCALL_PAST_END;
	gpr[RBX] = previous->end;
	gpr[RCX] = previous->panic;
	return HYPERCALL_OK;
}

static int64_t call_boot_services_done(uint64_t *gpr)
{
	(void)gpr;
	lapic_boot_services_done();
	return HYPERCALL_OK;
}

static int64_t (*find(uint64_t function))(uint64_t *gpr)
{
	switch (function) {
	case HYPERCALL_INFO:
		return call_info;
	case HYPERCALL_VOLUME:
		return call_volume;
	case HYPERCALL_COUNTER:
		return call_counter;
	case HYPERCALL_LOG:
		return call_log;
	case HYPERCALL_PREVIOUS_END:
		return call_previous_end;
	case HYPERCALL_BOOT_SERVICES_DONE:
		return call_boot_services_done;
	}
	return NULL;
}

void hypercall_exit(struct vcpu *vcpu)
{
	if (vcpu->gpr[RAX] != HYPERCALL_MAGIC) {
		inject_exception(vcpu, EXCEPTION_UD, false, 0);
		return;
	}
	if (!skip_instruction(vcpu, 3))
		return;

	int64_t (*call)(uint64_t *gpr) = find(vcpu->gpr[RBX]);

	vcpu->gpr[RAX] = (uint64_t)(call ? call(vcpu->gpr) : HYPERCALL_UNKNOWN);
}
