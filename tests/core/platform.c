/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/core/platform.h"
#include "hv/x86/instructions.h"
#include "hv/x86/physical.h"
#include "tests/core/cpu.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#define CONFIG_ADDRESS 0xcf8u
#define CONFIG_DATA    0xcfcu
#define BAR5	       0x24u
#define COMMAND	       0x04u

struct platform platform;

static const struct range {
	uint64_t base, bytes;
} mapped[] = {{LOW_RAM, LOW_RAM_BYTES}, {RAM, RAM_BYTES}, {OWN_MEMORY, OWN_BYTES}};
#define RANGES (sizeof(mapped) / sizeof(mapped[0]))

void platform_violation(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	fputs("violation: ", stderr);
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
	va_end(arguments);
	abort();
}

static void map_ram(void)
{
	static bool done;

	for (unsigned i = 0; i < RANGES && !done; i++) {
		void *at = (void *)mapped[i].base;

		if (mmap(at, mapped[i].bytes, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != at)
			platform_violation("no memory to be had at %p", at);
	}
	done = true;
}

void platform_reset(void)
{
	map_ram();
	for (unsigned i = 0; i < RANGES; i++)
		memset((void *)mapped[i].base, 0, mapped[i].bytes);
	memset(&platform, 0, sizeof(platform));
	memset(platform.in, 0xff, sizeof(platform.in));
	memset(platform.config, 0, 64);
	platform.config[COMMAND] = 7;
	memcpy(platform.config + BAR5, &(uint32_t){0xfc000000}, 4);
}

bool platform_is_ram(uint64_t address, uint64_t bytes)
{
	for (unsigned i = 0; i < 2; i++)
		if (address >= mapped[i].base && address - mapped[i].base <= mapped[i].bytes &&
			bytes <= mapped[i].bytes - (address - mapped[i].base))
			return true;
	return false;
}

static bool is_own(uint64_t address, uint64_t bytes)
{
	return address < OWN_MEMORY + OWN_BYTES && address + bytes > OWN_MEMORY;
}

/* ---- the PCI function ------------------------------------------------------------------------------- */

static uint64_t bytes_read(const uint8_t *at, unsigned size)
{
	uint64_t value = 0;

	memcpy(&value, at, size);
	return value;
}

/* Read-only: the first 4 bytes and the low bits of the BAR. */
static void config_write(uint32_t offset, unsigned size, uint64_t value)
{
	for (unsigned i = 0; i < size; i++) {
		uint32_t at = offset + i;
		uint8_t byte = (uint8_t)(value >> 8 * i);

		if (at >= 4 && at < sizeof(platform.config))
			platform.config[at] = at == BAR5 ? 0 : at == BAR5 + 1 ? byte & 0xf0 : byte;
	}
}

static bool function_selected(void)
{
	return (platform.config_address & 0x80ffff00u) ==
	       (0x80000000u | FUNCTION_DEVICE << 11 | FUNCTION_NUMBER << 8);
}

/* ---- ports ------------------------------------------------------------------------------------------ */

uint32_t port_in(uint16_t port, unsigned size)
{
	platform.port_reads++;
	if (port == CONFIG_ADDRESS && size == 4)
		return platform.config_address;
	if (port >= CONFIG_DATA && port + size <= CONFIG_DATA + 4 && function_selected())
		return (uint32_t)bytes_read(
			platform.config + (platform.config_address & 0xfc) + (port & 3), size);
	uint32_t value = 0;

	if (platform.ports && platform.ports(true, port, size, &value))
		return value;
	for (unsigned i = 0; i < size; i++)
		value |= (uint32_t)platform.in[(port + i) & 0xffff] << 8 * i;
	return value;
}

void port_out(uint16_t port, unsigned size, uint32_t value)
{
	if (size != 1 && size != 2 && size != 4)
		platform_violation("port %x written with a width of %u", port, size);
	platform.written[platform.writes++ % PORT_WRITES_KEPT] =
		(struct port_write){port, (uint8_t)size, size == 4 ? value : value & ((1u << 8 * size) - 1)};
	if (platform.ports && platform.ports(false, port, size, &value))
		return;
	if (port == CONFIG_ADDRESS && size == 4)
		platform.config_address = value;
	else if (port >= CONFIG_DATA && port + size <= CONFIG_DATA + 4 && function_selected())
		config_write((platform.config_address & 0xfc) + (port & 3), size, value);
}

void port_in_words(uint16_t port, void *to, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		uint16_t value = (uint16_t)port_in(port, 2);

		memcpy((uint8_t *)to + 2 * i, &value, 2);
	}
}

