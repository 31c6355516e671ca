/* SPDX-License-Identifier: Apache-2.0 */
/* The guest's architectural state in the control structure, and what INIT and SIPI make of it. */
#include "hv/vmx/vmx.h"

void vmx_set_segment(enum vmcs_segment which, const struct vmx_segment *segment)
{
	vmwrite(VMCS_GUEST_SELECTOR + 2 * which, segment->selector);
	vmwrite(VMCS_GUEST_BASE + 2 * which, segment->base);
	vmwrite(VMCS_GUEST_LIMIT + 2 * which, segment->limit);
	vmwrite(VMCS_GUEST_RIGHTS + 2 * which, segment->rights);
}

/* DPL of SS, 25.4.1. */
uint8_t vmx_cpl(struct vcpu *vcpu)
{
	(void)vcpu;
	return vmread(VMCS_GUEST_RIGHTS + 2 * VMCS_SS) >> 5 & 3;
}

void vmx_paging(struct vcpu *vcpu, struct walk_cpu *out)
{
	memset(out, 0, sizeof(*out));
	out->cr0 = vmx_cr0();
	out->cr3 = vmread(VMCS_GUEST_CR3);
	out->cr4 = vmx_cr4();
	out->efer = vmread(VMCS_GUEST_EFER);
	out->rflags = vcpu->rflags;
	out->cpl = vmx_cpl(vcpu);
	out->physical_bits = vmx_of(vcpu)->physical_bits;
}

bool vmx_in_64_bits(void)
{
	return vmread(VMCS_GUEST_EFER) & EFER_LMA && vmread(VMCS_GUEST_RIGHTS + 2 * VMCS_CS) & RIGHTS_LONG;
}

static enum insn_mode mode_of(const struct vcpu *vcpu)
{
	uint64_t rights = vmread(VMCS_GUEST_RIGHTS + 2 * VMCS_CS);

	if (!(vmread(VMCS_GUEST_CR0) & CR0_PE) || vcpu->rflags & RFLAGS_VM)
		return INSN_MODE_16;
	if (vmx_in_64_bits())
		return INSN_MODE_64;
	return rights & RIGHTS_BIG ? INSN_MODE_32 : INSN_MODE_16;
}

static const enum vmcs_segment segment_fields[] = {
	[SEG_ES] = VMCS_ES, [SEG_CS] = VMCS_CS, [SEG_SS] = VMCS_SS, [SEG_DS] = VMCS_DS, [SEG_FS] = VMCS_FS, [SEG_GS] = VMCS_GS,
};

void vmx_insn_cpu(struct vcpu *vcpu, struct insn_cpu *out)
{
	memcpy(out->gpr, vcpu->gpr, sizeof(out->gpr));
	out->rip = vcpu->rip;
	out->rflags = vcpu->rflags;
	out->mode = mode_of(vcpu);
	for (enum insn_segment i = SEG_ES; i <= SEG_GS; i++)
		out->segment_base[i] = vmread(VMCS_GUEST_BASE + 2 * segment_fields[i]);
}

void vmx_segment(struct vcpu *vcpu, enum insn_segment which, struct segment *out)
{
	uint64_t rights = vmread(VMCS_GUEST_RIGHTS + 2 * segment_fields[which]);

	(void)vcpu;
	out->base = vmread(VMCS_GUEST_BASE + 2 * segment_fields[which]);
	out->limit = (uint32_t)vmread(VMCS_GUEST_LIMIT + 2 * segment_fields[which]);
	out->attributes = rights & RIGHTS_UNUSABLE ? 0 : (uint16_t)rights;
}

void vmx_retired(struct vcpu *vcpu)
{
	uint64_t state = vmread(VMCS_INTERRUPTIBILITY);

	if (state & (BLOCKED_BY_STI | BLOCKED_BY_MOV_SS))
		vmwrite(VMCS_INTERRUPTIBILITY, state & ~(uint64_t)(BLOCKED_BY_STI | BLOCKED_BY_MOV_SS));
	vcpu->rflags &= ~RFLAGS_RF;
}

static void reset_segments(void)
{
	const struct vmx_segment code = {0xf000, 0xffff, 0x9b, 0xffff0000}, data = {0, 0xffff, 0x93, 0};
	const struct vmx_segment ldtr = {0, 0xffff, 0x82, 0}, tr = {0, 0xffff, 0x8b, 0};

	for (enum vmcs_segment i = VMCS_ES; i <= VMCS_GS; i++)
		vmx_set_segment(i, i == VMCS_CS ? &code : &data);
	vmx_set_segment(VMCS_LDTR, &ldtr);
	vmx_set_segment(VMCS_TR, &tr);
	vmwrite(VMCS_GUEST_GDTR_BASE, 0);
	vmwrite(VMCS_GUEST_GDTR_LIMIT, 0xffff);
	vmwrite(VMCS_GUEST_IDTR_BASE, 0);
	vmwrite(VMCS_GUEST_IDTR_LIMIT, 0xffff);
}

static void reset_events(struct vcpu *vcpu)
{
	struct vmx_state *vmx = vmx_of(vcpu);

	vmx->pending = -1;
	vmx->watch_return = vmx->watch_nmi = vmx->held = false;
	vmwrite(VMCS_INTERRUPTIBILITY, 0);
	vmwrite(VMCS_ACTIVITY, ACTIVITY_ACTIVE);
	vmwrite(VMCS_PENDING_DEBUG, 0);
}

/* SDM volume 3, table 10-1, column INIT; CD and NW stay as they are in the CPU, an entry does not load them. */
void vmx_reset(struct vcpu *vcpu)
{
	reset_segments();
	vmx_set_cr0(vcpu, CR0_ET | (vmread(VMCS_GUEST_CR0) & (CR0_CD | CR0_NW)));
	vmx_set_cr4(0);
	vmwrite(VMCS_GUEST_CR3, 0);
	vmwrite(VMCS_GUEST_EFER, 0);
	vmwrite(VMCS_ENTRY, vmread(VMCS_ENTRY) & ~(uint64_t)ENTRY_CONTROL_GUEST_64);
	write_cr2(0);
	write_dr6(0xffff0ff0);
	vmwrite(VMCS_GUEST_DR7, 0x400);
	vmwrite(VMCS_GUEST_DEBUGCTL, 0);
	reset_events(vcpu);
	vmx_backend.flush(vcpu);
}

void vmx_startup(struct vcpu *vcpu, uint8_t vector)
{
	const struct vmx_segment code = {(uint16_t)(vector << 8), 0xffff, 0x9b, (uint64_t)vector << 12};

	vmx_set_segment(VMCS_CS, &code);
	vcpu->rip = 0;
}

void vmx_write_cr2(struct vcpu *vcpu, uint64_t value)
{
	(void)vcpu;
	write_cr2(value);
}

uint64_t vmx_read_cr4(struct vcpu *vcpu)
{
	(void)vcpu;
	return vmx_cr4();
}

uint64_t vmx_read_dr6(struct vcpu *vcpu)
{
	(void)vcpu;
	return read_dr6();
}

void vmx_write_dr6(struct vcpu *vcpu, uint64_t value)
{
	(void)vcpu;
	write_dr6(value);
}

uint64_t vmx_read_dr7(struct vcpu *vcpu)
{
	(void)vcpu;
	return vmread(VMCS_GUEST_DR7);
}

bool vmx_debugged(struct vcpu *vcpu)
{
	return vcpu->rflags & RFLAGS_TF || vmread(VMCS_GUEST_DR7) & DR7_ENABLED;
}
