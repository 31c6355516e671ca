/* SPDX-License-Identifier: Apache-2.0 */
/* A nested page fault: emulate one instruction, or map what was never mapped. */
#include "hv/core/backend.h"
#include "hv/core/event.h"
#include "hv/core/log.h"
#include "hv/core/memory.h"
#include "hv/core/mmio_find.h"
#include "hv/core/retire.h"
#include "hv/core/run_ahead.h"
#include <string.h>

static void refuse(struct vcpu *vcpu, const char *what)
{
	static uint32_t said;

	if (log_limited(&said))
		log_warning("cpu %u: %s at rip %lx on physical %lx", vcpu->index, what, vcpu->rip,
			    vcpu->exit.fault.gpa);
	inject_exception(vcpu, EXCEPTION_UD, false, 0);
}

/*
 * The memory operand of an instruction that has one: the processor has walked the
 * guest's tables for it already, and the exit tells where it ended.
 */
struct operand {
	struct vcpu *vcpu;
	uint64_t linear, gpa;
	bool walked; /* to be walked for all the same */
};

static bool is_operand(const struct operand *operand, uint64_t linear, unsigned size)
{
	return !operand->walked && linear == operand->linear && operand->gpa % 4096 + size <= 4096;
}

static int operand_load(void *context, uint64_t linear, unsigned size, uint64_t *value)
{
	const struct operand *operand = context;

	retire_access(operand->vcpu, linear, size, false);
	if (!is_operand(operand, linear, size))
		return guest_load(operand->vcpu, linear, size, value);
	*value = guest_mapped_load(operand->gpa, size);
	return 0;
}

static int operand_store(void *context, uint64_t linear, unsigned size, uint64_t value)
{
	const struct operand *operand = context;

	retire_access(operand->vcpu, linear, size, true);
	/* Where the processor has walked for the load alone, the store's rights have not been looked at. */
	if (!operand->vcpu->exit.fault.write || !is_operand(operand, linear, size))
		return guest_store(operand->vcpu, linear, size, value);
	guest_mapped_store(operand->gpa, size, value);
	return 0;
}

/* String instructions have two operands, and move on: they are walked for. */
static enum insn_result execute(struct vcpu *vcpu, const struct insn *insn, struct insn_cpu *cpu)
{
	struct operand operand = {vcpu, insn_linear_address(insn, cpu), vcpu->exit.fault.gpa, false};
	const struct insn_memory memory = {&operand, operand_load, operand_store};

	/* A fault in the second page of an access that crosses tells nothing of the first. */
	operand.walked = insn->operation == INSN_MOVS || insn->operation == INSN_STOS || insn->operation == INSN_LODS ||
			 (operand.linear ^ operand.gpa) % 4096;
	return insn_execute(insn, cpu, &memory);
}

static void emulate(struct vcpu *vcpu)
{
	uint8_t bytes[INSN_MAX_BYTES];
	struct insn_cpu cpu;
	struct insn insn;
	unsigned count = guest_fetch(vcpu, bytes);

	if (!count)
		return;
	backend->insn_cpu(vcpu, &cpu);
	retire_begin(vcpu);
	if (insn_decode(bytes, count, cpu.mode, &insn) != INSN_OK) {
		refuse(vcpu, "an instruction that is not emulated");
		return;
	}
	/* Stores of any kind into our memory vanish. */
	if (insn.operation == INSN_VECTOR_STORE && memory_is_ours(vcpu->exit.fault.gpa, 1)) {
		vcpu->rip += insn.length;
		retire(vcpu);
		return;
	}
	if (backend->debugged(vcpu))
		insn.slice = 1; /* each iteration may trap */
	enum insn_result result = execute(vcpu, &insn, &cpu);

	if (result == INSN_UNSUPPORTED) {
		refuse(vcpu, "an instruction that is not emulated");
		return;
	}
	memcpy(vcpu->gpr, cpu.gpr, sizeof(vcpu->gpr));
	vcpu->rip = cpu.rip;
	vcpu->rflags = cpu.rflags;
	if (result == INSN_AGAIN)
		retire_iteration(vcpu);
	if (result != INSN_OK)
		return;
	retire(vcpu);
	if (vcpu->exit.fault.write)
		run_ahead(vcpu, vcpu->exit.fault.gpa);
}

void mmio_fault(struct vcpu *vcpu)
{
	uint64_t gpa = vcpu->exit.fault.gpa;
	unsigned access = npt_lookup(&vcpu->npt, gpa).access;

	/* The mapping has changed since: another CPU moved a hook. */
	if (vcpu->exit.fault.write ? access & NPT_WRITE : vcpu->exit.fault.fetch ? access & NPT_EXECUTE : access)
		return;
	if (!mmio_find(gpa) && mmio_map_missing(vcpu, gpa))
		return;
	if (vcpu->exit.fault.fetch)
		refuse(vcpu, "code in trapped memory");
	else
		emulate(vcpu);
}
