/* SPDX-License-Identifier: Apache-2.0 */
/* Intel VT-x: entering the guest, and NMIs that come to the host. SDM volume 3, chapters 24 to 28. */
#include "hv/vmx/vmx.h"
#include "hv/vmx/ept.h"
#include "hv/x86/mtrr.h"

static void vmx_npt_format(struct npt_format *out)
{
	struct vmx_capability capability;

	vmx_capability_read(&capability);
	mtrr_read();
	ept_fill_npt_format(out, vmx_huge_pages(&capability));
}

static void vmx_flush(struct vcpu *vcpu)
{
	vmx_of(vcpu)->flush = true;
}

/* The entry that was not tried: as if an NMI had ended it at once. */
static void not_entered(struct vcpu *vcpu, int why)
{
	vcpu->exit.code = why == VMX_REFUSED ? VMX_EXIT_ENTRY_FAILED : VMX_EXIT_EXCEPTION;
	vcpu->exit.info1 = why == VMX_REFUSED ? vmread(VMCS_INSTRUCTION_ERROR) : 0;
	vcpu->exit.info2 = 0;
	vcpu->exit.reason = why == VMX_REFUSED ? EXIT_INVALID : EXIT_NMI;
}

static void vmx_run(struct vcpu *vcpu)
{
	struct vmx_state *vmx = vmx_of(vcpu);
	int how;

	if (vmx->flush)
		invept(INVEPT_ALL, 0);
	vmx->flush = false;
	vmx_prepare_events(vcpu);
	vmwrite(VMCS_GUEST_RIP, vcpu->rip);
	vmwrite(VMCS_GUEST_RSP, vcpu->gpr[4]);
	vmwrite(VMCS_GUEST_RFLAGS, vcpu->rflags);
	how = vmx_enter(vcpu, vmx->launched, &vmx->nmi_noted);
	vmx->watch_nmi = vmx->watch_return = false;
	if (how != VMX_EXITED) {
		not_entered(vcpu, how);
		return;
	}
	vmx->launched = true;
	vcpu->rip = vmread(VMCS_GUEST_RIP);
	vcpu->gpr[4] = vmread(VMCS_GUEST_RSP);
	vcpu->rflags = vmread(VMCS_GUEST_RFLAGS);
	vmx_finish_events(vcpu);
	vmx_decode_exit(vcpu);
	if (vcpu->exit.reason == EXIT_NMI) {
		vmx->nmi_noted = 1;
		vmx_unblock_nmis();
	}
}

/*
 * NMIs come at any time, and are noted; the window is where those that were noted are
 * counted. SMIs go to the firmware by themselves, from the guest as well.
 */
static void vmx_window(struct vcpu *vcpu, enum window window)
{
	struct vmx_state *vmx = vmx_of(vcpu);

	if (window == WINDOW_HALT)
		vmx_halt(&vmx->nmi_noted);
	if (window == WINDOW_INTERRUPT)
		interrupts_on();
	cpu_pause();
	cpu_pause();
	if (window == WINDOW_INTERRUPT)
		interrupts_off();
	if (__atomic_exchange_n(&vmx->nmi_noted, 0, __ATOMIC_SEQ_CST))
		vcpu->host_nmis++;
}

/*
 * The guest's own wait: nothing but a SIPI ends it once it has begun. One that comes while
 * the host runs is lost, as on a processor that has not yet got as far.
 */
static int vmx_await_sipi(struct vcpu *vcpu)
{
	vmwrite(VMCS_ACTIVITY, ACTIVITY_WAIT_FOR_SIPI);
	vmx_run(vcpu);
	vmwrite(VMCS_ACTIVITY, ACTIVITY_ACTIVE);
	return vcpu->exit.code == VMX_EXIT_SIPI ? (uint8_t)vcpu->exit.info1 : -1;
}

static uint64_t vmx_host_nmi(struct vcpu *vcpu, uint64_t rip)
{
	vmx_of(vcpu)->nmi_noted = 1;
	if (rip >= (uint64_t)vmx_enter_look && rip < (uint64_t)vmx_enter_looked)
		return (uint64_t)vmx_enter_noted;
	if (rip >= (uint64_t)vmx_halt_look && rip < (uint64_t)vmx_halted)
		return (uint64_t)vmx_halted;
	return rip;
}

const struct cpu_backend vmx_backend = {
	.name = "vmx",
	.present = vmx_present,
	.missing = vmx_missing,
	.state_bytes = sizeof(struct vmx_state),
	.npt_format = vmx_npt_format,
	.start = vmx_start,
	.run = vmx_run,
	.paging = vmx_paging,
	.insn_cpu = vmx_insn_cpu,
	.segment = vmx_segment,
	.takes_nmi = vmx_takes_nmi,
	.watch_interrupts = vmx_watch_interrupts,
	.pend_interrupt = vmx_pend_interrupt,
	.pending_interrupt = vmx_pending_interrupt,
	.watch_return = vmx_watch_return,
	.retired = vmx_retired,
	.reset = vmx_reset,
	.startup = vmx_startup,
	.await_sipi = vmx_await_sipi,
	.flush = vmx_flush,
	.write_cr2 = vmx_write_cr2,
	.read_cr4 = vmx_read_cr4,
	.read_dr6 = vmx_read_dr6,
	.write_dr6 = vmx_write_dr6,
	.read_dr7 = vmx_read_dr7,
	.cpl = vmx_cpl,
	.debugged = vmx_debugged,
	.window = vmx_window,
	.host_nmi = vmx_host_nmi,
	.trap_port = vmx_trap_port,
	.trap_msr = vmx_trap_msr,
	.msr_rules = vmx_msr_rules,
	.msr_rule_count = VMX_MSR_RULES,
	.hide_from_cpuid = vmx_hide_from_cpuid,
};
