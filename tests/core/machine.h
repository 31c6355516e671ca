/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hypervisor's core on a machine of the model, from start_init() on, and the guest
 * that runs on it: an instruction of the guest exits where the permission maps and the
 * nested page tables say so, and reaches the machine itself where they do not.
 *
 * The guest is in 64-bit kernel code with an identity mapping. One machine a process:
 * MACHINE_TEST makes a test that runs in a child.
 */
#ifndef TESTS_CORE_MACHINE_H
#define TESTS_CORE_MACHINE_H

#include "hv/core/boot_info.h"
#include "hv/x86/registers.h"
#include "tests/core/cpu.h"
#include "tests/core/platform.h"

struct machine {
	unsigned cpus;
	bool x2apic;
	bool vmx;	      /* Intel's extension, not AMD's */
	bool broken_vmx;      /* ... which cannot be turned on, for all that was said of it */
	bool small_pages;     /* processors without pages of 1 GiB */
	bool fast_icr;	      /* policy: the trap on the local APIC is lifted */
	bool halt_after_panic; /* policy */
	bool without_ecam;    /* no MCFG */
	unsigned physical_bits; /* of an address; 0: 39 */
	uint64_t cr4;	      /* what the firmware has set beside the usual */
	const struct boot_volume *volume; /* one, or NULL */
};

/* Starts it up to the first entry of each CPU's guest; the result of start_init(). */
int64_t machine_start(const struct machine *machine);

/* Puts code at the guest's rip; every CPU has a page of its own for it. */
void guest_code(unsigned cpu, const void *code, unsigned bytes);
#define GUEST_CODE(cpu, ...)                                                                                 \
	guest_code(cpu, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

/* True when the instruction was done; false when an exception is on its way (guest_exception). */
bool guest_cpuid(unsigned cpu, uint32_t leaf, uint32_t subleaf, struct cpuid_result *out);
bool guest_rdmsr(unsigned cpu, uint32_t index, uint64_t *value);
bool guest_wrmsr(unsigned cpu, uint32_t index, uint64_t value);
bool guest_vmmcall(unsigned cpu);
uint32_t guest_in(unsigned cpu, uint16_t port, unsigned size);
void guest_out(unsigned cpu, uint16_t port, unsigned size, uint32_t value);

/* MOV between RAX and memory at [RBX]. */
bool guest_read(unsigned cpu, uint64_t address, unsigned size, uint64_t *value);
bool guest_write(unsigned cpu, uint64_t address, unsigned size, uint64_t value);

/* The vector that the last entry injects, with its error code; -1 when none. NMIs as well. */
int guest_exception(unsigned cpu);
uint32_t guest_error(unsigned cpu);

/* All of the log. */
const char *machine_log(void);

/* Runs `body` in a child process; fails when it fails. */
void machine_child(void (*body)(void));
#define MACHINE_TEST(name)                                                                                   \
	static void name##_in_child(void);                                                                   \
	static void name(void **state)                                                                       \
	{                                                                                                    \
		(void)state;                                                                                 \
		machine_child(name##_in_child);                                                              \
	}                                                                                                    \
	static void name##_in_child(void)

#endif
