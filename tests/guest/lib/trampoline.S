/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a CPU begins: copied to a page below 1 MiB. The first instruction leaves
 * every register as the SIPI made it. The words behind 100h are struct start_data
 * of cpus.c.
 */
#define DATA 0x100

	.text
	.code16
	.globl trampoline, trampoline_end
	.hidden trampoline, trampoline_end
trampoline:
	jmp *%cs:DATA

	.org trampoline + 0x10
	cli
	mov %cs, %ax
	mov %ax, %ds
	lgdtl DATA + 0x10
	mov DATA + 0x08, %eax
	mov %eax, %cr4
	mov DATA + 0x04, %eax
	mov %eax, %cr3
	mov $0xc0000080, %ecx
	xor %edx, %edx
	mov DATA + 0x30, %eax
	wrmsr
	mov DATA + 0x0c, %eax
	mov %eax, %cr0
	ljmpl *DATA + 0x18

	.code64
	.org trampoline + 0x80
	mov $0x10, %eax
	mov %eax, %ds
	mov %eax, %es
	mov %eax, %ss
	mov trampoline + DATA + 0x20(%rip), %rsp
	mov trampoline + DATA + 0x28(%rip), %rax
	call *%rax
	ud2
	.org trampoline + DATA + 0x40
trampoline_end:
	.section .note.GNU-stack, "", @progbits
