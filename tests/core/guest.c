/* SPDX-License-Identifier: Apache-2.0 */
/* Single instructions of the guest, as the processor carries them out beneath the hypervisor. */
#include "hv/svm/svm.h"
#include "hv/vmx/vmx.h"
#include "tests/core/machine.h"
#include "hv/x86/physical.h"
#include <string.h>

#define RAX 0
#define RCX 1
#define RDX 2
#define RBX 3

static struct vcpu *vcpu_of(unsigned cpu)
{
	return cpus[cpu].vcpu;
}

void guest_code(unsigned cpu, const void *code, unsigned bytes)
{
	memcpy((void *)vcpu_of(cpu)->rip, code, bytes);
}

int guest_exception(unsigned cpu)
{
	return cpus[cpu].event ? (int)(cpus[cpu].event & 0xff) : -1;
}

uint32_t guest_error(unsigned cpu)
{
	return (uint32_t)(cpus[cpu].event >> 32);
}

/* An exit with no information; whether the instruction at rip was done. */
static bool simple_exit(unsigned cpu, uint64_t code, uint64_t info1)
{
	uint64_t rip = vcpu_of(cpu)->rip;

	cpu_exit(&cpus[cpu], code, info1, 0);
	return vcpu_of(cpu)->rip != rip;
}

bool guest_cpuid(unsigned cpu, uint32_t leaf, uint32_t subleaf, struct cpuid_result *out)
{
	struct vcpu *vcpu = vcpu_of(cpu);

	GUEST_CODE(cpu, 0x0f, 0xa2);
	vcpu->gpr[RAX] = leaf;
	vcpu->gpr[RCX] = subleaf;
	bool done = simple_exit(cpu, VMEXIT_CPUID, 0);

	*out = (struct cpuid_result){(uint32_t)vcpu->gpr[RAX], (uint32_t)vcpu->gpr[RBX], (uint32_t)vcpu->gpr[RCX],
				     (uint32_t)vcpu->gpr[RDX]};
	return done;
}

/* APM 15.11, SDM 25.6.9: what lies outside the map exits. */
static bool msr_trapped(uint32_t index, bool write)
{
	if (cpus_have_vmx) {
		uint32_t low = index % 0x2000, at = (index < 0x2000 ? 0 : 0x400) + low / 8 + (write ? 0x800 : 0);

		return (index >= 0x2000 && index - 0xc0000000 >= 0x2000) || vmx_msr_bitmap[at] >> low % 8 & 1;
	}
	uint32_t bit = index < 0x2000 ? index * 2
		       : index - 0xc0000000 < 0x2000 ? 0x4000 + (index - 0xc0000000) * 2
		       : index - 0xc0010000 < 0x2000 ? 0x8000 + (index - 0xc0010000) * 2
						     : UINT32_MAX;

	return bit == UINT32_MAX || svm_msrpm[bit / 8] >> (bit % 8 + write) & 1;
}

bool guest_rdmsr(unsigned cpu, uint32_t index, uint64_t *value)
{
	struct vcpu *vcpu = vcpu_of(cpu);

	if (!msr_trapped(index, false)) {
		*value = index == MSR_APIC_BASE ? cpus[cpu].apic_base : 0;
		return true;
	}
	GUEST_CODE(cpu, 0x0f, 0x32);
	vcpu->gpr[RCX] = index;
	bool done = simple_exit(cpu, VMEXIT_MSR, 0);

	*value = vcpu->gpr[RDX] << 32 | (uint32_t)vcpu->gpr[RAX];
	return done;
}

bool guest_wrmsr(unsigned cpu, uint32_t index, uint64_t value)
{
	struct vcpu *vcpu = vcpu_of(cpu);

	if (!msr_trapped(index, true))
		return true;
	GUEST_CODE(cpu, 0x0f, 0x30);
	vcpu->gpr[RCX] = index;
	vcpu->gpr[RAX] = (uint32_t)value;
	vcpu->gpr[RDX] = value >> 32;
	return simple_exit(cpu, VMEXIT_MSR, 1);
}

bool guest_vmmcall(unsigned cpu)
{
	GUEST_CODE(cpu, 0x0f, 0x01, 0xd9);
	return simple_exit(cpu, VMEXIT_VMMCALL, 0);
}

/* APM 15.10: an access exits when any of its ports is trapped. */
static bool port_trapped(unsigned cpu, uint16_t port, unsigned size)
{
	const uint8_t *map = cpus_have_vmx ? vmx_io_bitmaps : (const uint8_t *)cpus[cpu].vmcb->iopm;

	for (unsigned i = 0; i < size; i++)
		if (map[(port + i) / 8] >> (port + i) % 8 & 1)
			return true;
	return false;
}

static void port_exit(unsigned cpu, uint16_t port, unsigned size, bool in)
{
	struct vcpu *vcpu = vcpu_of(cpu);

	cpu_exit(&cpus[cpu], VMEXIT_IOIO, (uint64_t)port << 16 | size << 4 | in, vcpu->rip + (size == 2 ? 2 : 1));
}

uint32_t guest_in(unsigned cpu, uint16_t port, unsigned size)
{
	if (!port_trapped(cpu, port, size))
		return port_in(port, size);
	port_exit(cpu, port, size, true);
	return (uint32_t)(vcpu_of(cpu)->gpr[RAX] & (UINT64_MAX >> (64 - 8 * size)));
}

void guest_out(unsigned cpu, uint16_t port, unsigned size, uint32_t value)
{
	if (!port_trapped(cpu, port, size)) {
		port_out(port, size, value);
		return;
	}
	vcpu_of(cpu)->gpr[RAX] = value;
	port_exit(cpu, port, size, false);
}

/* MOV: 88/89 to memory, 8A/8B from it, with [RBX]. */
static bool move(unsigned cpu, uint64_t address, unsigned size, bool write)
{
	struct vcpu *vcpu = vcpu_of(cpu);
	struct npt_translation there = npt_lookup(&vcpu->npt, address);
	uint8_t code[4], *at = code;

	if (there.access & (write ? NPT_WRITE : NPT_READ)) {
		/* A page of the hypervisor's own in place of what was asked for is read where it lies. */
		if (write)
			physical_store(address, size, vcpu->gpr[RAX]);
		else if (there.hpa != address)
			memcpy(&vcpu->gpr[RAX], (const void *)there.hpa, size);
		else
			vcpu->gpr[RAX] = physical_load(address, size);
		return true;
	}
	if (size == 2)
		*at++ = 0x66;
	if (size == 8)
		*at++ = 0x48;
	*at++ = (uint8_t)((write ? 0x88 : 0x8a) | (size != 1));
	*at++ = 0x03;
	guest_code(cpu, code, (unsigned)(at - code));
	vcpu->gpr[RBX] = address;
	uint64_t rip = vcpu->rip;

	cpu_exit(&cpus[cpu], VMEXIT_NPF, 4 | (write ? 2 : 0), address);
	return vcpu->rip != rip;
}

bool guest_read(unsigned cpu, uint64_t address, unsigned size, uint64_t *value)
{
	vcpu_of(cpu)->gpr[RAX] = 0;
	bool done = move(cpu, address, size, false);

	*value = vcpu_of(cpu)->gpr[RAX];
	return done;
}

bool guest_write(unsigned cpu, uint64_t address, unsigned size, uint64_t value)
{
	vcpu_of(cpu)->gpr[RAX] = value;
	return move(cpu, address, size, true);
}
