/* SPDX-License-Identifier: Apache-2.0 */
/* AMD-V: turning it on, the control block, entering the guest, decoding exits. APM volume 2, chapter 15. */
#include "hv/svm/svm.h"
#include "hv/core/limits.h"
#include "hv/svm/missing.h"
#include "hv/svm/npt_format.h"
#include "hv/x86/descriptor.h"

#define VM_CR_INIT_REDIRECTION (1ull << 1)

static void svm_npt_format(struct npt_format *out)
{
	svm_fill_npt_format(out, cpu_has_huge_pages());
}

/* The attribute word of APM 15.5.1 has no gap. */
static void load_segment(struct vmcb_segment *to, uint16_t selector, const struct descriptor_table *gdt)
{
	struct segment segment;

	memset(to, 0, sizeof(*to));
	to->selector = selector;
	if (!segment_read(gdt, selector, &segment))
		return;
	to->attributes = (uint16_t)((segment.attributes & 0xff) | (segment.attributes >> 4 & 0xf00));
	to->limit = segment.limit;
	to->base = segment.base;
}

static void set_intercepts(struct vmcb *vmcb)
{
	vmcb->exceptions = EVENT_ENDLESS;
	vmcb->intercepts1 = VMCB_NMI | VMCB_SMI | VMCB_INIT | VMCB_CPUID | VMCB_INVD | VMCB_INVLPGA | VMCB_IOIO | VMCB_MSR |
			    VMCB_SHUTDOWN;
	vmcb->intercepts2 = VMCB_VMRUN | VMCB_VMMCALL | VMCB_VMLOAD | VMCB_VMSAVE | VMCB_STGI | VMCB_CLGI |
			    VMCB_SKINIT;
}

static void svm_start(struct vcpu *vcpu, const struct launch_state *launch)
{
	struct svm_state *svm = vcpu->backend;
	struct vmcb *vmcb = &svm->vmcb;

	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SVME);
	wrmsr(MSR_VM_HSAVE, (uint64_t)svm->host_save);
	/* An INIT that arrives while the host runs becomes #SX instead of a reset. */
	wrmsr(MSR_VM_CR, rdmsr(MSR_VM_CR) | VM_CR_INIT_REDIRECTION);

	svm->physical_bits = (uint8_t)cpuid(0x80000008, 0).eax;
	set_intercepts(vmcb);
	vmcb->iopm = (uint64_t)svm_iopm;
	vmcb->msrpm = (uint64_t)svm_msrpm;
	vmcb->asid = 1;
	vmcb->tlb_control = VMCB_TLB_FLUSH_ALL;
	vmcb->nested_control = 1;
	vmcb->nested_cr3 = (uint64_t)vcpu->npt.root;

	load_segment(&vmcb->es, launch->es, &launch->gdt);
	load_segment(&vmcb->cs, launch->cs, &launch->gdt);
	load_segment(&vmcb->ss, launch->ss, &launch->gdt);
	load_segment(&vmcb->ds, launch->ds, &launch->gdt);
	vmcb->gdtr.base = launch->gdt.base;
	vmcb->gdtr.limit = launch->gdt.limit;
	vmcb->idtr.base = launch->idt.base;
	vmcb->idtr.limit = launch->idt.limit;
	vmcb->cr0 = launch->cr0;
	vmcb->cr3 = launch->cr3;
	vmcb->cr4 = launch->cr4;
	vmcb->efer = launch->efer | EFER_SVME;
	vmcb->dr6 = 0xffff0ff0;
	vmcb->dr7 = 0x400;
	vmcb->pat = rdmsr(MSR_PAT);
	vmcb->rsp = launch->rsp;
	vcpu->rip = launch->rip;
	vcpu->rflags = launch->rflags;
	vcpu->gpr[4] = launch->rsp;
	svm_clgi();
}

static enum exit_reason reason_of(uint64_t code)
{
	/* -1, of 64 bits in the manual and of 32 in some emulators. */
	if ((uint32_t)code == UINT32_MAX)
		return EXIT_INVALID;
	switch (code) {
	case VMEXIT_INTR:
		return EXIT_INTERRUPT;
	case VMEXIT_NMI:
		return EXIT_NMI;
	case VMEXIT_SMI:
		return EXIT_SMI;
	case VMEXIT_INIT:
		return EXIT_INIT;
	case VMEXIT_CPUID:
		return EXIT_CPUID;
	case VMEXIT_DEBUG:
	case VMEXIT_ALIGNMENT:
		return EXIT_EXCEPTION;
	case VMEXIT_IRET:
		return EXIT_WINDOW;
	case VMEXIT_HLT:
		return EXIT_HALT;
	case VMEXIT_INVD:
		return EXIT_INVALIDATE;
	case VMEXIT_IOIO:
		return EXIT_IO;
	case VMEXIT_SHUTDOWN:
		return EXIT_SHUTDOWN;
	case VMEXIT_VMMCALL:
		return EXIT_HYPERCALL;
	case VMEXIT_NPF:
		return EXIT_NESTED_FAULT;
	}
	if (code == VMEXIT_INVLPGA || code == VMEXIT_VMRUN || (code >= VMEXIT_VMLOAD && code <= VMEXIT_SKINIT))
		return EXIT_UNDEFINED;
	return EXIT_OTHER;
}

