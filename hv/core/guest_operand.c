/* SPDX-License-Identifier: Apache-2.0 */
/* Operands that the processor has not checked: segmentation is ours to do. */
#include "hv/core/backend.h"
#include "hv/core/event.h"
#include "hv/core/mmio.h"

static enum segment_rules rules_of(const struct walk_cpu *cpu, enum insn_mode mode)
{
	if (mode == INSN_MODE_64)
		return SEGMENT_LONG;
	return cpu->cr0 & CR0_PE && !(cpu->rflags & RFLAGS_VM) ? SEGMENT_PROTECTED : SEGMENT_REAL;
}

/* Segments but FS and GS are nothing in 64-bit mode, an override of SS among them. */
bool guest_operand_allowed(
	struct vcpu *vcpu, enum insn_segment which, uint64_t offset, unsigned size, bool write, uint64_t *linear)
{
	struct segment segment = {0};
	struct walk_cpu paging;
	struct insn_cpu cpu;

	backend->paging(vcpu, &paging);
	backend->insn_cpu(vcpu, &cpu);
	enum segment_rules rules = rules_of(&paging, cpu.mode);

	if (rules != SEGMENT_LONG || which >= SEG_FS)
		backend->segment(vcpu, which, &segment);
	return segment_allows(&segment, rules, paging.cr4 & CR4_LA57 ? 57 : 48, offset, size, write, linear);
}

int guest_operand(struct vcpu *vcpu, enum insn_segment which, uint64_t offset, unsigned size, bool write, uint64_t *linear)
{
	struct insn_cpu cpu;

	if (guest_operand_allowed(vcpu, which, offset, size, write, linear))
		return 0;
	backend->insn_cpu(vcpu, &cpu);
	inject_exception(vcpu, which == SEG_SS && cpu.mode != INSN_MODE_64 ? EXCEPTION_SS : EXCEPTION_GP, true, 0);
	return -1;
}
