/* SPDX-License-Identifier: Apache-2.0 */
/* The guest's port accesses that exit: IN, OUT and their string forms. */
#include "hv/core/backend.h"
#include "hv/core/ioport.h"
#include "hv/core/mmio.h"
#include "hv/core/retire.h"
#include "hv/core/run_ahead.h"

#define BLOCKS_AN_EXIT 128
#define PAGE           4096ull

/*
 * An access that goes to the device, for `hook` has no function for it or there is none:
 * false where one has come meanwhile. ioport_place() waits for the end.
 */
static bool pass_begin(const struct ioport_hook *hook, uint16_t port, unsigned size)
{
	uint32_t *passing = &this_vcpu()->passing;

	__atomic_add_fetch(passing, 1, __ATOMIC_SEQ_CST);
	if (ioport_find(port, size) == hook)
		return true;
	__atomic_add_fetch(passing, 1, __ATOMIC_SEQ_CST);
	return false;
}

static void pass_end(void)
{
	__atomic_add_fetch(&this_vcpu()->passing, 1, __ATOMIC_SEQ_CST);
}

static uint32_t input(uint16_t port, unsigned size)
{
	const struct ioport_hook *hook = ioport_find(port, size);
	uint32_t value = 0;

	if (hook && !ioport_takes_whole(hook, port, size)) {
		for (unsigned i = 0; i < size; i++)
			value |= input((uint16_t)(port + i), 1) << 8 * i;
		return value;
	}
	if (hook && hook->in)
		return hook->in(hook->context, port, size);
	if (!pass_begin(hook, port, size))
		return input(port, size);
	value = port_in(port, size);
	pass_end();
	return value;
}

