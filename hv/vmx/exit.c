/* SPDX-License-Identifier: Apache-2.0 */
/* From the control structure to the core's exits. SDM volume 3, 28.2 and appendix C. */
#include "hv/vmx/vmx.h"

#define IO_SIZE   7u /* of the qualification, table 28-5: bytes less one */
#define IO_IN     (1u << 3)
#define IO_STRING (1u << 4)
#define IO_REPEAT (1u << 5)

static enum exit_reason reason_of(uint32_t reason)
{
	if (reason & VMX_EXIT_ENTRY_FAILED)
		return EXIT_INVALID;
	switch ((uint16_t)reason) {
	case VMX_EXIT_EXCEPTION:
		return (vmread(VMCS_INTERRUPTION) & EVENT_TYPE) == EVENT_NMI ? EXIT_NMI : EXIT_EXCEPTION;
	case VMX_EXIT_INTERRUPT:
		return EXIT_INTERRUPT;
	case VMX_EXIT_TRIPLE_FAULT:
		return EXIT_SHUTDOWN;
	case VMX_EXIT_INIT:
		return EXIT_INIT;
	case VMX_EXIT_INTERRUPT_WINDOW:
	case VMX_EXIT_NMI_WINDOW:
		return EXIT_WINDOW;
	case VMX_EXIT_TASK_SWITCH:
		return EXIT_TASK_SWITCH;
	case VMX_EXIT_CPUID:
		return EXIT_CPUID;
	case VMX_EXIT_INVD:
		return EXIT_INVALIDATE;
	case VMX_EXIT_VMCALL:
		return EXIT_HYPERCALL;
	case VMX_EXIT_CR_ACCESS:
		return EXIT_CONTROL_REGISTER;
	case VMX_EXIT_IO:
		return EXIT_IO;
	case VMX_EXIT_RDMSR:
		return EXIT_MSR_READ;
	case VMX_EXIT_WRMSR:
		return EXIT_MSR_WRITE;
	case VMX_EXIT_EPT_VIOLATION:
		return EXIT_NESTED_FAULT;
	case VMX_EXIT_XSETBV:
		return EXIT_XSETBV;
	case VMX_EXIT_EPT_MISCONFIGURED:
		return EXIT_INVALID;
	case VMX_EXIT_GETSEC:
	case VMX_EXIT_INVEPT:
	case VMX_EXIT_INVVPID:
		return EXIT_UNDEFINED;
	}
	return (uint16_t)reason >= VMX_EXIT_VMCLEAR && (uint16_t)reason <= VMX_EXIT_VMXON ? EXIT_UNDEFINED : EXIT_OTHER;
}

static uint64_t next_rip(const struct vcpu *vcpu)
{
	uint64_t rip = vcpu->rip + vmread(VMCS_INSTRUCTION_BYTES);

	return vmx_in_64_bits() ? rip : rip & UINT32_MAX;
}

static void decode_io(struct vcpu *vcpu, uint64_t qualification)
{
	struct cpu_exit *exit = &vcpu->exit;

	exit->io.port = (uint16_t)(qualification >> 16);
	exit->io.size = (uint8_t)((qualification & IO_SIZE) + 1);
	exit->io.in = qualification & IO_IN;
	exit->io.string = qualification & IO_STRING;
	exit->io.repeat = qualification & IO_REPEAT;
	exit->io.next_rip = next_rip(vcpu);
}

/* An IRET that faulted had opened NMIs already: it runs again, and until then they are blocked (28.2.3). */
static void block_again(bool unblocked)
{
	if (unblocked && !(vmread(VMCS_VECTORING) & EVENT_VALID))
		vmwrite(VMCS_INTERRUPTIBILITY, vmread(VMCS_INTERRUPTIBILITY) | BLOCKED_BY_NMI);
}

static void decode_fault(struct vcpu *vcpu, uint64_t qualification)
{
	struct cpu_exit *exit = &vcpu->exit;

	exit->info2 = exit->fault.gpa = vmread(VMCS_GUEST_PHYSICAL);
	exit->fault.write = qualification & QUALIFICATION_WRITE;
	exit->fault.fetch = qualification & QUALIFICATION_FETCH;
	block_again(qualification & QUALIFICATION_NMI_UNBLOCKED);
}

/*
 * The guest gets it as if it had not exited: its causes go to DR6, GD of DR7 goes down, and
 * what an instruction blocked is over (28.3.4). INT1 is past; it has no causes.
 */
static void give_exception(struct vcpu *vcpu, uint64_t qualification)
{
	uint64_t info = vmread(VMCS_INTERRUPTION), state;

	block_again(info & INTERRUPTION_NMI_UNBLOCKED);
	state = vmread(VMCS_INTERRUPTIBILITY);
	vmwrite(VMCS_INTERRUPTIBILITY, state & ~(uint64_t)(BLOCKED_BY_STI | BLOCKED_BY_MOV_SS));
	if ((info & EVENT_VECTOR) == EXCEPTION_AC) {
		inject_exception(vcpu, EXCEPTION_AC, true, 0);
		return;
	}
	if ((info & EVENT_TYPE) != EVENT_EXCEPTION)
		vcpu->rip = next_rip(vcpu);
	vmwrite(VMCS_GUEST_DR7, vmread(VMCS_GUEST_DR7) & ~DR7_GD);
	if ((info & EVENT_TYPE) == EVENT_EXCEPTION)
		inject_debug(vcpu, qualification & (DR6_BREAKPOINTS | DR6_BD | DR6_BS));
	else
		inject_exception(vcpu, EXCEPTION_DB, false, 0);
}

void vmx_decode_exit(struct vcpu *vcpu)
{
	struct cpu_exit *exit = &vcpu->exit;

	exit->code = vmread(VMCS_EXIT_REASON);
	exit->info1 = vmread(VMCS_QUALIFICATION);
	exit->info2 = 0;
	exit->reason = reason_of((uint32_t)exit->code);
	if (exit->reason == EXIT_IO)
		decode_io(vcpu, exit->info1);
	else if (exit->reason == EXIT_NESTED_FAULT)
		decode_fault(vcpu, exit->info1);
	else if (exit->reason == EXIT_EXCEPTION)
		give_exception(vcpu, exit->info1);
	else if (exit->reason == EXIT_INTERRUPT && vmx_holds_interrupt(vcpu))
		exit->reason = EXIT_WINDOW;
	else if (exit->reason == EXIT_CONTROL_REGISTER)
		vmx_cr_access(vcpu, exit->info1);
	else if (exit->reason == EXIT_TASK_SWITCH)
		vmx_task_switch(vcpu, exit->info1);
}
