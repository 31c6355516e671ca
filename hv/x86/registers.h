/* SPDX-License-Identifier: Apache-2.0 */
/* Registers and flags, and with them the instructions that reach them. AMD64 APM volume 2; SDM volumes 3 and 4. */
#ifndef HV_X86_REGISTERS_H
#define HV_X86_REGISTERS_H

#include <stdbool.h>
#include <stdint.h>

#define CR0_PE (1ull << 0)
#define CR0_MP (1ull << 1)
#define CR0_EM (1ull << 2)
#define CR0_TS (1ull << 3)
#define CR0_ET (1ull << 4)
#define CR0_NE (1ull << 5)
#define CR0_WP (1ull << 16)
#define CR0_NW (1ull << 29)
#define CR0_CD (1ull << 30)
#define CR0_PG (1ull << 31)

#define CR4_DE      (1ull << 3)
#define CR4_PSE     (1ull << 4)
#define CR4_PAE     (1ull << 5)
#define CR4_MCE     (1ull << 6)
#define CR4_OSFXSR  (1ull << 9)
#define CR4_LA57    (1ull << 12)
#define CR4_VMXE    (1ull << 13)
#define CR4_SMXE    (1ull << 14)
#define CR4_OSXSAVE (1ull << 18)
#define CR4_SMEP    (1ull << 20)
#define CR4_SMAP    (1ull << 21)
#define CR4_PKE     (1ull << 22)
#define CR4_CET     (1ull << 23)
#define CR4_FRED    (1ull << 32)

#define DR6_BREAKPOINTS 0xfull
#define DR6_BD          (1ull << 13)
#define DR6_BS          (1ull << 14)

#define DR7_GD      (1ull << 13)
#define DR7_ENABLED 0xffull /* L0 G0 .. L3 G3 */

#define EFER_SCE   (1ull << 0)
#define EFER_LME   (1ull << 8)
#define EFER_LMA   (1ull << 10)
#define EFER_NXE   (1ull << 11)
#define EFER_SVME  (1ull << 12)
#define EFER_LMSLE (1ull << 13)
#define EFER_FFXSR (1ull << 14)
#define EFER_TCE   (1ull << 15)

#define RFLAGS_FIXED (1ull << 1)
#define RFLAGS_TF    (1ull << 8)
#define RFLAGS_IF    (1ull << 9)
#define RFLAGS_DF    (1ull << 10)
#define RFLAGS_RF    (1ull << 16)
#define RFLAGS_VM    (1ull << 17)
#define RFLAGS_AC    (1ull << 18)
#define RFLAGS_LOADED 0x003f7fd5ull /* bits that are there, but for the one that is always set */

#define MSR_APIC_BASE  0x0000001bu
#define MSR_FEATURE_CONTROL 0x0000003au
#define MSR_TRACE_HUB  0x00000080u /* where the hub's messages go, physical */
#define MSR_SMM_MONITOR 0x0000009bu
#define MSR_MTRR_CAP   0x000000feu
#define MSR_SYSENTER_CS  0x00000174u
#define MSR_SYSENTER_ESP 0x00000175u
#define MSR_SYSENTER_EIP 0x00000176u
#define MSR_MCG_STATUS 0x0000017au
#define MSR_MISC_ENABLE 0x000001a0u
#define MSR_MTRR_BASE  0x00000200u /* of the first variable range; then its mask, then the next */
#define MSR_PAT        0x00000277u
#define MSR_MTRR_DEFAULT 0x000002ffu
#define MSR_PERF_CAPABILITIES 0x00000345u
#define MSR_PERF_GLOBAL_CTRL 0x0000038fu
#define MSR_PEBS_ENABLE 0x000003f1u /* and, up to the last, what its records are and where they go */
#define MSR_PEBS_LAST  0x000003f5u
#define MSR_VMX_BASIC  0x00000480u
#define MSR_VMX_PIN    0x00000481u
#define MSR_VMX_PRIMARY 0x00000482u
#define MSR_VMX_EXIT   0x00000483u
#define MSR_VMX_ENTRY  0x00000484u
#define MSR_VMX_MISC   0x00000485u
#define MSR_VMX_CR0_FIXED0 0x00000486u
#define MSR_VMX_CR4_FIXED0 0x00000488u
#define MSR_VMX_SECONDARY 0x0000048bu
#define MSR_VMX_EPT_VPID_CAP 0x0000048cu
#define MSR_VMX_TRUE_PIN 0x0000048du /* and the three behind it, as MSR_VMX_PIN */
#define MSR_VMX_LAST   0x00000493u
#define MSR_RTIT_OUTPUT 0x00000560u /* Intel PT: base and mask, then ... */
#define MSR_RTIT_CTL   0x00000570u /* ... control, status, CR3 match, then ... */
#define MSR_RTIT_RANGES 0x00000580u /* ... four ranges, two registers each */
#define MSR_DS_AREA    0x00000600u
#define MSR_X2APIC_FIRST 0x00000800u
#define MSR_X2APIC_ID  0x00000802u
#define MSR_X2APIC_ICR 0x00000830u
#define MSR_XSS        0x00000da0u
#define MSR_HW_FEEDBACK 0x000017d0u /* a physical address; and, up to the last, its controls */
#define MSR_HW_FEEDBACK_LAST 0x000017d4u
#define MSR_EFER       0xc0000080u
#define MSR_FS_BASE    0xc0000100u
#define MSR_GS_BASE    0xc0000101u
#define MSR_VM_CR      0xc0010114u
#define MSR_IGNNE      0xc0010115u
#define MSR_SMM_CTL    0xc0010116u
#define MSR_VM_HSAVE   0xc0010117u
#define MSR_SVM_KEY    0xc0010118u

#define FEATURE_LOCKED (1ull << 0)
#define FEATURE_VMX    (1ull << 2) /* outside SMX operation */

#define MISC_BTS_UNAVAILABLE  (1ull << 11)
#define MISC_PEBS_UNAVAILABLE (1ull << 12)
#define MISC_LIMIT_CPUID      (1ull << 22)
#define MISC_XD_DISABLED      (1ull << 34)

#define XSS_PT (1ull << 8)

#define APIC_BASE_X2APIC (1ull << 10)
#define APIC_BASE_ENABLE (1ull << 11)

enum exception {
	EXCEPTION_DB = 1,
	EXCEPTION_NMI = 2,
	EXCEPTION_UD = 6,
	EXCEPTION_DF = 8,
	EXCEPTION_TS = 10,
	EXCEPTION_NP = 11,
	EXCEPTION_SS = 12,
	EXCEPTION_GP = 13,
	EXCEPTION_PF = 14,
	EXCEPTION_AC = 17,
};

#include "hv/x86/instructions.h"

#endif
