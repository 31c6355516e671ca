/* SPDX-License-Identifier: Apache-2.0 */
#include "hv/x86/mtrr.h"
#include "hv/x86/registers.h"

#define PAGE            4096ull
#define FIXED_END       (1ull << 20)
#define CPUID_MTRR      (1u << 12)
#define CAP_COUNT       0xffu
#define CAP_FIXED       (1u << 8)
#define DEFAULT_FIXED   (1u << 10)
#define DEFAULT_ENABLED (1u << 11)
#define MASK_VALID      (1ull << 11)
#define VARIABLE_MAX    32
#define SEVERAL         (-1)

/* Eight types in each fixed-range register: of 64 KiB, 16 KiB, 4 KiB. */
static const struct {
	uint32_t msr, registers, base, step;
} fixed_ranges[] = {
	{0x250, 1, 0x00000, 0x10000},
	{0x258, 2, 0x80000, 0x4000},
	{0x268, 8, 0xc0000, 0x1000},
};

static struct {
	uint8_t fallback; /* where no register says anything */
	uint8_t fixed[FIXED_END / PAGE];
	bool fixed_valid;
	uint32_t count;
	struct {
		uint64_t base, mask;
		uint8_t type;
	} variable[VARIABLE_MAX];
} mtrr;

static void read_fixed(void)
{
	for (unsigned range = 0; range < sizeof(fixed_ranges) / sizeof(fixed_ranges[0]); range++)
		for (uint32_t i = 0; i < fixed_ranges[range].registers; i++) {
			uint64_t types = rdmsr(fixed_ranges[range].msr + i);
			uint32_t step = fixed_ranges[range].step, first = fixed_ranges[range].base + 8 * i * step;

			for (uint32_t at = 0; at < 8 * step; at += PAGE)
				mtrr.fixed[(first + at) / PAGE] = (uint8_t)(types >> 8 * (at / step));
		}
}

static void read_variable(uint32_t count)
{
	mtrr.count = 0;
	for (uint32_t i = 0; i < count && i < VARIABLE_MAX; i++) {
		uint64_t base = rdmsr(MSR_MTRR_BASE + 2 * i), mask = rdmsr(MSR_MTRR_BASE + 2 * i + 1);

		if (!(mask & MASK_VALID))
			continue;
		mtrr.variable[mtrr.count].base = base & ~(PAGE - 1);
		mtrr.variable[mtrr.count].mask = mask & ~(PAGE - 1);
		mtrr.variable[mtrr.count++].type = (uint8_t)base;
	}
}

void mtrr_read(void)
{
	uint64_t cap, fallback;

	mtrr.fixed_valid = false;
	mtrr.count = 0;
	mtrr.fallback = MEMORY_WRITE_BACK;
	if (!(cpuid(1, 0).edx & CPUID_MTRR))
		return;
	cap = rdmsr(MSR_MTRR_CAP);
	fallback = rdmsr(MSR_MTRR_DEFAULT);
	mtrr.fallback = fallback & DEFAULT_ENABLED ? (uint8_t)fallback : MEMORY_UNCACHED;
	if (!(fallback & DEFAULT_ENABLED))
		return;
	mtrr.fixed_valid = cap & CAP_FIXED && fallback & DEFAULT_FIXED;
	if (mtrr.fixed_valid)
		read_fixed();
	read_variable(cap & CAP_COUNT);
}

/* Where two ranges meet, SDM 12.11.4.1: what it leaves undefined is uncached. */
static int together(int a, int b)
{
	if (a == b)
		return a;
	if ((a == MEMORY_WRITE_THROUGH && b == MEMORY_WRITE_BACK) || (a == MEMORY_WRITE_BACK && b == MEMORY_WRITE_THROUGH))
		return MEMORY_WRITE_THROUGH;
	return MEMORY_UNCACHED;
}

static int variable_type(uint64_t address, uint64_t bytes)
{
	int type = -1;

	for (uint32_t i = 0; i < mtrr.count; i++) {
		uint64_t mask = mtrr.variable[i].mask;

		if ((address ^ mtrr.variable[i].base) & mask & ~(bytes - 1))
			continue;
		if (mask & (bytes - 1)) /* it covers a part */
			return SEVERAL;
		type = type < 0 ? mtrr.variable[i].type : together(type, mtrr.variable[i].type);
	}
	return type < 0 ? mtrr.fallback : type;
}

static int fixed_type(uint64_t address, uint64_t bytes)
{
	int type = mtrr.fixed[address / PAGE];

	for (uint64_t at = 0; at < bytes && address + at < FIXED_END; at += PAGE)
		if (mtrr.fixed[(address + at) / PAGE] != type)
			return SEVERAL;
	if (address + bytes > FIXED_END && variable_type(address, bytes) != type)
		return SEVERAL;
	return type;
}

int mtrr_type(uint64_t address, uint64_t bytes)
{
	return mtrr.fixed_valid && address < FIXED_END ? fixed_type(address, bytes) : variable_type(address, bytes);
}
