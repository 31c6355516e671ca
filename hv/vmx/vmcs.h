/* SPDX-License-Identifier: Apache-2.0 */
/* The virtual machine control structure: what we use of its fields and controls. SDM volume 3, chapter 25 and appendix B. */
#ifndef HV_VMX_VMCS_H
#define HV_VMX_VMCS_H

#include <stdint.h>

/* Appendix B: fields of 16 bits, ... */
#define VMCS_VPID              0x0000u
#define VMCS_GUEST_SELECTOR    0x0800u /* of enum vmcs_segment, 2 apart, as the next two */
#define VMCS_HOST_ES_SELECTOR  0x0c00u
#define VMCS_HOST_CS_SELECTOR  0x0c02u
#define VMCS_HOST_SS_SELECTOR  0x0c04u
#define VMCS_HOST_DS_SELECTOR  0x0c06u
#define VMCS_HOST_FS_SELECTOR  0x0c08u
#define VMCS_HOST_GS_SELECTOR  0x0c0au
#define VMCS_HOST_TR_SELECTOR  0x0c0cu
/* ... of 64 bits, ... */
#define VMCS_IO_BITMAP_A       0x2000u
#define VMCS_IO_BITMAP_B       0x2002u
#define VMCS_MSR_BITMAP        0x2004u
#define VMCS_EXIT_STORE_AREA   0x2006u
#define VMCS_EXIT_LOAD_AREA    0x2008u
#define VMCS_ENTRY_LOAD_AREA   0x200au
#define VMCS_EPT_POINTER       0x201au
#define VMCS_XSS_BITMAP        0x202cu
#define VMCS_GUEST_PHYSICAL    0x2400u
#define VMCS_LINK              0x2800u
#define VMCS_GUEST_DEBUGCTL    0x2802u
#define VMCS_GUEST_PAT         0x2804u
#define VMCS_GUEST_EFER        0x2806u
#define VMCS_GUEST_PDPTE       0x280au /* four, 2 apart */
#define VMCS_HOST_PAT          0x2c00u
#define VMCS_HOST_EFER         0x2c02u
/* ... of 32 bits, ... */
#define VMCS_PIN               0x4000u
#define VMCS_PRIMARY           0x4002u
#define VMCS_EXCEPTIONS        0x4004u
#define VMCS_FAULT_MASK        0x4006u
#define VMCS_FAULT_MATCH       0x4008u
#define VMCS_CR3_TARGETS       0x400au
#define VMCS_EXIT              0x400cu
#define VMCS_EXIT_STORES       0x400eu
#define VMCS_EXIT_LOADS        0x4010u
#define VMCS_ENTRY             0x4012u
#define VMCS_ENTRY_LOADS       0x4014u
#define VMCS_ENTRY_EVENT       0x4016u
#define VMCS_ENTRY_ERROR       0x4018u
#define VMCS_SECONDARY         0x401eu
#define VMCS_INSTRUCTION_ERROR 0x4400u
#define VMCS_EXIT_REASON       0x4402u
#define VMCS_INTERRUPTION      0x4404u /* the event of an exit for one */
#define VMCS_VECTORING         0x4408u
#define VMCS_VECTORING_ERROR   0x440au
#define VMCS_INSTRUCTION_BYTES 0x440cu
#define VMCS_GUEST_LIMIT       0x4800u
#define VMCS_GUEST_GDTR_LIMIT  0x4810u
#define VMCS_GUEST_IDTR_LIMIT  0x4812u
#define VMCS_GUEST_RIGHTS      0x4814u
#define VMCS_INTERRUPTIBILITY  0x4824u
#define VMCS_ACTIVITY          0x4826u
#define VMCS_GUEST_SYSENTER_CS 0x482au
#define VMCS_HOST_SYSENTER_CS  0x4c00u
/* ... and of the natural width. */
#define VMCS_CR0_MASK          0x6000u
#define VMCS_CR4_MASK          0x6002u
#define VMCS_CR0_SHADOW        0x6004u
#define VMCS_CR4_SHADOW        0x6006u
#define VMCS_QUALIFICATION     0x6400u
#define VMCS_GUEST_CR0         0x6800u
#define VMCS_GUEST_CR3         0x6802u
#define VMCS_GUEST_CR4         0x6804u
#define VMCS_GUEST_BASE        0x6806u
#define VMCS_GUEST_GDTR_BASE   0x6816u
#define VMCS_GUEST_IDTR_BASE   0x6818u
#define VMCS_GUEST_DR7         0x681au
#define VMCS_GUEST_RSP         0x681cu
#define VMCS_GUEST_RIP         0x681eu
#define VMCS_GUEST_RFLAGS      0x6820u
#define VMCS_PENDING_DEBUG     0x6822u
#define VMCS_GUEST_SYSENTER_ESP 0x6824u
#define VMCS_GUEST_SYSENTER_EIP 0x6826u
#define VMCS_HOST_CR0          0x6c00u
#define VMCS_HOST_CR3          0x6c02u
#define VMCS_HOST_CR4          0x6c04u
#define VMCS_HOST_FS_BASE      0x6c06u
#define VMCS_HOST_GS_BASE      0x6c08u
#define VMCS_HOST_TR_BASE      0x6c0au
#define VMCS_HOST_GDTR_BASE    0x6c0cu
#define VMCS_HOST_IDTR_BASE    0x6c0eu
#define VMCS_HOST_SYSENTER_ESP 0x6c10u
#define VMCS_HOST_SYSENTER_EIP 0x6c12u
#define VMCS_HOST_RIP          0x6c16u

