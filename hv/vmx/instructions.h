/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The instructions of VMX, SDM volume 3, chapter 31. Those that may fail tell whether
 * they did. The host tests have a header of the same functions over a model.
 */
#ifndef HV_VMX_INSTRUCTIONS_H
#define HV_VMX_INSTRUCTIONS_H

#include <stdbool.h>
#include <stdint.h>

#define DEFINE_VMX_REGION(name)                                                                              \
	static inline bool name(uint64_t region)                                                             \
	{                                                                                                    \
		bool failed;                                                                                 \
		__asm__ volatile(#name " %1; setna %0" : "=qm"(failed) : "m"(region) : "cc", "memory");      \
		return !failed;                                                                              \
	}

DEFINE_VMX_REGION(vmxon)
DEFINE_VMX_REGION(vmclear)
DEFINE_VMX_REGION(vmptrld)

/* Fields of the current control structure; the caller knows that they are there. */
static inline uint64_t vmread(uint32_t field)
{
	uint64_t value;

	__asm__ volatile("vmread %1, %0" : "=r"(value) : "r"((uint64_t)field) : "cc");
	return value;
}

static inline void vmwrite(uint32_t field, uint64_t value)
{
	__asm__ volatile("vmwrite %0, %1" ::"r"(value), "r"((uint64_t)field) : "cc");
}

static inline void invept(uint64_t kind, uint64_t ept_pointer)
{
	struct {
		uint64_t pointer, reserved;
	} descriptor = {ept_pointer, 0};

	__asm__ volatile("invept %0, %1" ::"m"(descriptor), "r"(kind) : "cc", "memory");
}

static inline void invvpid(uint64_t kind, uint64_t vpid)
{
	struct {
		uint64_t vpid, address;
	} descriptor = {vpid, 0};

	__asm__ volatile("invvpid %0, %1" ::"m"(descriptor), "r"(kind) : "cc", "memory");
}

/* Registers that a control structure asks for and the core does not. */
static inline void read_system_selectors(uint16_t *fs, uint16_t *gs, uint16_t *ldtr, uint16_t *tr)
{
	__asm__ volatile("mov %%fs, %0" : "=r"(*fs));
	__asm__ volatile("mov %%gs, %0" : "=r"(*gs));
	__asm__ volatile("sldt %0" : "=r"(*ldtr));
	__asm__ volatile("str %0" : "=r"(*tr));
}

/* CR2 and DR6 are the guest's: no exit changes them, and the host does not. */
static inline uint64_t read_dr6(void)
{
	uint64_t value;

	__asm__ volatile("mov %%dr6, %0" : "=r"(value));
	return value;
}

static inline void write_dr6(uint64_t value)
{
	__asm__ volatile("mov %0, %%dr6" ::"r"(value));
}

#endif
