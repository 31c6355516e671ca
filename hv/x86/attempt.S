/* SPDX-License-Identifier: Apache-2.0 */
/* See attempt.h. At the instruction that may fault the stack is as at the call. */
	.text
	.globl attempt_begin, attempt_rdmsr, attempt_wrmsr, attempt_xcr0, attempt_refused
	.hidden attempt_begin, attempt_rdmsr, attempt_wrmsr, attempt_xcr0, attempt_refused
attempt_begin:
attempt_rdmsr:
	mov %edi, %ecx
	rdmsr
	mov %eax, (%rsi)
	mov %edx, 4(%rsi)
	jmp attempt_done
attempt_wrmsr:
	mov %edi, %ecx
	mov %esi, %eax
	mov %rsi, %rdx
	shr $32, %rdx
	wrmsr
	jmp attempt_done
attempt_xcr0:
	xor %ecx, %ecx
	mov %edi, %eax
	mov %rdi, %rdx
	shr $32, %rdx
	xsetbv
attempt_done:
	mov $1, %eax
	ret
attempt_refused:
	xor %eax, %eax
	ret
	.section .note.GNU-stack, "", @progbits
