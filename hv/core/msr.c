/* SPDX-License-Identifier: Apache-2.0 */
#include "hv/core/msr.h"
#include "hv/core/backend.h"
#include "hv/core/event.h"
#include "hv/core/lapic.h"
#include "hv/core/log.h"
#include "hv/core/mmio.h"
#include "hv/core/retire.h"
#include "hv/x86/attempt.h"

#define CPUID_OSXSAVE (1u << 27)
#define CPUID_OSPKE   (1u << 4)

/* What the opcodes of instructions that exit begin with; none of them is a prefix. */
#define OPCODE_TWO_BYTES 0x0f
#define OPCODE_HLT       0xf4

static void general_protection(struct vcpu *vcpu)
{
	inject_exception(vcpu, EXCEPTION_GP, true, 0);
}

static bool write_apic_base(struct vcpu *vcpu, uint64_t value)
{
	(void)vcpu;
	return lapic_write_base(value);
}

static bool write_x2apic_icr(struct vcpu *vcpu, uint64_t value)
{
	(void)vcpu;
	return lapic_write_x2apic_icr(value);
}

/* Registers that are neither here nor the backend's own are the guest's. */
static const struct msr_rule rules[] = {
	{MSR_APIC_BASE, MSR_APIC_BASE, false, true, NULL, write_apic_base, "the ICR trap follows the page"},
	{MSR_X2APIC_ICR, MSR_X2APIC_ICR, false, true, NULL, write_x2apic_icr, "INIT and SIPI act on vcpus"},
};

#define RULES (sizeof(rules) / sizeof(rules[0]))

static const struct msr_rule *rule_at(uint32_t i)
{
	return i < RULES ? &rules[i] : &backend->msr_rules[i - RULES];
}

void msr_init(void)
{
	for (uint32_t i = 0; i < RULES + backend->msr_rule_count; i++)
		for (uint32_t index = rule_at(i)->first; index <= rule_at(i)->last; index++)
			backend->trap_msr(index, rule_at(i)->trap_read, rule_at(i)->trap_write);
}

static const struct msr_rule *find(uint32_t index)
{
	for (uint32_t i = 0; i < RULES + backend->msr_rule_count; i++)
		if (index >= rule_at(i)->first && index <= rule_at(i)->last)
			return rule_at(i);
	return NULL;
}

static void unknown(struct vcpu *vcpu, const char *what, uint32_t index)
{
	static uint32_t said;

	if (log_limited(&said))
		log_info("cpu %u: %s of MSR %x refused with #GP", vcpu->index, what, index);
	general_protection(vcpu);
}

bool skip_instruction(struct vcpu *vcpu, unsigned opcode_bytes)
{
	uint8_t bytes[INSN_MAX_BYTES];
	struct insn_cpu cpu;
	unsigned count = guest_fetch(vcpu, bytes), prefixes = 0;

	if (!count)
		return false;
	while (prefixes < count && bytes[prefixes] != OPCODE_TWO_BYTES && bytes[prefixes] != OPCODE_HLT)
		prefixes++;
	backend->insn_cpu(vcpu, &cpu);
	retire_begin(vcpu);
	vcpu->rip += prefixes + opcode_bytes;
	if (cpu.mode != INSN_MODE_64)
		vcpu->rip &= 0xffffffff;
	retire(vcpu);
	return true;
}

void msr_read_exit(struct vcpu *vcpu)
{
	uint32_t index = (uint32_t)vcpu->gpr[1];
	const struct msr_rule *rule = find(index);
	uint64_t value;

	if (!rule || !rule->read || !rule->read(vcpu, &value)) {
		unknown(vcpu, "read", index);
		return;
	}
	if (skip_instruction(vcpu, 2)) {
		vcpu->gpr[0] = (uint32_t)value;
		vcpu->gpr[2] = value >> 32;
	}
}

static uint64_t written(const struct vcpu *vcpu)
{
	return (uint32_t)vcpu->gpr[0] | vcpu->gpr[2] << 32;
}

void msr_write_exit(struct vcpu *vcpu)
{
	uint32_t index = (uint32_t)vcpu->gpr[1];
	const struct msr_rule *rule = find(index);

	if (!rule || !rule->write || !rule->write(vcpu, written(vcpu)))
		unknown(vcpu, "write", index);
	else
		skip_instruction(vcpu, 2);
}

/* A processor has looked at the privilege and at CR4 before the exit; Bochs looks at the privilege after it. */
void xsetbv_exit(struct vcpu *vcpu)
{
	if (backend->cpl(vcpu) || (uint32_t)vcpu->gpr[1] || !attempt_xcr0(written(vcpu)))
		general_protection(vcpu);
	else
		skip_instruction(vcpu, 3);
}

/* OSXSAVE and OSPKE mirror the guest's CR4, not the host's. */
void cpuid_exit(struct vcpu *vcpu)
{
	uint32_t leaf = (uint32_t)vcpu->gpr[0], subleaf = (uint32_t)vcpu->gpr[1];
	struct cpuid_result r = cpuid(leaf, subleaf);
	uint64_t cr4 = backend->read_cr4(vcpu);

	if (leaf == 1)
		r.ecx = (r.ecx & ~CPUID_OSXSAVE) | (cr4 & CR4_OSXSAVE ? CPUID_OSXSAVE : 0);
	else if (leaf == 7 && subleaf == 0)
		r.ecx = (r.ecx & ~CPUID_OSPKE) | (cr4 & CR4_PKE && r.ecx & 1u << 3 ? CPUID_OSPKE : 0);
	backend->hide_from_cpuid(leaf, subleaf, &r);
	if (!skip_instruction(vcpu, 2))
		return;
	vcpu->gpr[0] = r.eax;
	vcpu->gpr[3] = r.ebx;
	vcpu->gpr[1] = r.ecx;
	vcpu->gpr[2] = r.edx;
}
