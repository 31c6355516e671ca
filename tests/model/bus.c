/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/model/bus.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define RAM_BASE   (0x100000000ull - (8ull << 20))
#define ARENA_BASE 0x740000000ull

#define GUARD 4096

/* Zeroes that cost nothing until touched, and a page after them that faults. */
static uint8_t *pages(uint64_t bytes)
{
	uint8_t *memory =
		mmap(NULL, bytes + GUARD, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED || bytes % GUARD || mprotect(memory + bytes, GUARD, PROT_NONE)) {
		perror("model memory");
		exit(2);
	}
	return memory;
}

void bus_init(struct bus *bus, uint64_t ram_bytes, uint64_t arena_bytes)
{
	memset(bus, 0, sizeof(*bus));
	bus->ram_base = RAM_BASE;
	bus->ram_bytes = ram_bytes;
	bus->ram = pages(ram_bytes);
	bus->arena_base = ARENA_BASE;
	bus->arena_bytes = arena_bytes;
	bus->arena = pages(arena_bytes);
}

void bus_free(struct bus *bus)
{
	munmap(bus->ram, bus->ram_bytes + GUARD);
	munmap(bus->arena, bus->arena_bytes + GUARD);
}

static void *within(uint8_t *memory, uint64_t base, uint64_t size, uint64_t address, uint64_t bytes)
{
	if (address < base || address - base > size || bytes > size - (address - base))
		return NULL;
	return memory + (address - base);
}

void *bus_guest(const struct bus *bus, uint64_t address, uint64_t bytes)
{
	return within(bus->ram, bus->ram_base, bus->ram_bytes, address, bytes);
}

void *bus_dma(struct bus *bus, uint64_t address, uint64_t bytes)
{
	void *pointer = bus_guest(bus, address, bytes);

	if (pointer)
		return pointer;
	for (unsigned i = 0; i < bus->named_count; i++)
		if (bus->named[i] == address)
			bus_fault(bus, "DMA to %llx in the arena, as the guest asked",
				(unsigned long long)address);
	pointer = within(bus->arena, bus->arena_base, bus->arena_bytes, address, bytes);
	if (!pointer)
		bus_fault(bus, "DMA of %llu bytes at %llx", (unsigned long long)bytes,
			(unsigned long long)address);
	return pointer;
}

uint64_t bus_address_of(const struct bus *bus, const void *arena_memory)
{
	return bus->arena_base + (uint64_t)((const uint8_t *)arena_memory - bus->arena);
}

void bus_name(struct bus *bus, uint64_t address)
{
	if (bus->named_count < BUS_NAMED)
		bus->named[bus->named_count++] = address;
}

uint64_t bus_take_ram(const struct bus *bus, uint64_t *taken, uint64_t bytes, uint64_t alignment)
{
	uint64_t address = bus->ram_base + ((*taken + alignment - 1) & ~(alignment - 1));

	*taken = address - bus->ram_base + bytes;
	if (*taken > bus->ram_bytes)
		abort();
	return address;
}

void bus_fault(struct bus *bus, const char *format, ...)
{
	va_list arguments;

	if (bus->faults++)
		return;
	va_start(arguments, format);
	vsnprintf(bus->fault, sizeof(bus->fault), format, arguments);
	va_end(arguments);
	fprintf(stderr, "model: %s\n", bus->fault);
}
