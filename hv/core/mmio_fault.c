/* SPDX-License-Identifier: Apache-2.0 */
/* A nested page fault: emulate one instruction, or map what was never mapped. */
#include "hv/core/backend.h"
#include "hv/core/log.h"
#include "hv/core/memory.h"
#include "hv/core/mmio_find.h"
#include "hv/core/run_ahead.h"
#include <string.h>

static void refuse(struct vcpu *vcpu, const char *what)
{
	static uint32_t said;

	if (log_limited(&said))
		log_warning("cpu %u: %s at rip %lx on physical %lx", vcpu->index, what, vcpu->rip,
			    vcpu->exit.fault.gpa);
	backend->inject_exception(vcpu, EXCEPTION_UD, false, 0);
}

static void emulate(struct vcpu *vcpu)
{
	const struct insn_memory memory = {vcpu, guest_load, guest_store};
	uint8_t bytes[INSN_MAX_BYTES];
	struct insn_cpu cpu;
	struct insn insn;
	unsigned count = guest_fetch(vcpu, bytes);

	if (!count)
		return;
	backend->insn_cpu(vcpu, &cpu);
	if (insn_decode(bytes, count, cpu.mode, &insn) != INSN_OK) {
		refuse(vcpu, "an instruction that is not emulated");
		return;
	}
	/* Stores of any kind into our memory vanish. */
	if (insn.operation == INSN_VECTOR_STORE && memory_is_ours(vcpu->exit.fault.gpa, 1)) {
		vcpu->rip += insn.length;
		backend->retired(vcpu);
		return;
	}
	enum insn_result result = insn_execute(&insn, &cpu, &memory);

	if (result == INSN_UNSUPPORTED) {
		refuse(vcpu, "an instruction that is not emulated");
		return;
	}
	memcpy(vcpu->gpr, cpu.gpr, sizeof(vcpu->gpr));
	vcpu->rip = cpu.rip;
	vcpu->rflags = cpu.rflags;
	if (result != INSN_OK)
		return;
	backend->retired(vcpu);
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
	if (mmio_map_missing(vcpu, gpa))
		return;
	if (vcpu->exit.fault.fetch)
		refuse(vcpu, "code in trapped memory");
	else
		emulate(vcpu);
}
