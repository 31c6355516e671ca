/* SPDX-License-Identifier: Apache-2.0 */
/* The hypervisor's image header, its entries, and the host's exception stubs. */
#define HAS_ERROR_CODE 0x60227d00 /* vectors 8, 10-14, 17, 21, 29, 30 */
#define FLAGS_IF       0x200

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
 * int64_t start_enter(uint32_t cpu, uint64_t rsp, uint64_t rip)
 *
 * Called on the firmware's stack, interrupts off. Moves to the vcpu's host stack;
 * the guest begins at rip with rsp. Returns -3 (HV_START_CPU) when it cannot.
 */
	.globl start_enter
	.hidden start_enter
start_enter:
	push %rdi
	push %rsi
	push %rdx
	call start_stack
	pop %rdx
	pop %rsi
	pop %rdi
	test %rax, %rax
	jz 1f
	mov %rax, %rsp
	call start_cpu
	ud2
1:	mov $-3, %rax
	ret

/*
 * Exceptions of the host, and interrupts in its window; 16 bytes a stub, by vector.
 * NMI has a path of its own: the backend says where the host goes on.
 *
 * An interrupt may have any vector, those of exceptions too: a guest sends what it
 * likes. The flags tell: the host has IF set in the window only, where nothing faults.
 */
	.balign 16
	.globl host_stubs
	.hidden host_stubs
host_stubs:
	.set vector, 0
	.rept 256
	.balign 16
	.if vector == 2
	jmp nmi_entry
	.elseif vector >= 32
	push $vector
	jmp interrupt_entry
	.elseif (HAS_ERROR_CODE >> vector) & 1
	push $vector
	jmp exception_with_code
	.else
	push $0
	push $vector
	jmp exception_without_code
	.endif
	.set vector, vector + 1
	.endr
	.balign 16

/* An interrupt brings no code: it has its flags where the exception has its selector, which has no such bit. */
exception_with_code:
	testl $FLAGS_IF, 24(%rsp)
	jnz interrupt_entry
	jmp exception_entry

/* The vector of an interrupt goes to where the code would be. */
exception_without_code:
	testl $FLAGS_IF, 32(%rsp)
	jz exception_entry
	pop (%rsp)
	jmp interrupt_entry

/* Lays down struct host_frame below the vector; goes on where it says, when host_exception returns. */
exception_entry:
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
	push %rsp
	push %rbx
	push %rdx
	push %rcx
	push %rax
	mov %rsp, %rdi
	mov %rsp, %rbx
	and $-16, %rsp
	cld
	call host_exception
	mov %rbx, %rsp
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

/* What C code may change, on the stack: 9 registers. */
	.macro push_scratch
	push %rax
	push %rcx
	push %rdx
	push %rsi
	push %rdi
	push %r8
	push %r9
	push %r10
	push %r11
	.endm

	.macro pop_scratch
	pop %r11
	pop %r10
	pop %r9
	pop %r8
	pop %rdi
	pop %rsi
	pop %rdx
	pop %rcx
	pop %rax
	.endm

nmi_entry:
	push_scratch
	lea 72(%rsp), %rdi
	cld
	call host_nmi
	pop_scratch
	iretq

/* Returns with interrupts off: one is taken at a time. */
interrupt_entry:
	push_scratch
	mov 72(%rsp), %edi
	andq $~FLAGS_IF, 96(%rsp)
	cld
	call host_interrupt
	pop_scratch
	add $8, %rsp
	iretq
	.section .note.GNU-stack, "", @progbits
