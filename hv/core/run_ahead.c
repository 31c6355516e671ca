/* SPDX-License-Identifier: Apache-2.0 */
#include "hv/core/run_ahead.h"
#include "hv/core/backend.h"
#include "hv/core/event.h"
#include "hv/core/interrupts.h"
#include "hv/core/memory.h"
#include "hv/core/mmio_find.h"
#include "hv/x86/physical.h"
#include "hv/x86/registers.h"
#include "hv/x86/step.h"
#include <string.h>

#define PAGE	     4096ull
#define RDX	     2
#define STEPS_MAX    16
#define WINDOW_BYTES 64

/* A driver's way from port to port leads through functions, in which it may also wait. */
#define PORT_STEPS    96
#define PORT_ACCESSES 32

struct run {
	struct vcpu *vcpu;
	const struct mmio_hook *hook; /* NULL where ports are what is hoped for */
	unsigned reached;             /* accesses to the hook, or to ports */
	/* Code at and behind `linear`, true until something is stored into the pages that it is from. */
	uint64_t linear;
	unsigned count;
	uint64_t page[2];
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
	return run->hook && mmio_find(gpa) == run->hook && !(npt_lookup(&run->vcpu->npt, gpa).access & right);
}

static int load(void *context, uint64_t linear, unsigned size, uint64_t *value)
{
	struct run *run = context;
	uint64_t gpa;

	if (!locate(run, linear, size, &gpa))
		return -1;
	if (in_hook(run, gpa, NPT_READ)) {
		*value = run->hook->read(run->hook->context, gpa - run->hook->gpa, size);
		run->reached++;
		return 0;
	}
	if (!memory_guest(gpa, size))
		return -1;
	*value = physical_load(gpa, size);
	return 0;
}

/* Into RAM, which no view holds back from the guest: where the way leads through functions, they use the stack. */
static int store_in_memory(struct run *run, uint64_t linear, unsigned size, uint64_t gpa, uint64_t value)
{
	if (!memory_guest(gpa, size) || !guest_peek(run->vcpu, linear, WALK_WRITE, &gpa) ||
		!memory_guest(gpa, size))
		return -1;
	physical_store(gpa, size, value);
	if (gpa / PAGE == run->page[0] || gpa / PAGE == run->page[1])
		run->count = 0;
	return 0;
}

static int store(void *context, uint64_t linear, unsigned size, uint64_t value)
{
	struct run *run = context;
	uint64_t gpa;

	/* The dirty bit is not set before it is certain that the store happens. */
	if (!locate(run, linear, size, &gpa))
		return -1;
	if (!run->hook)
		return store_in_memory(run, linear, size, gpa, value);
	if (!in_hook(run, gpa, NPT_WRITE) || !guest_peek(run->vcpu, linear, WALK_WRITE, &gpa))
		return -1;
	run->hook->write(run->hook->context, gpa - run->hook->gpa, size, value);
	run->reached++;
	return 0;
}

/* Reads the window at `linear`: as much as can be fetched from RAM. */
static void fill_window(struct run *run, uint64_t linear)
{
	run->linear = linear;
	run->count = 0;
	run->page[0] = run->page[1] = UINT64_MAX;
	while (run->count < WINDOW_BYTES) {
		uint64_t at = linear + run->count, left = PAGE - at % PAGE, gpa;
		unsigned part = left < WINDOW_BYTES - run->count ? (unsigned)left : WINDOW_BYTES - run->count;
		const void *code = NULL;

		if (insn_canonical(at) && guest_peek(run->vcpu, at, WALK_FETCH, &gpa))
			code = memory_guest(gpa, part);
		if (!code)
			return;
		memcpy(run->bytes + run->count, code, part);
		run->page[run->count != 0] = gpa / PAGE;
		run->count += part;
	}
}

/* The bytes at rip, at least as many as an instruction can have where they can be read. */
static const uint8_t *code(struct run *run, const struct insn_cpu *cpu, unsigned *count)
{
	uint64_t offset = cpu->rip - run->linear;

	if (offset >= run->count || run->count - offset < INSN_MAX_BYTES) {
		fill_window(run, cpu->rip);
		offset = 0;
	}
	*count = run->count - (unsigned)offset;
	return run->bytes + offset;
}

