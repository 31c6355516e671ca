/* SPDX-License-Identifier: Apache-2.0 */
#include "hv/core/ioport.h"
#include "hv/core/backend.h"
#include "hv/core/log.h"
#include "hv/core/mmio.h"
#include "hv/core/retire.h"

#define MAX_HOOKS 32

static const struct ioport_hook *hooks[MAX_HOOKS];
static uint32_t hook_count;

int ioport_add(const struct ioport_hook *hook)
{
	if (hook_count == MAX_HOOKS)
		return -1;
	hooks[hook_count++] = hook;
	backend->trap_port(hook->first, hook->last);
	return 0;
}

/* The hook that any byte of the access belongs to. */
static const struct ioport_hook *find(uint16_t port, unsigned size)
{
	for (uint32_t i = 0; i < hook_count; i++)
		if (port <= hooks[i]->last && port + size > hooks[i]->first)
			return hooks[i];
	return NULL;
}

static bool takes_whole(const struct ioport_hook *hook, uint16_t port, unsigned size)
{
	return (port >= hook->first && port + size - 1 <= hook->last) || (port == hook->first && size == hook->width);
}

static uint32_t input(uint16_t port, unsigned size)
{
	const struct ioport_hook *hook = find(port, size);
	uint32_t value = 0;

	if (hook && !takes_whole(hook, port, size)) {
		for (unsigned i = 0; i < size; i++)
			value |= input((uint16_t)(port + i), 1) << 8 * i;
		return value;
	}
	return hook && hook->in ? hook->in(hook->context, port, size) : port_in(port, size);
}

static void output(uint16_t port, unsigned size, uint32_t value)
{
	const struct ioport_hook *hook = find(port, size);

	if (hook && !takes_whole(hook, port, size)) {
		for (unsigned i = 0; i < size; i++)
			output((uint16_t)(port + i), 1, value >> 8 * i & 0xff);
		return;
	}
	if (hook && hook->out)
		hook->out(hook->context, port, size, value);
	else
		port_out(port, size, value);
}

static void finish(struct vcpu *vcpu)
{
	vcpu->rip = vcpu->exit.io.next_rip;
	retire(vcpu);
}

/* As an operand of that many bytes: 4 clear the upper half, 2 leave the rest. */
static void advance(uint64_t *reg, unsigned bytes, uint64_t step)
{
	if (bytes == 2)
		*reg = (*reg & ~0xffffull) | (uint16_t)(*reg + step);
	else
		*reg = bytes == 4 ? (uint32_t)(*reg + step) : *reg + step;
}

/*
 * INS and OUTS: one element an exit; a REP that has more to do runs again at the
 * same rip. The element's width and the address size come from the instruction. The
 * exit comes before the processor has looked at the operand in memory.
 */
static void string_access(struct vcpu *vcpu)
{
	uint8_t bytes[INSN_MAX_BYTES];
	struct insn_cpu cpu;
	unsigned count = guest_fetch(vcpu, bytes), at = 0;
	enum insn_segment segment = SEG_DS;
	unsigned address_bytes;

	if (!count)
		return;
	backend->insn_cpu(vcpu, &cpu);
	address_bytes = cpu.mode == INSN_MODE_64 ? 8 : cpu.mode == INSN_MODE_32 ? 4 : 2;
	for (; at < count && bytes[at] != 0x6c && bytes[at] != 0x6d && bytes[at] != 0x6e && bytes[at] != 0x6f; at++) {
		static const uint8_t prefixes[] = {0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65};

		if (bytes[at] == 0x67)
			address_bytes = address_bytes == 4 ? (cpu.mode == INSN_MODE_32 ? 2 : 4) : 4;
		for (unsigned i = 0; i < sizeof(prefixes); i++)
			if (bytes[at] == prefixes[i])
				segment = (enum insn_segment)i;
	}
	uint64_t mask = address_bytes == 8 ? UINT64_MAX : address_bytes == 4 ? UINT32_MAX : UINT16_MAX;
	bool in = vcpu->exit.io.in;
	uint64_t *index = &vcpu->gpr[in ? 7 : 6];

	if (in)
		segment = SEG_ES; /* whatever the prefixes say */
	unsigned size = vcpu->exit.io.size;
	uint64_t linear, value = 0;

	if (vcpu->exit.io.repeat && !(vcpu->gpr[1] & mask)) {
		finish(vcpu);
		return;
	}
	if (guest_operand(vcpu, segment, *index & mask, size, in, &linear))
		return;
	if (in) {
		if (guest_probe_store(vcpu, linear, size) ||
		    guest_store(vcpu, linear, size, input(vcpu->exit.io.port, size)))
			return;
		retire_access(vcpu, linear, size, true);
	} else {
		if (guest_load(vcpu, linear, size, &value))
			return;
		output(vcpu->exit.io.port, size, (uint32_t)value);
		retire_access(vcpu, linear, size, false);
	}
	retire_port(vcpu, vcpu->exit.io.port, size);
	uint64_t step = vcpu->rflags & RFLAGS_DF ? -(uint64_t)size : size;

	advance(index, address_bytes, step);
	if (vcpu->exit.io.repeat) {
		advance(&vcpu->gpr[1], address_bytes, -1ull);
		if (vcpu->gpr[1] & mask) {
			retire_iteration(vcpu);
			return;
		}
	}
	finish(vcpu);
}

void ioport_exit(struct vcpu *vcpu)
{
	const uint16_t port = vcpu->exit.io.port;
	const unsigned size = vcpu->exit.io.size;

	retire_begin(vcpu);
	if (vcpu->exit.io.string) {
		string_access(vcpu);
		return;
	}
	if (vcpu->exit.io.in) {
		uint64_t value = input(port, size);

		if (size == 4)
			vcpu->gpr[0] = value;
		else if (size == 2)
			vcpu->gpr[0] = (vcpu->gpr[0] & ~0xffffull) | (value & 0xffff);
		else
			vcpu->gpr[0] = (vcpu->gpr[0] & ~0xffull) | (value & 0xff);
	} else {
		output(port, size, size == 4 ? (uint32_t)vcpu->gpr[0]
					     : (uint32_t)vcpu->gpr[0] & ((1u << 8 * size) - 1));
	}
	retire_port(vcpu, port, size);
	finish(vcpu);
}
