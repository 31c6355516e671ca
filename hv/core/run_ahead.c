/* SPDX-License-Identifier: Apache-2.0 */
#include "hv/core/run_ahead.h"
#include "hv/core/backend.h"
#include "hv/core/event.h"
#include "hv/core/interrupts.h"
#include "hv/core/memory.h"
#include "hv/core/mmio_find.h"
#include "hv/x86/physical.h"
#include "hv/x86/step.h"
#include <string.h>

#define PAGE	     4096ull
#define STEPS_MAX    16
#define WINDOW_BYTES 64

struct run {
	struct vcpu *vcpu;
	const struct mmio_hook *hook;
	bool reached; /* the hook was accessed */
	/* Code at and behind `linear`. The guest stores nothing meanwhile, so that the copy stays true. */
	uint64_t linear;
	unsigned count;
	uint8_t bytes[WINDOW_BYTES];
};

/*
 * Where an access would go, when all of it is in one page. What a guest may read it
 * may be seen to have read: a load that turns out to be refused has changed nothing
 * but accessed bits, which processors set early too.
 */
static bool locate(const struct run *run, uint64_t linear, unsigned size, uint64_t *gpa)
{
	return insn_canonical(linear) && linear % PAGE + size <= PAGE &&
	       guest_peek(run->vcpu, linear, WALK_READ, gpa);
}

/* Accesses that would not exit are left to the guest. */
static bool in_hook(const struct run *run, uint64_t gpa, unsigned right)
{
	return mmio_find(gpa) == run->hook && !(npt_lookup(&run->vcpu->npt, gpa).access & right);
}

static int load(void *context, uint64_t linear, unsigned size, uint64_t *value)
{
	struct run *run = context;
	uint64_t gpa;

	if (!locate(run, linear, size, &gpa))
		return -1;
	if (in_hook(run, gpa, NPT_READ)) {
		*value = run->hook->read(run->hook->context, gpa - run->hook->gpa, size);
		run->reached = true;
		return 0;
	}
	if (!memory_guest(gpa, size))
		return -1;
	*value = physical_load(gpa, size);
	return 0;
}

static int store(void *context, uint64_t linear, unsigned size, uint64_t value)
{
	struct run *run = context;
	uint64_t gpa;

	/* The dirty bit is not set before it is certain that the store happens. */
	if (!locate(run, linear, size, &gpa) || !in_hook(run, gpa, NPT_WRITE) ||
		!guest_peek(run->vcpu, linear, WALK_WRITE, &gpa))
		return -1;
	run->hook->write(run->hook->context, gpa - run->hook->gpa, size, value);
	run->reached = true;
	return 0;
}

/* Reads the window at `linear`: as much as can be fetched from RAM. */
static void fill_window(struct run *run, uint64_t linear)
{
	run->linear = linear;
	run->count = 0;
	while (run->count < WINDOW_BYTES) {
		uint64_t at = linear + run->count, left = PAGE - at % PAGE, gpa;
		unsigned part = left < WINDOW_BYTES - run->count ? (unsigned)left : WINDOW_BYTES - run->count;
		const void *code = NULL;

		if (insn_canonical(at) && guest_peek(run->vcpu, at, WALK_FETCH, &gpa))
			code = memory_guest(gpa, part);
		if (!code)
			return;
		memcpy(run->bytes + run->count, code, part);
		run->count += part;
	}
}

/* One instruction; false when it is not for us. */
static bool step(struct run *run, struct insn_cpu *cpu)
{
	const struct insn_memory memory = {run, load, store};
	uint64_t offset = cpu->rip - run->linear;

	if (offset >= run->count || run->count - offset < INSN_MAX_BYTES) {
		fill_window(run, cpu->rip);
		offset = 0;
	}
	return insn_step(run->bytes + offset, run->count - offset, cpu, &memory) == INSN_OK;
}

static bool permitted(struct vcpu *vcpu, const struct insn_cpu *cpu)
{
	return cpu->mode == INSN_MODE_64 && backend->cpl(vcpu) == 0 && !backend->debugged(vcpu) &&
	       !vcpu->event && !interrupts_waiting(vcpu) && !vcpu->nmi_pending;
}

void run_ahead(struct vcpu *vcpu, uint64_t gpa)
{
	struct run run = {.vcpu = vcpu, .hook = mmio_find(gpa)};
	struct insn_cpu cpu;

	if (!run.hook || !run.hook->more || !run.hook->more(run.hook->context, gpa - run.hook->gpa))
		return;
	backend->insn_cpu(vcpu, &cpu);
	if (!permitted(vcpu, &cpu))
		return;
	for (unsigned steps = 0; steps < STEPS_MAX && !run.reached; steps++)
		if (!step(&run, &cpu))
			break;
	memcpy(vcpu->gpr, cpu.gpr, sizeof(vcpu->gpr));
	vcpu->rip = cpu.rip;
	vcpu->rflags = cpu.rflags;
	vcpu->counter_extra[run.reached ? EXTRA_RUN_AHEAD : EXTRA_RUN_AHEAD_MISSED]++;
}
