/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The machine around the model processors: RAM at its physical addresses (mapped
 * there in this process), I/O ports, one PCI function with its registers by ports and
 * by ECAM, and a page of a device. What a correct hypervisor never does ends the
 * program with a sentence.
 */
#ifndef TESTS_CORE_PLATFORM_H
#define TESTS_CORE_PLATFORM_H

#include <stdbool.h>
#include <stdint.h>

#define LOW_RAM	       0x10000ull /* below 1 MiB: where a start-up interrupt can point */
#define LOW_RAM_BYTES  0x20000ull
#define RAM	       0x200000ull
#define RAM_BYTES      0x40000ull
#define OWN_MEMORY     0x10000000ull /* the hypervisor's */
#define OWN_BYTES      0x800000ull
#define ECAM	       0xe0000000ull /* of bus 0 */
#define DEVICE_PAGE    0xfd000000ull /* registers of a device that nobody hooks, and stay as written */
#define LAPIC_REGISTERS 0xfee00000ull
#define IO_APIC	       0xfec00000ull /* its index at 0, the register at 10h */
#define FUNCTION_DEVICE 31u /* the PCI function: 0:1f.2 */
#define FUNCTION_NUMBER 2u
#define PM1_CONTROL    0x604u
#define NAMED_RESET    0xb00u /* FADT's reset register ... */
#define NAMED_VALUE    0x5au  /* ... and what resets */
#define OFF_TYPES      (1u << 7 | 1u << 0) /* SLP_TYPa of S4 and S5; S3 has 5 */

#define PORT_WRITES_KEPT 64

struct port_write {
	uint16_t port;
	uint8_t size;
	uint32_t value;
};

extern struct platform {
	uint8_t in[65536]; /* what reading a port gives */
	struct port_write written[PORT_WRITES_KEPT];
	unsigned writes; /* all; the last PORT_WRITES_KEPT are kept, at their number modulo that */
	unsigned port_reads;
	/* A device behind some ports: false for those of others. NULL: there is none. */
	bool (*ports)(bool in, uint16_t port, unsigned size, uint32_t *value);
	uint32_t config_address;
	uint8_t config[4096]; /* of the function; BAR 5 is of 4 KiB */
	uint8_t device[4096];
	uint32_t io_apic[256], io_apic_index;
	unsigned nowhere; /* accesses to addresses where nothing is */
} platform;

/* Maps the RAM (once) and puts everything into the state of a machine that has just been switched on. */
void platform_reset(void);

/* How many writes of exactly this kind the ports have seen since the reset, as far as they are kept. */
unsigned platform_port_writes(uint16_t port, unsigned size, uint32_t value);

bool platform_is_ram(uint64_t address, uint64_t bytes);

/* Ends the program: something happened that must not. */
void platform_violation(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

#endif
