/* SPDX-License-Identifier: Apache-2.0 */
/* The guest's architectural state in the VMCB, and what INIT and SIPI make of it. */
#include "hv/svm/svm.h"

#define ATTRIBUTE_LONG 0x200 /* CS.L */
#define ATTRIBUTE_BIG  0x400 /* CS.D */

void svm_paging(struct vcpu *vcpu, struct walk_cpu *out)
{
	const struct vmcb *vmcb = vmcb_of(vcpu);

	memset(out, 0, sizeof(*out));
	out->cr0 = vmcb->cr0;
	out->cr3 = vmcb->cr3;
	out->cr4 = vmcb->cr4;
	out->efer = vmcb->efer;
	out->rflags = vcpu->rflags;
	out->cpl = vmcb->cpl;
	out->physical_bits = ((struct svm_state *)vcpu->backend)->physical_bits;
}

static enum insn_mode mode_of(const struct vmcb *vmcb)
{
	if (!(vmcb->cr0 & CR0_PE) || vmcb->rflags & RFLAGS_VM)
		return INSN_MODE_16;
	if (vmcb->efer & EFER_LMA && vmcb->cs.attributes & ATTRIBUTE_LONG)
		return INSN_MODE_64;
	return vmcb->cs.attributes & ATTRIBUTE_BIG ? INSN_MODE_32 : INSN_MODE_16;
}

/*
 * FS and GS are not switched by VMRUN: their hidden bases are still in the CPU,
 * where RDMSR shows them in every mode.
 */
void svm_insn_cpu(struct vcpu *vcpu, struct insn_cpu *out)
{
	const struct vmcb *vmcb = vmcb_of(vcpu);

	memcpy(out->gpr, vcpu->gpr, sizeof(out->gpr));
	out->rip = vcpu->rip;
	out->rflags = vcpu->rflags;
	out->mode = mode_of(vmcb);
	out->segment_base[SEG_ES] = vmcb->es.base;
	out->segment_base[SEG_CS] = vmcb->cs.base;
	out->segment_base[SEG_SS] = vmcb->ss.base;
	out->segment_base[SEG_DS] = vmcb->ds.base;
	out->segment_base[SEG_FS] = rdmsr(MSR_FS_BASE);
	out->segment_base[SEG_GS] = rdmsr(MSR_GS_BASE);
}

/* VMSAVE brings FS and GS from the processor; what it stores beside them is in no entry's way. */
void svm_segment(struct vcpu *vcpu, enum insn_segment which, struct segment *out)
{
	struct vmcb *vmcb = vmcb_of(vcpu);
	const struct vmcb_segment *const segments[] = {
		[SEG_ES] = &vmcb->es, [SEG_CS] = &vmcb->cs, [SEG_SS] = &vmcb->ss,
		[SEG_DS] = &vmcb->ds, [SEG_FS] = &vmcb->fs, [SEG_GS] = &vmcb->gs,
	};
	const struct vmcb_segment *from = segments[which];

	if (which >= SEG_FS)
		svm_vmsave(vmcb);
	out->base = from->base;
	out->limit = from->limit;
	out->attributes = (uint16_t)((from->attributes & 0xff) | (from->attributes & 0xf00) << 4);
}

void svm_retired(struct vcpu *vcpu)
{
	vmcb_of(vcpu)->interrupt_state &= ~1ull;
	vcpu->rflags &= ~RFLAGS_RF;
}

/* APM volume 2, table 14-1, column INIT; TR, LDTR, FS and GS reach the CPU by VMLOAD. */
void svm_reset(struct vcpu *vcpu)
{
	struct vmcb *vmcb = vmcb_of(vcpu);
	const struct vmcb_segment data = {.selector = 0, .attributes = 0x93, .limit = 0xffff, .base = 0};

	/* INIT leaves the MSRs that VMLOAD loads as they are: fetch them first. */
	svm_vmsave(vmcb);
	vmcb->es = vmcb->ss = vmcb->ds = vmcb->fs = vmcb->gs = data;
	vmcb->cs = (struct vmcb_segment){0xf000, 0x9b, 0xffff, 0xffff0000};
	vmcb->gdtr = vmcb->idtr = (struct vmcb_segment){0, 0, 0xffff, 0};
	vmcb->ldtr = (struct vmcb_segment){0, 0x82, 0xffff, 0};
	vmcb->tr = (struct vmcb_segment){0, 0x8b, 0xffff, 0};
	vmcb->cpl = 0;
	vmcb->efer = EFER_SVME;
	vmcb->cr0 = CR0_ET | (vmcb->cr0 & (CR0_CD | CR0_NW));
	vmcb->cr2 = vmcb->cr3 = vmcb->cr4 = 0;
	vmcb->dr6 = 0xffff0ff0;
	vmcb->dr7 = 0x400;
	vmcb->vintr = 0;
	vmcb->interrupt_state = 0;
	vmcb->exceptions = EVENT_ENDLESS;
	((struct svm_state *)vcpu->backend)->stepping = false;
	svm_nmi_reset(vcpu->backend);
	svm_vmload(vmcb);
	svm_backend.flush(vcpu);
}

void svm_startup(struct vcpu *vcpu, uint8_t vector)
{
	struct vmcb *vmcb = vmcb_of(vcpu);

	vmcb->cs.selector = (uint16_t)(vector << 8);
	vmcb->cs.base = (uint64_t)vector << 12;
	vcpu->rip = 0;
}

void svm_write_cr2(struct vcpu *vcpu, uint64_t value)
{
	vmcb_of(vcpu)->cr2 = value;
}

uint64_t svm_read_cr4(struct vcpu *vcpu)
{
	return vmcb_of(vcpu)->cr4;
}

uint64_t svm_read_dr6(struct vcpu *vcpu)
{
	return vmcb_of(vcpu)->dr6;
}

void svm_write_dr6(struct vcpu *vcpu, uint64_t value)
{
	vmcb_of(vcpu)->dr6 = value;
}

uint64_t svm_read_dr7(struct vcpu *vcpu)
{
	return vmcb_of(vcpu)->dr7;
}

uint8_t svm_cpl(struct vcpu *vcpu)
{
	return vmcb_of(vcpu)->cpl;
}

bool svm_debugged(struct vcpu *vcpu)
{
	return vcpu->rflags & RFLAGS_TF || vmcb_of(vcpu)->dr7 & DR7_ENABLED;
}
