/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ways into the guest and into the window in which the host takes what waits
 * for it. GIF is 0 before and after (CLGI at start, and #VMEXIT clears it).
 */
#include "hv/core/guest_registers.h"

	.text

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
	host_registers_keep
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
	host_registers_keep
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
