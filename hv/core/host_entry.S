/* SPDX-License-Identifier: Apache-2.0 */
/* The hypervisor's image header, its entries, and the host's exception stubs. */
#define HAS_ERROR_CODE 0x60227d00 /* vectors 8, 10-14, 17, 21, 29, 30 */

	.section .image_header, "a", @progbits
	.globl hv_image_header
	.hidden hv_image_header
hv_image_header:
	.ascii "UVSEAL01"
	.quad image_file_end - hv_image_header
	.quad image_end - hv_image_header
	.quad image_rela - hv_image_header
	.quad image_rela_end - hv_image_header
	.quad start_init - hv_image_header
	.quad start_enter - hv_image_header

	.text
/*
 * int64_t start_enter(uint32_t cpu)
 *
 * Called on the firmware's stack. Gives start_cpu() a launch_state that points
 * back here and moves to the vcpu's host stack; the guest comes out at the label
 * and returns 0 with every callee-saved register as it was.
 */
	.globl start_enter
	.hidden start_enter
start_enter:
	push %rbx
	push %rbp
	push %r12
	push %r13
	push %r14
	push %r15
	pushfq
	cli
	mov %edi, %ebx
	call start_stack
	test %rax, %rax
	jz 2f
	mov %rsp, %rsi
	lea 1f(%rip), %rdx
	mov %ebx, %edi
	mov %rax, %rsp
	call start_cpu
	ud2
1:	xor %eax, %eax
	jmp 3f
2:	mov $-3, %rax
3:	popfq
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbp
	pop %rbx
	ret

/*
 * Exceptions of the host. 16 bytes a stub. NMI has a path of its own: it counts
 * itself and leaves the window of svm_nmi_window early.
 */
	.balign 16
	.globl host_stubs
	.hidden host_stubs
host_stubs:
	.set vector, 0
	.rept 32
	.balign 16
	.if vector == 2
	jmp nmi_entry
	.else
	.if !((HAS_ERROR_CODE >> vector) & 1)
	push $0
	.endif
	push $vector
	jmp exception_entry
	.endif
	.set vector, vector + 1
	.endr
	.balign 16

exception_entry:
	pop %rdi
	pop %rsi
	mov (%rsp), %rdx
	mov 24(%rsp), %rcx
	and $-16, %rsp
	call host_exception
	ud2

nmi_entry:
	push %rax
	push %rcx
	push %rdx
	push %rsi
	push %rdi
	push %r8
	push %r9
	push %r10
	push %r11
	lea 72(%rsp), %rdi
	cld
	call host_nmi
	pop %r11
	pop %r10
	pop %r9
	pop %r8
	pop %rdi
	pop %rsi
	pop %rdx
	pop %rcx
	pop %rax
	iretq
	.section .note.GNU-stack, "", @progbits
