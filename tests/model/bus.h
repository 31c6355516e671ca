/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory as a bus master sees it: guest RAM, the mediator's arena and nothing
 * else. Bus addresses differ from pointers, and guest RAM crosses 4 GiB, so that
 * an address that was not translated or was cut short is noticed. What must never
 * happen is recorded, for the test to look at: bus_faults().
 */
#ifndef TESTS_MODEL_BUS_H
#define TESTS_MODEL_BUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BUS_NAMED 64

struct bus {
	uint8_t *ram, *arena;
	uint64_t ram_base, ram_bytes;
	uint64_t arena_base, arena_bytes;
	uint64_t named[BUS_NAMED]; /* arena addresses that the guest gave: DMA there is a fault */
	unsigned named_count;
	unsigned faults;
	char fault[160]; /* the first one, for a person */
};

/* Allocates both, whole pages; ends the program when there is no memory. RAM starts 8 MiB below 4 GiB. */
void bus_init(struct bus *bus, uint64_t ram_bytes, uint64_t arena_bytes);
void bus_free(struct bus *bus);

/* Pointers for [address, address+bytes); NULL outside. bus_dma() records that as a fault. */
void *bus_guest(const struct bus *bus, uint64_t address, uint64_t bytes);
void *bus_dma(struct bus *bus, uint64_t address, uint64_t bytes);
uint64_t bus_address_of(const struct bus *bus, const void *arena_memory);

/* The guest names an address in hypervisor memory; see `named`. */
void bus_name(struct bus *bus, uint64_t address);

/* The next guest RAM from the offset *taken on, which moves on; ends the program when there is none left. */
uint64_t bus_take_ram(const struct bus *bus, uint64_t *taken, uint64_t bytes, uint64_t alignment);

void bus_fault(struct bus *bus, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
