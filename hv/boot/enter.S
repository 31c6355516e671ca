/* SPDX-License-Identifier: Apache-2.0 */
/*
 * int64_t enter_guest(uint32_t cpu, uint64_t entry)
 *
 * Calls the image's `enter` with the stack and the address at which the guest is
 * to come out: here, for a guest sees nothing of the hypervisor's own memory.
 * Returns 0 as a guest, or what `enter` returned. Interrupts are off meanwhile.
 */
	.text
	.globl enter_guest
	.hidden enter_guest
enter_guest:
	push %rbx
	push %rbp
	push %r12
	push %r13
	push %r14
	push %r15
	pushfq
	cli
	mov %rsi, %rax
	mov %rsp, %rsi
	lea 1f(%rip), %rdx
	push $0
	call *%rax
	pop %rcx
	jmp 2f
1:	xor %eax, %eax
2:	popfq
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbp
	pop %rbx
	ret
	.section .note.GNU-stack, "", @progbits
