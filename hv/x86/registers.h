/* SPDX-License-Identifier: Apache-2.0 */
/* Registers and flags, and with them the instructions that reach them. AMD64 APM volume 2. */
#ifndef HV_X86_REGISTERS_H
#define HV_X86_REGISTERS_H

#include <stdbool.h>
#include <stdint.h>

#define CR0_PE (1ull << 0)
#define CR0_MP (1ull << 1)
#define CR0_EM (1ull << 2)
#define CR0_TS (1ull << 3)
#define CR0_ET (1ull << 4)
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
#define CR4_OSXSAVE (1ull << 18)
#define CR4_SMEP    (1ull << 20)
#define CR4_SMAP    (1ull << 21)
#define CR4_PKE     (1ull << 22)
#define CR4_CET     (1ull << 23)

#define DR6_BREAKPOINTS 0xfull
#define DR6_BS          (1ull << 14)

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

#define MSR_APIC_BASE  0x0000001bu
#define MSR_MCG_STATUS 0x0000017au
#define MSR_PAT        0x00000277u
#define MSR_X2APIC_FIRST 0x00000800u
#define MSR_X2APIC_ID  0x00000802u
#define MSR_X2APIC_ICR 0x00000830u
#define MSR_EFER       0xc0000080u
#define MSR_FS_BASE    0xc0000100u
#define MSR_GS_BASE    0xc0000101u
#define MSR_VM_CR      0xc0010114u
#define MSR_IGNNE      0xc0010115u
#define MSR_SMM_CTL    0xc0010116u
#define MSR_VM_HSAVE   0xc0010117u
#define MSR_SVM_KEY    0xc0010118u

#define APIC_BASE_X2APIC (1ull << 10)
#define APIC_BASE_ENABLE (1ull << 11)

enum exception {
	EXCEPTION_DB = 1,
	EXCEPTION_NMI = 2,
	EXCEPTION_UD = 6,
	EXCEPTION_DF = 8,
	EXCEPTION_SS = 12,
	EXCEPTION_GP = 13,
	EXCEPTION_PF = 14,
	EXCEPTION_AC = 17,
};

#include "hv/x86/instructions.h"

#endif