/* The order of segments in the fields of the guest. */
enum vmcs_segment { VMCS_ES, VMCS_CS, VMCS_SS, VMCS_DS, VMCS_FS, VMCS_GS, VMCS_LDTR, VMCS_TR };

/* Pin-based controls, 25.6.1 */
#define PIN_INTERRUPT   (1u << 0)
#define PIN_NMI         (1u << 3)
#define PIN_VIRTUAL_NMI (1u << 5)
/* Primary processor-based controls, 25.6.2 */
#define PRIMARY_INTERRUPT_WINDOW (1u << 2)
#define PRIMARY_INVLPG           (1u << 9)
#define PRIMARY_CR3_LOAD         (1u << 15)
#define PRIMARY_CR3_STORE        (1u << 16)
#define PRIMARY_NMI_WINDOW       (1u << 22)
#define PRIMARY_IO_BITMAPS       (1u << 25)
#define PRIMARY_MSR_BITMAPS      (1u << 28)
#define PRIMARY_SECONDARY        (1u << 31)
/* Secondary ones */
#define SECONDARY_EPT          (1u << 1)
#define SECONDARY_RDTSCP       (1u << 3)
#define SECONDARY_VPID         (1u << 5)
#define SECONDARY_UNRESTRICTED (1u << 7)
#define SECONDARY_INVPCID      (1u << 12)
#define SECONDARY_XSAVES       (1u << 20)
#define SECONDARY_USER_WAIT    (1u << 26)
/* Exit controls, 25.7.1 */
#define EXIT_CONTROL_SAVE_DEBUG (1u << 2)
#define EXIT_CONTROL_HOST_64    (1u << 9)
#define EXIT_CONTROL_ACKNOWLEDGE (1u << 15)
#define EXIT_CONTROL_SAVE_PAT   (1u << 18)
#define EXIT_CONTROL_LOAD_PAT   (1u << 19)
#define EXIT_CONTROL_SAVE_EFER  (1u << 20)
#define EXIT_CONTROL_LOAD_EFER  (1u << 21)
/* Entry controls, 25.8.1 */
#define ENTRY_CONTROL_LOAD_DEBUG (1u << 2)
#define ENTRY_CONTROL_GUEST_64   (1u << 9)
#define ENTRY_CONTROL_LOAD_PAT   (1u << 14)
#define ENTRY_CONTROL_LOAD_EFER  (1u << 15)

