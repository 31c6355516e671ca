/* SPDX-License-Identifier: Apache-2.0 */
/* Registers, flags and the few instructions C has no words for. AMD64 APM volume 2. */
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

#define CR4_PSE     (1ull << 4)
#define CR4_PAE     (1ull << 5)
#define CR4_OSFXSR  (1ull << 9)
#define CR4_LA57    (1ull << 12)
#define CR4_OSXSAVE (1ull << 18)
#define CR4_SMEP    (1ull << 20)
#define CR4_SMAP    (1ull << 21)
#define CR4_PKE     (1ull << 22)

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
#define MSR_PAT        0x00000277u
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
	EXCEPTION_GP = 13,
	EXCEPTION_PF = 14,
};

struct cpuid_result {
	uint32_t eax, ebx, ecx, edx;
};

static inline struct cpuid_result cpuid(uint32_t leaf, uint32_t subleaf)
{
	struct cpuid_result r;

	__asm__ volatile("cpuid" : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx) : "a"(leaf), "c"(subleaf));
	return r;
}

static inline uint64_t rdmsr(uint32_t index)
{
	uint32_t low, high;

	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(index));
	return (uint64_t)high << 32 | low;
}

static inline void wrmsr(uint32_t index, uint64_t value)
{
	__asm__ volatile("wrmsr" ::"c"(index), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)) : "memory");
}

#define DEFINE_CONTROL_REGISTER(name)                                                                        \
	static inline uint64_t read_##name(void)                                                             \
	{                                                                                                    \
		uint64_t value;                                                                              \
		__asm__ volatile("mov %%" #name ", %0" : "=r"(value));                                       \
		return value;                                                                                \
	}                                                                                                    \
	static inline void write_##name(uint64_t value)                                                      \
	{                                                                                                    \
		__asm__ volatile("mov %0, %%" #name ::"r"(value) : "memory");                                \
	}

DEFINE_CONTROL_REGISTER(cr0)
DEFINE_CONTROL_REGISTER(cr2)
DEFINE_CONTROL_REGISTER(cr3)
DEFINE_CONTROL_REGISTER(cr4)

static inline uint64_t rdtsc(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return (uint64_t)high << 32 | low;
}

static inline void cpu_pause(void)
{
	__asm__ volatile("pause" ::: "memory");
}

/* One access of `size` 1, 2 or 4 bytes to an I/O port. */
static inline uint32_t port_in(uint16_t port, unsigned size)
{
	uint32_t value = 0;

	if (size == 1)
		__asm__ volatile("inb %1, %b0" : "+a"(value) : "Nd"(port));
	else if (size == 2)
		__asm__ volatile("inw %1, %w0" : "+a"(value) : "Nd"(port));
	else
		__asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static inline void port_out(uint16_t port, unsigned size, uint32_t value)
{
	if (size == 1)
		__asm__ volatile("outb %b0, %1" ::"a"(value), "Nd"(port));
	else if (size == 2)
		__asm__ volatile("outw %w0, %1" ::"a"(value), "Nd"(port));
	else
		__asm__ volatile("outl %0, %1" ::"a"(value), "Nd"(port));
}

#endif
