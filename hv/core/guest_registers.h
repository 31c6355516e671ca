/* SPDX-License-Identifier: Apache-2.0 */
/* Assembler macros by which the backends exchange the host's general registers and vcpu->gpr, the vcpu in rdi. */
#ifndef HV_CORE_GUEST_REGISTERS_H
#define HV_CORE_GUEST_REGISTERS_H

/* What the host keeps goes to the stack, the vcpu last. */
	.macro host_registers_keep
	push %rbx
	push %rbp
	push %r12
	push %r13
	push %r14
	push %r15
	push %rdi
	.endm

/* ... and back, when the vcpu is off the stack. */
	.macro host_registers_back
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbp
	pop %rbx
	.endm

/* Loads vcpu->gpr but for rax and rsp; flags stay. */
	.macro guest_registers_in
	mov 8*1(%rdi), %rcx
	mov 8*2(%rdi), %rdx
	mov 8*3(%rdi), %rbx
	mov 8*5(%rdi), %rbp
	mov 8*6(%rdi), %rsi
	mov 8*8(%rdi), %r8
	mov 8*9(%rdi), %r9
	mov 8*10(%rdi), %r10
	mov 8*11(%rdi), %r11
	mov 8*12(%rdi), %r12
	mov 8*13(%rdi), %r13
	mov 8*14(%rdi), %r14
	mov 8*15(%rdi), %r15
	mov 8*7(%rdi), %rdi
	.endm

/* Stores all but rsp to vcpu->gpr, and takes the host's back. */
	.macro guest_registers_out
	xchg %rdi, (%rsp)
	mov %rax, 8*0(%rdi)
	mov %rcx, 8*1(%rdi)
	mov %rdx, 8*2(%rdi)
	mov %rbx, 8*3(%rdi)
	mov %rbp, 8*5(%rdi)
	mov %rsi, 8*6(%rdi)
	mov %r8, 8*8(%rdi)
	mov %r9, 8*9(%rdi)
	mov %r10, 8*10(%rdi)
	mov %r11, 8*11(%rdi)
	mov %r12, 8*12(%rdi)
	mov %r13, 8*13(%rdi)
	mov %r14, 8*14(%rdi)
	mov %r15, 8*15(%rdi)
	pop %rax
	mov %rax, 8*7(%rdi)
	host_registers_back
	.endm

#endif
