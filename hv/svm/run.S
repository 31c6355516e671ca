/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ways into the guest and into the window in which the host takes what waits
 * for it. GIF is 0 before and after (CLGI at start, and #VMEXIT clears it).
 */
	.text

/* Loads vcpu->gpr, vcpu in rdi, but for rax and rsp; what the host keeps goes to the stack, the vcpu last. */
	.macro guest_registers_in
	push %rbx
	push %rbp
	push %r12
	push %r13
	push %r14
	push %r15
	push %rdi
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
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbp
	pop %rbx
	.endm

/*
 * void svm_enter(struct vcpu *vcpu, uint64_t vmcb_pa)
 *
 * Loads the guest's general registers from vcpu->gpr, runs it, stores them back.
 * rax and rsp live in the VMCB: what is stored of rax is void. The registers VMRUN does not switch (FS, GS, TR,
 * LDTR, the SYSCALL MSRs) stay the guest's all the time: the host uses none of them.
 */
	.globl svm_enter
	.hidden svm_enter
svm_enter:
	mov %rsi, %rax
	guest_registers_in
	vmrun %rax
	guest_registers_out
	ret

/*
 * void svm_smi_window(struct vcpu *vcpu)
 *
 * Lets a pending SMI be taken here, with all of the guest's general registers but
 * rsp in place: its handler may read and change them. What waits beside it comes
 * along.
 */
	.globl svm_smi_window
	.hidden svm_smi_window
svm_smi_window:
	mov (%rdi), %rax
	guest_registers_in
	stgi
	pause
	pause
	clgi
	guest_registers_out
	ret

/*
 * void svm_nmi_window(bool halt)
 *
 * Lets a pending NMI reach the host's handler. PAUSE, not NOP: some emulators
 * look for events only where a translated block is left. With `halt` it sleeps
 * until an NMI comes; one that comes before HLT makes the handler skip it, by
 * moving a return address inside [svm_window_halt, svm_window_end) to the end: it
 * begins right behind STGI, where an NMI that is pending is taken.
 */
	.globl svm_nmi_window, svm_window_halt, svm_window_end
	.hidden svm_nmi_window, svm_window_halt, svm_window_end
svm_nmi_window:
	stgi
svm_window_halt:
	test %dil, %dil
	jz svm_window_end
	pause
	hlt
svm_window_end:
	pause
	pause
	clgi
	ret
	.section .note.GNU-stack, "", @progbits
