/* SPDX-License-Identifier: Apache-2.0 */
/* The virtual machine control block, APM volume 2, appendix B. */
#ifndef HV_SVM_VMCB_H
#define HV_SVM_VMCB_H

#include <stddef.h>
#include <stdint.h>

struct vmcb_segment {
	uint16_t selector, attributes;
	uint32_t limit;
	uint64_t base;
};

struct vmcb {
	/* Control area. */
	uint16_t cr_read, cr_write, dr_read, dr_write; /* 000h */
	uint32_t exceptions;                           /* 008h */
	uint32_t intercepts1;                          /* 00ch */
	uint32_t intercepts2;                          /* 010h */
	uint8_t reserved1[0x40 - 0x14];
	uint64_t iopm, msrpm, tsc_offset; /* 040h */
	uint32_t asid, tlb_control;       /* 058h */
	uint64_t vintr, interrupt_state;  /* 060h */
	uint64_t exit_code, exit_info1, exit_info2, exit_int_info; /* 070h */
	uint64_t nested_control;          /* 090h */
	uint8_t reserved2[0xa8 - 0x98];
	uint64_t event_injection, nested_cr3, lbr_control; /* 0a8h */
	uint32_t clean, reserved3;                         /* 0c0h */
	uint64_t next_rip;                                 /* 0c8h */
	uint8_t reserved4[0x400 - 0xd0];
	/* State save area. */
	struct vmcb_segment es, cs, ss, ds, fs, gs, gdtr, ldtr, idtr, tr; /* 400h */
	uint8_t reserved5[0xcb - 0xa0];
	uint8_t cpl; /* 4cbh */
	uint32_t reserved6;
	uint64_t efer; /* 4d0h */
	uint8_t reserved7[0x548 - 0x4d8];
	uint64_t cr4, cr3, cr0, dr7, dr6, rflags, rip; /* 548h */
	uint8_t reserved8[0x5d8 - 0x580];
	uint64_t rsp; /* 5d8h */
	uint8_t reserved9[0x5f8 - 0x5e0];
	uint64_t rax; /* 5f8h */
	uint64_t star, lstar, cstar, sfmask, kernel_gs_base, sysenter_cs, sysenter_esp, sysenter_eip, cr2; /* 600h */
	uint8_t reserved10[0x668 - 0x648];
	uint64_t pat; /* 668h */
	uint8_t reserved11[0x1000 - 0x670];
};

_Static_assert(offsetof(struct vmcb, iopm) == 0x40, "APM appendix B");
_Static_assert(offsetof(struct vmcb, exit_code) == 0x70, "APM appendix B");
_Static_assert(offsetof(struct vmcb, event_injection) == 0xa8, "APM appendix B");
_Static_assert(offsetof(struct vmcb, next_rip) == 0xc8, "APM appendix B");
_Static_assert(offsetof(struct vmcb, tr) == 0x490, "APM appendix B");
_Static_assert(offsetof(struct vmcb, cpl) == 0x4cb, "APM appendix B");
_Static_assert(offsetof(struct vmcb, efer) == 0x4d0, "APM appendix B");
_Static_assert(offsetof(struct vmcb, cr4) == 0x548, "APM appendix B");
_Static_assert(offsetof(struct vmcb, rip) == 0x578, "APM appendix B");
_Static_assert(offsetof(struct vmcb, rax) == 0x5f8, "APM appendix B");
_Static_assert(offsetof(struct vmcb, cr2) == 0x640, "APM appendix B");
_Static_assert(offsetof(struct vmcb, pat) == 0x668, "APM appendix B");
_Static_assert(sizeof(struct vmcb) == 4096, "one page");

/* intercepts1 */
#define VMCB_INTR     (1u << 0)
#define VMCB_NMI      (1u << 1)
#define VMCB_SMI      (1u << 2)
#define VMCB_INIT     (1u << 3)
#define VMCB_CPUID    (1u << 18)
#define VMCB_IRET     (1u << 20)
#define VMCB_INVD     (1u << 22)
#define VMCB_HLT      (1u << 24)
#define VMCB_INVLPGA  (1u << 26)
#define VMCB_IOIO     (1u << 27)
#define VMCB_MSR      (1u << 28)
#define VMCB_SHUTDOWN (1u << 31)
/* intercepts2 */
#define VMCB_VMRUN   (1u << 0)
#define VMCB_VMMCALL (1u << 1)
#define VMCB_VMLOAD  (1u << 2)
#define VMCB_VMSAVE  (1u << 3)
#define VMCB_STGI    (1u << 4)
#define VMCB_CLGI    (1u << 5)
#define VMCB_SKINIT  (1u << 6)

/* vintr: a virtual interrupt, whatever the guest's task priority; 15.21.4 */
#define VMCB_V_IRQ           (1ull << 8)
#define VMCB_V_IGN_TPR       (1ull << 20)
#define VMCB_V_VECTOR(v)     ((uint64_t)(v) << 32)
#define VMCB_V_VECTOR_OF(x)  ((uint8_t)((x) >> 32))

#define VMCB_TLB_FLUSH_ALL 1u

enum vmexit {
	VMEXIT_DEBUG = 0x41,     /* #DB */
	VMEXIT_ALIGNMENT = 0x51, /* #AC */
	VMEXIT_INTR = 0x60,
	VMEXIT_NMI = 0x61,
	VMEXIT_SMI = 0x62,
	VMEXIT_INIT = 0x63,
	VMEXIT_CPUID = 0x72,
	VMEXIT_IRET = 0x74,
	VMEXIT_INVD = 0x76,
	VMEXIT_HLT = 0x78,
	VMEXIT_INVLPGA = 0x7a,
	VMEXIT_IOIO = 0x7b,
	VMEXIT_MSR = 0x7c,
	VMEXIT_SHUTDOWN = 0x7f,
	VMEXIT_VMRUN = 0x80,
	VMEXIT_VMMCALL = 0x81,
	VMEXIT_VMLOAD = 0x82,
	VMEXIT_SKINIT = 0x86,
	VMEXIT_NPF = 0x400,
};

#endif