static void decode_exit(struct vcpu *vcpu, const struct vmcb *vmcb)
{
	struct cpu_exit *exit = &vcpu->exit;

	exit->code = vmcb->exit_code;
	exit->info1 = vmcb->exit_info1;
	exit->info2 = vmcb->exit_info2;
	exit->reason = reason_of(exit->code);
	if (exit->code == VMEXIT_MSR) {
		exit->reason = exit->info1 ? EXIT_MSR_WRITE : EXIT_MSR_READ;
	} else if (exit->reason == EXIT_IO) {
		exit->io.port = (uint16_t)(exit->info1 >> 16);
		exit->io.size = (uint8_t)(exit->info1 >> 4 & 7);
		exit->io.in = exit->info1 & 1;
		exit->io.string = exit->info1 & 4;
		exit->io.repeat = exit->info1 & 8;
		exit->io.next_rip = exit->info2;
	} else if (exit->reason == EXIT_NESTED_FAULT) {
		exit->fault.gpa = exit->info2;
		exit->fault.write = exit->info1 & 2;
		exit->fault.fetch = exit->info1 & 16;
	} else if (exit->code == VMEXIT_IRET) {
		svm_iret(vcpu);
	} else if (exit->reason == EXIT_HALT) {
		svm_halt(vcpu);
	} else if (exit->reason == EXIT_EXCEPTION) {
		svm_exception(vcpu);
	}
}

static void svm_run(struct vcpu *vcpu)
{
	struct svm_state *svm = vcpu->backend;
	struct vmcb *vmcb = &svm->vmcb;

	vmcb->rax = vcpu->gpr[0];
	vmcb->rsp = vcpu->gpr[4];
	vmcb->rip = vcpu->rip;
	vmcb->rflags = vcpu->rflags;
	/* Real mode knows no error codes. */
	vmcb->event_injection = vmcb->cr0 & CR0_PE ? vcpu->event : vcpu->event & (UINT32_MAX & ~EVENT_HAS_ERROR);
	svm->iret_ahead = false;
	svm_watch_halt(vcpu);
	if ((vcpu->event & (EVENT_VALID | EVENT_TYPE)) == (EVENT_VALID | EVENT_NMI))
		svm_nmi_begins(vcpu);
	svm_enter(vcpu, (uint64_t)vmcb);
	vmcb->tlb_control = 0;
	vcpu->gpr[0] = vmcb->rax;
	vcpu->gpr[4] = vmcb->rsp;
	vcpu->rip = vmcb->rip;
	vcpu->rflags = vmcb->rflags;
	event_cut_short(vcpu, vmcb->exit_int_info);
	svm_note_return(vcpu);
	decode_exit(vcpu, vmcb);
}

static void svm_flush(struct vcpu *vcpu)
{
	struct svm_state *svm = vcpu->backend;

	svm->vmcb.tlb_control = VMCB_TLB_FLUSH_ALL;
}

static void svm_window(struct vcpu *vcpu, enum window window)
{
	if (window == WINDOW_GUEST_REGISTERS) {
		svm_smi_window(vcpu);
		return;
	}
	if (window == WINDOW_INTERRUPT)
		interrupts_on();
	svm_nmi_window(window == WINDOW_HALT);
	if (window == WINDOW_INTERRUPT)
		interrupts_off();
}

static uint64_t svm_host_nmi(struct vcpu *vcpu, uint64_t rip)
{
	vcpu->host_nmis++;
	return rip >= (uint64_t)svm_window_halt && rip < (uint64_t)svm_window_end ? (uint64_t)svm_window_end : rip;
}

const struct cpu_backend svm_backend = {
	.name = "svm",
	.present = svm_present,
	.missing = svm_missing,
	.state_bytes = sizeof(struct svm_state),
	.npt_format = svm_npt_format,
	.start = svm_start,
	.run = svm_run,
	.paging = svm_paging,
	.insn_cpu = svm_insn_cpu,
	.segment = svm_segment,
	.takes_nmi = svm_takes_nmi,
	.watch_interrupts = svm_watch_interrupts,
	.pend_interrupt = svm_pend_interrupt,
	.pending_interrupt = svm_pending_interrupt,
	.watch_return = svm_watch_return,
	.retired = svm_retired,
	.reset = svm_reset,
	.startup = svm_startup,
	.flush = svm_flush,
	.write_cr2 = svm_write_cr2,
	.read_cr4 = svm_read_cr4,
	.read_dr6 = svm_read_dr6,
	.write_dr6 = svm_write_dr6,
	.read_dr7 = svm_read_dr7,
	.cpl = svm_cpl,
	.debugged = svm_debugged,
	.window = svm_window,
	.host_nmi = svm_host_nmi,
	.trap_port = svm_trap_port,
	.trap_msr = svm_trap_msr,
	.msr_rules = svm_msr_rules,
	.msr_rule_count = SVM_MSR_RULES,
	.hide_from_cpuid = svm_hide_from_cpuid,
};