/* One instruction; false when it is not for us. */
static bool step(struct run *run, struct insn_cpu *cpu)
{
	const struct insn_memory memory = {run, load, store};
	unsigned count;
	const uint8_t *bytes = code(run, cpu, &count);

	return insn_step(bytes, count, cpu, &memory) == INSN_OK;
}

static bool permitted(struct vcpu *vcpu, const struct insn_cpu *cpu)
{
	return cpu->mode == INSN_MODE_64 && backend->cpl(vcpu) == 0 && !backend->debugged(vcpu) &&
	       !vcpu->event && !interrupts_waiting(vcpu) && !vcpu->nmi_pending;
}

static void commit(struct vcpu *vcpu, const struct insn_cpu *cpu)
{
	memcpy(vcpu->gpr, cpu->gpr, sizeof(vcpu->gpr));
	vcpu->rip = cpu->rip;
	vcpu->rflags = cpu->rflags;
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
	commit(vcpu, &cpu);
	vcpu->counter_extra[run.reached ? EXTRA_RUN_AHEAD : EXTRA_RUN_AHEAD_MISSED]++;
}

/* IN and OUT with DX: EC to EF, with 66 before it where two bytes are meant. The length, or 0. */
static unsigned port_instruction(const uint8_t *bytes, unsigned count, bool *in, unsigned *size)
{
	unsigned prefix = count > 1 && bytes[0] == 0x66;

	if (count <= prefix || bytes[prefix] < 0xec || bytes[prefix] > 0xef)
		return 0;
	*in = bytes[prefix] < 0xee;
	*size = !(bytes[prefix] & 1) ? 1 : prefix ? 2 : 4;
	return prefix + 1;
}

/* An access that would exit, to ports like those before. What the hook does may concern this CPU: it sees it as it is. */
static bool access_port(struct run *run, struct insn_cpu *cpu)
{
	unsigned count, size;
	const uint8_t *bytes = code(run, cpu, &count);
	bool in;
	unsigned length = port_instruction(bytes, count, &in, &size);
	const struct ioport_hook *hook = length ? ioport_find((uint16_t)cpu->gpr[RDX], size) : NULL;

	if (!hook || !hook->several || !insn_canonical(cpu->rip + length))
		return false;
	commit(run->vcpu, cpu);
	ioport_access(run->vcpu->gpr, (uint16_t)cpu->gpr[RDX], size, in);
	run->vcpu->rip += length;
	run->reached++;
	backend->insn_cpu(run->vcpu, cpu);
	return true;
}

/* Functions are called, and no shadow stack is kept for them. */
static bool may_call(struct vcpu *vcpu)
{
	struct walk_cpu cpu;

	backend->paging(vcpu, &cpu);
	return !(cpu.cr4 & CR4_CET);
}

/* To the next access, and that. False where the way ends before: plain instructions change nothing of what permits them. */
static bool reach_port(struct run *run, struct insn_cpu *cpu)
{
	for (unsigned steps = 0; steps < PORT_STEPS; steps++) {
		if (access_port(run, cpu))
			return true;
		if (!step(run, cpu))
			return false;
	}
	return false;
}

void run_ahead_at_ports(struct vcpu *vcpu, const struct ioport_hook *hook)
{
	struct run run = {.vcpu = vcpu};
	struct insn_cpu cpu;

	if (!hook || !hook->several)
		return;
	backend->insn_cpu(vcpu, &cpu);
	if (!may_call(vcpu))
		return;
	while (run.reached < PORT_ACCESSES && permitted(vcpu, &cpu) && reach_port(&run, &cpu))
		;
	commit(vcpu, &cpu);
	vcpu->counter_extra[EXTRA_RUN_AHEAD] += run.reached;
	vcpu->counter_extra[EXTRA_RUN_AHEAD_MISSED] += !run.reached;
}
