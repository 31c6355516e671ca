/* SPDX-License-Identifier: Apache-2.0 */
#include "hv/core/retire.h"
#include "hv/core/backend.h"
#include "hv/core/event.h"

#define BREAKPOINTS 4

enum { BREAK_WRITE = 1, BREAK_PORT = 2, BREAK_ACCESS = 3 };

void retire_begin(struct vcpu *vcpu)
{
	vcpu->breakpoints = 0;
}

/* The bytes a length field of DR7 stands for; 8 is coded out of order. */
static uint64_t length_of(uint64_t field)
{
	static const uint8_t bytes[4] = {1, 2, 8, 4};

	return bytes[field & 3];
}

/* `kinds`: a bit for each of the kinds above that the access is one of. */
static void note(struct vcpu *vcpu, uint64_t address, unsigned size, unsigned kinds)
{
	uint64_t dr7 = backend->read_dr7(vcpu);

	for (unsigned i = 0; i < BREAKPOINTS; i++) {
		uint64_t field = dr7 >> (16 + 4 * i), bytes = length_of(field >> 2);
		uint64_t first = read_breakpoint(i) & ~(bytes - 1);

		if (dr7 >> 2 * i & 3 && kinds >> (field & 3) & 1 && address < first + bytes && first < address + size)
			vcpu->breakpoints |= (uint8_t)(1u << i);
	}
}

void retire_access(struct vcpu *vcpu, uint64_t linear, unsigned size, bool write)
{
	if (backend->debugged(vcpu))
		note(vcpu, linear, size, 1u << BREAK_ACCESS | (write ? 1u << BREAK_WRITE : 0));
}

void retire_port(struct vcpu *vcpu, uint16_t port, unsigned size)
{
	if (backend->debugged(vcpu) && backend->read_cr4(vcpu) & CR4_DE)
		note(vcpu, port, size, 1u << BREAK_PORT);
}

void retire_iteration(struct vcpu *vcpu)
{
	uint64_t causes = vcpu->breakpoints | (vcpu->rflags & RFLAGS_TF ? DR6_BS : 0);

	vcpu->breakpoints = 0;
	if (causes)
		inject_debug(vcpu, causes);
}

void retire(struct vcpu *vcpu)
{
	backend->retired(vcpu);
	retire_iteration(vcpu);
}