/* Interruptibility state, 25.4.2 */
#define BLOCKED_BY_STI    (1u << 0)
#define BLOCKED_BY_MOV_SS (1u << 1)
#define BLOCKED_BY_NMI    (1u << 3)
/* Activity state, 25.4.2 */
#define ACTIVITY_ACTIVE 0u
#define ACTIVITY_HALTED 1u
#define ACTIVITY_WAIT_FOR_SIPI 3u

/* Segment rights, 25.4.1 */
#define RIGHTS_LONG     (1u << 13)
#define RIGHTS_BIG      (1u << 14)
#define RIGHTS_UNUSABLE (1u << 16)

/* EPT pointer, 25.6.11 */
#define EPT_POINTER_WRITE_BACK 6ull
#define EPT_POINTER_LEVELS_4   (3ull << 3)
#define EPT_POINTER_ACCESSED   (1ull << 6)

/* IA32_VMX_EPT_VPID_CAP, appendix A.10 */
#define EPT_CAP_LEVELS_4   (1ull << 6)
#define EPT_CAP_WRITE_BACK (1ull << 14)
#define EPT_CAP_2M         (1ull << 16)
#define EPT_CAP_1G         (1ull << 17)
#define EPT_CAP_INVEPT     (1ull << 20)
#define EPT_CAP_ACCESSED   (1ull << 21)
#define EPT_CAP_INVEPT_ALL (1ull << 26)
#define EPT_CAP_INVVPID    (1ull << 32)
#define EPT_CAP_INVVPID_ALL (1ull << 42)

#define INVEPT_ALL  2u
#define INVVPID_ALL 2u

#define INTERRUPTION_NMI_UNBLOCKED (1ull << 12)

/* Exit qualifications: EPT violations (28.2.1, table 28-7), */
#define QUALIFICATION_WRITE         (1ull << 1)
#define QUALIFICATION_FETCH         (1ull << 2)
#define QUALIFICATION_NMI_UNBLOCKED (1ull << 12)

/* A register of the areas that an entry loads, and an exit stores and loads: table 25-15. */
struct vmcs_msr {
	uint32_t index, reserved;
	uint64_t value;
} __attribute__((aligned(16)));
_Static_assert(sizeof(struct vmcs_msr) == 16, "SDM volume 3, table 25-15");

/* Basic exit reasons, appendix C. */
enum vmx_exit {
	VMX_EXIT_EXCEPTION = 0, /* or NMI */
	VMX_EXIT_INTERRUPT = 1,
	VMX_EXIT_TRIPLE_FAULT = 2,
	VMX_EXIT_INIT = 3,
	VMX_EXIT_SIPI = 4,
	VMX_EXIT_INTERRUPT_WINDOW = 7,
	VMX_EXIT_NMI_WINDOW = 8,
	VMX_EXIT_TASK_SWITCH = 9,
	VMX_EXIT_CPUID = 10,
	VMX_EXIT_GETSEC = 11,
	VMX_EXIT_INVD = 13,
	VMX_EXIT_VMCALL = 18,
	VMX_EXIT_VMCLEAR = 19,
	VMX_EXIT_VMXON = 27, /* from VMCLEAR on: instructions of VMX */
	VMX_EXIT_CR_ACCESS = 28,
	VMX_EXIT_IO = 30,
	VMX_EXIT_RDMSR = 31,
	VMX_EXIT_WRMSR = 32,
	VMX_EXIT_EPT_VIOLATION = 48,
	VMX_EXIT_EPT_MISCONFIGURED = 49,
	VMX_EXIT_INVEPT = 50,
	VMX_EXIT_INVVPID = 53,
	VMX_EXIT_XSETBV = 55,
};
#define VMX_EXIT_ENTRY_FAILED (1u << 31)

#endif
