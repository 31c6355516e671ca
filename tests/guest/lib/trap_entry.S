/* SPDX-License-Identifier: Apache-2.0 */
/* Entries of all vectors, and the way into and out of code under test. */
#define HAS_ERROR_CODE 0x60227d00 /* vectors 8, 10-14, 17, 21, 29, 30 */

	.text
	.balign 16
	.globl trap_stubs
	.hidden trap_stubs
trap_stubs:
	.set vector, 0
	.rept 256
	.balign 16
	.if vector >= 32
	push $0
	.else
	.if !((HAS_ERROR_CODE >> vector) & 1)
	push $0
	.endif
	.endif
	push $vector
	jmp trap_entry
	.set vector, vector + 1
	.endr
	.balign 16

/* The frame of struct trap_frame, from its end. */
trap_entry:
	push %r15
	push %r14
	push %r13
	push %r12
	push %r11
	push %r10
	push %r9
	push %r8
	push %rdi
	push %rsi
	push %rbp
	push 13*8+6*8-2*8(%rsp)
	push %rbx
	push %rdx
	push %rcx
	push %rax
	cld
	mov %rsp, %rdi
	call trap_dispatch
	pop %rax
	pop %rcx
	pop %rdx
	pop %rbx
	add $8, %rsp
	pop %rbp
	pop %rsi
	pop %rdi
	pop %r8
	pop %r9
	pop %r10
	pop %r11
	pop %r12
	pop %r13
	pop %r14
	pop %r15
	add $16, %rsp
	iretq

/* void run_enter(const struct run *run, uint64_t *rsp): keeps where to return to in *rsp. */
	.globl run_enter
	.hidden run_enter
run_enter:
	push %rbx
	push %rbp
	push %r12
	push %r13
	push %r14
	push %r15
	mov %rsp, (%rsi)
	push 19*8(%rdi)
	push 4*8(%rdi)
	push 17*8(%rdi)
	push 18*8(%rdi)
	push 16*8(%rdi)
	mov 0*8(%rdi), %rax
	mov 1*8(%rdi), %rcx
	mov 2*8(%rdi), %rdx
	mov 3*8(%rdi), %rbx
	mov 5*8(%rdi), %rbp
	mov 6*8(%rdi), %rsi
	mov 8*8(%rdi), %r8
	mov 9*8(%rdi), %r9
	mov 10*8(%rdi), %r10
	mov 11*8(%rdi), %r11
	mov 12*8(%rdi), %r12
	mov 13*8(%rdi), %r13
	mov 14*8(%rdi), %r14
	mov 15*8(%rdi), %r15
	mov 7*8(%rdi), %rdi
	iretq

	.globl run_left
	.hidden run_left
run_left:
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbp
	pop %rbx
	ret
	.section .note.GNU-stack, "", @progbits
