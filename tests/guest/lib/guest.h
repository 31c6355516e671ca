/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs of ours that run where a system would, bare or beneath: UEFI programs
 * that leave boot services at once and own the machine. tests/guest/NAME.c (or
 * every file of tests/guest/NAME/) with this library is build/guest/NAME.efi.
 *
 * A program defines guest_main(). When it is called boot services are gone, the
 * boot CPU is on our own GDT, IDT and page tables (see traps.h, paging.h), the
 * others have not been started (cpus.h). Interrupts are off. Nothing here knows a
 * processor's vendor: what depends on one is asked of CPUID.
 */
#ifndef TESTS_GUEST_LIB_GUEST_H
#define TESTS_GUEST_LIB_GUEST_H

#include "hv/core/hypercall.h"
#include "hv/x86/registers.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

void guest_main(void);

/* Optional: called before boot services are left, when options and memory are there and `machine` is not. */
void guest_firmware(void);

/* Prints "[end: passed]" or "[end: failed]" as the last line, then powers off. */
void guest_end(bool passed) __attribute__((noreturn));

/* Prints a line of reason, then ends as failed. */
void guest_fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* To COM1, by ports, from any CPU; a call's text is not mixed with another's. Conversions: storage/port.h. */
void print(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same without a lock: where a CPU may be stopped at any time while it prints. */
void print_unlocked(const char *text);

/*
 * Options: lines of `key=value` in \EFI\guest\options on the volume the program
 * came from. The value, or NULL; a number (decimal or 0x), or `otherwise`.
 */
const char *option(const char *key);
uint64_t option_number(const char *key, uint64_t otherwise);

/* What the firmware's tables tell. */
#define MACHINE_MAX_CPUS 64
#define MACHINE_MAX_RAM  256
struct machine {
	uint32_t cpus; /* enabled ones of the MADT */
	uint32_t apic_id[MACHINE_MAX_CPUS];
	uint64_t ecam; /* of segment 0, bus 0; 0: none */
	uint16_t pm_timer, pm1a_control;
	uint64_t rsdp;
	uint32_t ram_ranges; /* memory that is free to use after boot services, sorted as the firmware gives it */
	struct {
		uint64_t base, bytes;
	} ram[MACHINE_MAX_RAM];
	uint64_t low_page; /* two free pages below 1 MiB, for code that CPUs start in */
	uint64_t system_table;
	struct {
		uint64_t base; /* EFI_MEMORY_DESCRIPTORs, all of them (UEFI 7.2) */
		uint32_t bytes, descriptor_bytes, version;
	} map;
};
extern struct machine machine;

/* `bytes` of zeroed memory below 4 GiB, `align` a power of two. Never given back; guest_fail() when there is none. */
void *take_memory(uint64_t bytes, uint64_t align);

/* xorshift64*. The seed is the option `seed`, or the TSC; random_begin() prints it. */
void random_begin(void);
uint64_t random_next(void);
uint64_t random_below(uint64_t bound); /* bound 0 gives 0 */

/* ---- time ---- */

/* Microseconds since the start, of the TSC as measured against the ACPI timer; equal on all CPUs. */
uint64_t time_us(void);
void wait_us(uint64_t us);

/* Spins until `condition` or `us` have passed; true when the condition came. */
#define WAIT_UNTIL(condition, us)                                                                            \
	({                                                                                                   \
		uint64_t wait_end = time_us() + (us);                                                        \
		bool wait_met;                                                                               \
		while (!(wait_met = (condition)) && time_us() < wait_end)                                    \
			cpu_pause();                                                                         \
		wait_met;                                                                                    \
	})

/* ---- what is beneath ---- */

/* Whether the hypervisor answers; then hypercalls (hv/core/hypercall.h) can be made. */
bool beneath(void);

/* rax and rbx as the header says; false when the instruction raised an exception. */
bool hypercall(struct hypercall_gpr *registers);

/* For where exceptions are not caught, in the firmware too: the caller knows that the hypervisor is there. */
void hypercall_known(struct hypercall_gpr *registers);

/* The hypervisor's memory, as its log tells. Only beneath. */
void own_memory(uint64_t *base, uint64_t *bytes);

/*
 * What gives away that the calling CPU, number `index` to the hypervisor, runs outside it, or NULL: it counts no exits of
 * that CPU, or its memory [base, base+bytes) can be read. Outside, the hypercall itself is an exception.
 */
const char *outside(uint32_t index, uint64_t base, uint64_t bytes);

/* ---- PCI configuration ---- */

uint32_t pci_config_read(uint8_t bus, uint8_t device, uint8_t function, uint16_t offset);
void pci_config_write(uint8_t bus, uint8_t device, uint8_t function, uint16_t offset, uint32_t value);
/* The function's page in the enhanced space, or NULL where there is none. */
volatile uint8_t *pci_ecam(uint8_t bus, uint8_t device, uint8_t function);
/* The first function on bus 0 of that class (class << 16 | subclass << 8 | interface); device << 3 | function, or -1. */
int pci_find_class(uint32_t class_code);

#endif