static void output(uint16_t port, unsigned size, uint32_t value)
{
	const struct ioport_hook *hook = ioport_find(port, size);

	if (hook && !ioport_takes_whole(hook, port, size)) {
		for (unsigned i = 0; i < size; i++)
			output((uint16_t)(port + i), 1, value >> 8 * i & 0xff);
		return;
	}
	if (hook && hook->out) {
		hook->out(hook->context, port, size, value);
	} else if (pass_begin(hook, port, size)) {
		port_out(port, size, value);
		pass_end();
	} else {
		output(port, size, value);
	}
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

/* INS or OUTS as the guest is about to carry it out. */
struct string {
	uint64_t *index; /* RSI or RDI */
	uint64_t mask;   /* what of the index and of RCX counts */
	enum insn_segment segment;
	unsigned address_bytes;
};

/* The element's width and the address size come from the instruction; false with a fault injected. */
static bool string_decode(struct vcpu *vcpu, struct string *string)
{
	uint8_t bytes[INSN_MAX_BYTES];
	struct insn_cpu cpu;
	unsigned count = guest_fetch(vcpu, bytes), at = 0;
	enum insn_segment segment = SEG_DS;
	unsigned address_bytes;

	if (!count)
		return false;
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
	if (vcpu->exit.io.in)
		segment = SEG_ES; /* whatever the prefixes say */
	string->index = &vcpu->gpr[vcpu->exit.io.in ? 7 : 6];
	string->mask = address_bytes == 8 ? UINT64_MAX : address_bytes == 4 ? UINT32_MAX : UINT16_MAX;
	string->segment = segment;
	string->address_bytes = address_bytes;
	return true;
}

/* `count` elements are done. True when the instruction has more to do. */
static bool string_advance(struct vcpu *vcpu, const struct string *string, uint64_t count)
{
	uint64_t step = count * vcpu->exit.io.size;

	advance(string->index, string->address_bytes, vcpu->rflags & RFLAGS_DF ? -step : step);
	if (!vcpu->exit.io.repeat)
		return false;
	advance(&vcpu->gpr[1], string->address_bytes, -count);
	return vcpu->gpr[1] & string->mask;
}

/*
 * How many elements may be moved at once: they lie in one page, in ascending order,
 * and nothing is to be told of each. Below 2: the one at hand by itself.
 */
static uint32_t string_block(struct vcpu *vcpu, const struct string *string, const struct ioport_hook *hook,
	uint64_t linear)
{
	unsigned size = vcpu->exit.io.size;
	uint64_t count = vcpu->gpr[1] & string->mask, most = IOPORT_BLOCK / size;
	uint64_t page = (PAGE - linear % PAGE) / size;
	uint64_t index = (string->mask - (*string->index & string->mask)) / size;

	if (!vcpu->exit.io.repeat || vcpu->rflags & RFLAGS_DF || backend->debugged(vcpu) || !hook ||
	    !hook->in_block || !ioport_takes_whole(hook, vcpu->exit.io.port, size))
		return 0;
	most = page < most ? page : most;
	most = index < most ? index : most;
	most = count < most ? count : most;
	/* Where only a part of it lies within the segment, element by element. */
	if (most < 2 || !guest_operand_allowed(vcpu, string->segment, *string->index & string->mask,
				(unsigned)most * size, vcpu->exit.io.in, &linear))
		return 0;
	return (uint32_t)most;
}

/* -1 with a fault injected, before the device was asked. */
static int move_block(struct vcpu *vcpu, uint64_t linear, const struct ioport_hook *hook, uint32_t count)
{
	uint16_t port = vcpu->exit.io.port;
	unsigned size = vcpu->exit.io.size;
	uint8_t data[IOPORT_BLOCK];

	if (vcpu->exit.io.in) {
		if (guest_probe_store(vcpu, linear, count * size))
			return -1;
		hook->in_block(hook->context, port, size, data, count);
		return guest_store_block(vcpu, linear, count * size, data);
	}
	if (guest_load_block(vcpu, linear, count * size, data))
		return -1;
	hook->out_block(hook->context, port, size, data, count);
	return 0;
}

static int move_element(struct vcpu *vcpu, uint64_t linear)
{
	uint16_t port = vcpu->exit.io.port;
	unsigned size = vcpu->exit.io.size;
	uint64_t value = 0;

	if (vcpu->exit.io.in) {
		if (guest_probe_store(vcpu, linear, size) || guest_store(vcpu, linear, size, input(port, size)))
			return -1;
	} else {
		if (guest_load(vcpu, linear, size, &value))
			return -1;
		output(port, size, (uint32_t)value);
	}
	retire_access(vcpu, linear, size, vcpu->exit.io.in);
	retire_port(vcpu, port, size);
	return 0;
}

/*
 * INS and OUTS: one element an exit, or as many as a hook takes in blocks; a REP
 * that has more to do runs again at the same rip. An exit ends after some blocks, so
 * that interrupts are not held up.
 */
static void string_access(struct vcpu *vcpu)
{
	const struct ioport_hook *hook = ioport_find(vcpu->exit.io.port, vcpu->exit.io.size);
	struct string string;
	bool more = true;

	if (!string_decode(vcpu, &string))
		return;
	if (vcpu->exit.io.repeat && !(vcpu->gpr[1] & string.mask)) {
		finish(vcpu);
		return;
	}
	for (unsigned i = 0; more && i < BLOCKS_AN_EXIT; i++) {
		uint64_t linear;
		uint32_t count;

		if (guest_operand(vcpu, string.segment, *string.index & string.mask, vcpu->exit.io.size,
			    vcpu->exit.io.in, &linear))
			return;
		count = string_block(vcpu, &string, hook, linear);
		if (count > 1 ? move_block(vcpu, linear, hook, count) : move_element(vcpu, linear))
			return;
		more = string_advance(vcpu, &string, count > 1 ? count : 1);
		if (count < 2)
			break;
	}
	if (more)
		retire_iteration(vcpu);
	else
		finish(vcpu);
}

void ioport_access(uint64_t *rax, uint16_t port, unsigned size, bool in)
{
	uint64_t mask = size == 4 ? UINT64_MAX : (1ull << 8 * size) - 1;

	/* Four bytes clear the upper half. */
	if (in)
		*rax = (*rax & ~mask) | input(port, size);
	else
		output(port, size, (uint32_t)(*rax & mask));
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
	ioport_access(vcpu->gpr, port, size, vcpu->exit.io.in);
	retire_port(vcpu, port, size);
	finish(vcpu);
	run_ahead_at_ports(vcpu, ioport_find(port, size));
}
