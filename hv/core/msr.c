/* SPDX-License-Identifier: Apache-2.0 */
#include "hv/core/msr.h"
#include "hv/core/backend.h"
#include "hv/core/lapic.h"
#include "hv/core/log.h"
#include "hv/core/mmio.h"
#include "hv/core/retire.h"

#define CPUID_OSXSAVE (1u << 27)
#define CPUID_OSPKE   (1u << 4)
#define CPUID_SVM     (1u << 2)

/* What the opcodes of instructions that exit begin with; none of them is a prefix. */
#define OPCODE_TWO_BYTES 0x0f
#define OPCODE_HLT       0xf4

static void general_protection(struct vcpu *vcpu)
{
	backend->inject_exception(vcpu, EXCEPTION_GP, true, 0);
}

/* Bits a guest may set are those its CPUID promises. APM volume 2, 3.1.7. */
static uint64_t efer_writable(void)
{
	uint32_t edx = cpuid(0x80000001, 0).edx, ecx = cpuid(0x80000001, 0).ecx;
	uint64_t bits = EFER_SCE;

	bits |= edx & 1u << 29 ? EFER_LME | EFER_LMA : 0;
	bits |= edx & 1u << 20 ? EFER_NXE : 0;
	bits |= edx & 1u << 25 ? EFER_FFXSR : 0;
	bits |= ecx & 1u << 17 ? EFER_TCE : 0;
	return bits;
}

static bool write_efer(struct vcpu *vcpu, uint64_t value)
{
	struct walk_cpu paging;
	uint64_t now = backend->read_efer(vcpu);

	backend->paging(vcpu, &paging);
	if (value & ~efer_writable() || (paging.cr0 & CR0_PG && (value ^ now) & EFER_LME))
		return false;
	backend->write_efer(vcpu, (value & ~EFER_LMA) | (now & EFER_LMA));
	return true;
}

static bool read_efer(struct vcpu *vcpu, uint64_t *value)
{
	*value = backend->read_efer(vcpu);
	return true;
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

/* SVM reads as disabled and locked: the answer of a machine whose firmware has turned it off. */
static bool read_vm_cr(struct vcpu *vcpu, uint64_t *value)
{
	(void)vcpu;
	*value = 1u << 4 | 1u << 3;
	return true;
}

static bool ignore_write(struct vcpu *vcpu, uint64_t value)
{
	(void)vcpu;
	(void)value;
	return true;
}

/* A NULL handler: #GP. Registers that are not listed are the guest's own. */
static const struct msr_rule {
	uint32_t index;
	bool trap_read, trap_write;
	bool (*read)(struct vcpu *vcpu, uint64_t *value);
	bool (*write)(struct vcpu *vcpu, uint64_t value);
	const char *reason;
} rules[] = {
	{MSR_EFER, true, true, read_efer, write_efer, "SVME is set beneath the guest"},
	{MSR_APIC_BASE, false, true, NULL, write_apic_base, "the ICR trap follows the page"},
	{MSR_X2APIC_ICR, false, true, NULL, write_x2apic_icr, "INIT and SIPI act on vcpus"},
	{MSR_VM_CR, true, true, read_vm_cr, ignore_write, "SVM is ours; locked registers ignore writes"},
	{MSR_VM_HSAVE, true, true, NULL, NULL, "SVM is ours"},
	{MSR_SVM_KEY, true, true, NULL, NULL, "SVM is ours"},
	{MSR_IGNNE, false, true, NULL, NULL, "would change how the host takes FPU errors"},
	{MSR_SMM_CTL, true, true, NULL, NULL, "would hold back or force SMIs"},
};

#define RULES (sizeof(rules) / sizeof(rules[0]))

void msr_init(void)
{
	for (unsigned i = 0; i < RULES; i++)
		backend->trap_msr(rules[i].index, rules[i].trap_read, rules[i].trap_write);
}

static const struct msr_rule *find(uint32_t index)
{
	for (unsigned i = 0; i < RULES; i++)
		if (rules[i].index == index)
			return &rules[i];
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

void msr_write_exit(struct vcpu *vcpu)
{
	uint32_t index = (uint32_t)vcpu->gpr[1];
	const struct msr_rule *rule = find(index);
	uint64_t value = (uint32_t)vcpu->gpr[0] | vcpu->gpr[2] << 32;

	if (!rule || !rule->write || !rule->write(vcpu, value))
		unknown(vcpu, "write", index);
	else
		skip_instruction(vcpu, 2);
}

/* OSXSAVE and OSPKE mirror the guest's CR4, not the host's; SVM is not there. */
void cpuid_exit(struct vcpu *vcpu)
{
	uint32_t leaf = (uint32_t)vcpu->gpr[0], subleaf = (uint32_t)vcpu->gpr[1];
	struct cpuid_result r = cpuid(leaf, subleaf);
	uint64_t cr4 = backend->read_cr4(vcpu);

	if (leaf == 1)
		r.ecx = (r.ecx & ~CPUID_OSXSAVE) | (cr4 & CR4_OSXSAVE ? CPUID_OSXSAVE : 0);
	else if (leaf == 7 && subleaf == 0)
		r.ecx = (r.ecx & ~CPUID_OSPKE) | (cr4 & CR4_PKE && r.ecx & 1u << 3 ? CPUID_OSPKE : 0);
	else if (leaf == 0x80000001)
		r.ecx &= ~CPUID_SVM;
	else if (leaf == 0x8000000a)
		r = (struct cpuid_result){0, 0, 0, 0};
	if (!skip_instruction(vcpu, 2))
		return;
	vcpu->gpr[0] = r.eax;
	vcpu->gpr[3] = r.ebx;
	vcpu->gpr[1] = r.ecx;
	vcpu->gpr[2] = r.edx;
}
