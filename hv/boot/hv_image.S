/* SPDX-License-Identifier: Apache-2.0 */
/* The hypervisor's image inside the UEFI program. */
	.section .rodata
	.balign 4096
	.globl hv_image, hv_image_end
	.hidden hv_image, hv_image_end
hv_image:
	.incbin "hv.bin"
hv_image_end:
	.section .note.GNU-stack, "", @progbits
