/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way into the guest, and what the host needs around NMIs. There is no flag that
 * holds them back: one that comes to the host is noted by its handler (vmx_host_nmi),
 * and where the host is about to enter, or to halt, the handler sends it elsewhere.
 */
#include "hv/core/guest_registers.h"
#include "hv/vmx/enter.h"

	.text
/*
 * enum vmx_entry vmx_enter(struct vcpu *vcpu, bool launched, const uint32_t *nmi_noted)
 *
 * Loads the guest's general registers from vcpu->gpr, runs it, stores them back; rsp
 * lives in the control structure. Does not enter when an NMI is noted: what was known
 * of others' requests before may be out of date. An NMI between the look and the entry
 * goes on at vmx_enter_noted.
 */
	.globl vmx_enter, vmx_enter_look, vmx_enter_looked, vmx_enter_noted, vmx_exit
	.hidden vmx_enter, vmx_enter_look, vmx_enter_looked, vmx_enter_noted, vmx_exit
vmx_enter:
	host_registers_keep
	mov $VMCS_HOST_RSP, %eax
	vmwrite %rsp, %rax
vmx_enter_look:
	cmpl $0, (%rdx)
	jne vmx_enter_noted
	test %sil, %sil
	mov 8*0(%rdi), %rax
	guest_registers_in
	jnz 1f
	vmlaunch
	jmp vmx_enter_looked
1:	vmresume
vmx_enter_looked:
	mov $VMX_REFUSED, %eax
	jmp 2f
vmx_enter_noted:
	mov $VMX_NMI_NOTED, %eax
2:	pop %rdi
	host_registers_back
	ret

/* Exits come here, with the stack as it was at the entry. */
vmx_exit:
	guest_registers_out
	xor %eax, %eax
	ret

/*
 * void vmx_halt(const uint32_t *nmi_noted)
 *
 * Sleeps until an NMI comes, unless one is noted. One that comes between the look
 * and the sleep goes on at vmx_halted.
 */
	.globl vmx_halt, vmx_halt_look, vmx_halted
	.hidden vmx_halt, vmx_halt_look, vmx_halted
vmx_halt:
vmx_halt_look:
	cmpl $0, (%rdi)
	jne vmx_halted
	hlt
vmx_halted:
	ret

/*
 * void vmx_unblock_nmis(void)
 *
 * An exit at an NMI leaves the next one blocked until an IRET.
 */
	.globl vmx_unblock_nmis
	.hidden vmx_unblock_nmis
vmx_unblock_nmis:
	mov %rsp, %rax
	mov %ss, %ecx
	push %rcx
	push %rax
	pushfq
	mov %cs, %ecx
	push %rcx
	lea 1f(%rip), %rcx
	push %rcx
	iretq
1:	ret
	.section .note.GNU-stack, "", @progbits
