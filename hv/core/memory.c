/* SPDX-License-Identifier: Apache-2.0 */
#include "hv/core/memory.h"
#include <string.h>

static uint64_t own_base, own_bytes, own_used;
static uint32_t ram_ranges;
static struct boot_ram ram[BOOT_MAX_RAM];

void memory_init(const struct boot_info *info)
{
	own_base = info->memory_base;
	own_bytes = info->memory_bytes;
	own_used = info->image_bytes;
	ram_ranges = info->ram_ranges;
	memcpy(ram, info->ram, sizeof(ram));
}

void *memory_take(size_t bytes, size_t alignment)
{
	uint64_t start = (own_used + alignment - 1) & ~(uint64_t)(alignment - 1);

	if (start > own_bytes || bytes > own_bytes - start)
		return NULL;
	own_used = start + bytes;
	return memset((void *)(own_base + start), 0, bytes);
}

uint64_t memory_base(void)
{
	return own_base;
}

uint64_t memory_bytes(void)
{
	return own_bytes;
}

uint64_t memory_end(void)
{
	uint64_t end = 0;

	for (uint32_t i = 0; i < ram_ranges; i++)
		if (ram[i].base + ram[i].bytes > end)
			end = ram[i].base + ram[i].bytes;
	return end;
}

static bool overlap(uint64_t a, uint64_t a_bytes, uint64_t b, uint64_t b_bytes)
{
	return a < b + b_bytes && b < a + a_bytes;
}

bool memory_is_ours(uint64_t gpa, uint64_t bytes)
{
	return gpa + bytes < gpa || overlap(gpa, bytes, own_base, own_bytes);
}

void *memory_guest(uint64_t gpa, uint64_t bytes)
{
	if (memory_is_ours(gpa, bytes))
		return NULL;
	for (uint32_t i = 0; i < ram_ranges; i++)
		if (gpa >= ram[i].base && gpa - ram[i].base <= ram[i].bytes &&
		    bytes <= ram[i].bytes - (gpa - ram[i].base))
			return (void *)gpa;
	return NULL;
}

bool memory_touches_ram(uint64_t gpa, uint64_t bytes)
{
	if (memory_is_ours(gpa, bytes))
		return true;
	for (uint32_t i = 0; i < ram_ranges; i++)
		if (overlap(gpa, bytes, ram[i].base, ram[i].bytes))
			return true;
	return false;
}