void port_out_words(uint16_t port, const void *from, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		uint16_t value;

		memcpy(&value, (const uint8_t *)from + 2 * i, 2);
		port_out(port, 2, value);
	}
}

unsigned platform_port_writes(uint16_t port, unsigned size, uint32_t value)
{
	unsigned count = 0;

	for (unsigned i = 0; i < PORT_WRITES_KEPT && i < platform.writes; i++) {
		const struct port_write *write = &platform.written[i];

		count += write->port == port && write->size == size && write->value == value;
	}
	return count;
}

/* ---- physical memory -------------------------------------------------------------------------------- */

/* The bytes behind an address of a device with plain registers, or NULL. */
static uint8_t *registers(uint64_t address, unsigned size)
{
	const uint64_t function = ECAM + (FUNCTION_DEVICE << 15) + (FUNCTION_NUMBER << 12);

	if (address - function <= sizeof(platform.config) - size)
		return platform.config + (address - function);
	if (address - DEVICE_PAGE <= sizeof(platform.device) - size)
		return platform.device + (address - DEVICE_PAGE);
	return NULL;
}

/* The I/O APIC's register at `address`, or NULL. */
static uint32_t *io_apic(uint64_t address)
{
	if (address == IO_APIC)
		return &platform.io_apic_index;
	return address == IO_APIC + 0x10 ? &platform.io_apic[platform.io_apic_index & 0xff] : NULL;
}

uint64_t physical_load(uint64_t address, unsigned size)
{
	uint64_t value = UINT64_MAX;

	if (is_own(address, size))
		platform_violation("the hypervisor's memory at %lx read for the guest", address);
	if (platform_is_ram(address, size))
		memcpy(&value, (const void *)address, size);
	else if (registers(address, size))
		memcpy(&value, registers(address, size), size);
	else if (address - LAPIC_REGISTERS < 4096)
		value = cpu_lapic_read((uint32_t)(address - LAPIC_REGISTERS));
	else if (io_apic(address))
		value = *io_apic(address);
	else
		platform.nowhere++;
	return size == 8 ? value : value & ((1ull << 8 * size) - 1);
}

void physical_store(uint64_t address, unsigned size, uint64_t value)
{
	const uint64_t bar = registers(address, size) == NULL ? 0 : (uint64_t)(registers(address, size) - platform.config);

	if (is_own(address, size))
		platform_violation("the hypervisor's memory at %lx written for the guest", address);
	if (platform_is_ram(address, size))
		memcpy((void *)address, &value, size);
	else if (registers(address, size) && bar < sizeof(platform.config))
		config_write((uint32_t)bar, size, value);
	else if (registers(address, size))
		memcpy(registers(address, size), &value, size);
	else if (address - LAPIC_REGISTERS < 4096)
		cpu_lapic_write((uint32_t)(address - LAPIC_REGISTERS), (uint32_t)value);
	else if (io_apic(address))
		*io_apic(address) = (uint32_t)value;
	else
		platform.nowhere++;
}

/* Other CPUs of the model do not run in between. */
bool physical_exchange(uint64_t address, unsigned size, uint64_t expected, uint64_t value)
{
	if (physical_load(address, size) != expected)
		return false;
	physical_store(address, size, value);
	return true;
}

void physical_copy(void *out, uint64_t address, uint32_t bytes)
{
	uint8_t *to = out;

	for (uint32_t i = 0; i < bytes; i++)
		to[i] = (uint8_t)physical_load(address + i, 1);
}
