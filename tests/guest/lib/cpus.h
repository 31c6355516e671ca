/* SPDX-License-Identifier: Apache-2.0 */
/* The CPUs of the machine: their structures, their start, their work. */
#ifndef TESTS_GUEST_LIB_CPUS_H
#define TESTS_GUEST_LIB_CPUS_H

#include "tests/guest/lib/guest.h"

/* Selectors of the GDT, the same on every CPU; the last ones are for tests to fill. */
enum {
	SELECTOR_CODE64 = 0x08,
	SELECTOR_DATA = 0x10,
	SELECTOR_CODE32 = 0x18,
	SELECTOR_CODE16 = 0x20,
	SELECTOR_DATA16 = 0x28,
	SELECTOR_USER_CODE64 = 0x33,
	SELECTOR_USER_DATA = 0x3b,
	SELECTOR_USER_CODE32 = 0x43,
	SELECTOR_TSS = 0x48, /* two entries */
	SELECTOR_FREE = 0x58,
	GDT_ENTRIES = 24,
};

struct tss64 {
	uint32_t reserved0;
	uint64_t rsp[3], reserved1, ist[7], reserved2;
	uint16_t reserved3, io_map;
} __attribute__((packed));
_Static_assert(sizeof(struct tss64) == 104, "APM 2, 12.2.5");

/* A CPU's structure stands at the bottom of an area that holds all its stacks: this_cpu() needs no register. */
#define CPU_AREA_BYTES 65536ull
#define CPU_TRAP_STACK 24576u /* tops, from the bottom */
#define CPU_NMI_STACK  32768u
#define CPU_CODE_STACK 49152u /* for what run() executes */
#define CPU_MAIN_STACK 65536u

struct run;

struct cpu {
	struct run *run; /* what run() is executing, or NULL */
	uint64_t run_rsp;
	uint32_t index, apic_id;
	volatile uint32_t online;
	void (*volatile work)(void *argument);
	void *argument;
	volatile uint64_t count[256]; /* interrupts and exceptions taken, by vector */
	uint64_t gdt[GDT_ENTRIES];
	struct tss64 tss;
};
_Static_assert(sizeof(struct cpu) < 8192, "room for the trap stack");

extern struct cpu *cpus[MACHINE_MAX_CPUS]; /* machine.cpus of them; 0 is the boot CPU */

static inline struct cpu *this_cpu(void)
{
	uint64_t rsp;

	__asm__("mov %%rsp, %0" : "=r"(rsp));
	return (struct cpu *)(rsp & ~(CPU_AREA_BYTES - 1));
}

/*
 * INIT, SIPI, SIPI; the CPU runs `real_code` first when that is not NULL: `bytes`
 * of position-independent 16-bit code, entered with the registers the SIPI left,
 * that ends with a jump to CPU_GO_ON of its own segment. Returns whether it came
 * online within a second.
 */
#define CPU_REAL_CODE 0x400 /* where real_code stands in its segment; up to 0x1800 is its own */
#define CPU_GO_ON     0x10
bool cpu_start(struct cpu *cpu, const void *real_code, uint32_t bytes);

/* The same without INIT and SIPI: what cpu_start() lays down for the CPU that gets a SIPI by other means. */
void cpu_prepare(struct cpu *cpu, const void *real_code, uint32_t bytes);
/* The SIPI's vector. */
uint8_t cpu_start_vector(void);

/* Starts every CPU; guest_fail() when one does not come. */
void cpus_start(void);

/* Work for a started CPU that has none; it runs with interrupts off. */
void cpu_run(struct cpu *cpu, void (*work)(void *argument), void *argument);
/* Waits for its end; false after `us`. */
bool cpu_wait(const struct cpu *cpu, uint64_t us);

#endif
