/* SPDX-License-Identifier: Apache-2.0 */
/* MSRs, CPUID, control and debug registers: what is changed is changed back, for the program lives on. */
#include "tests/guest/hostile/hostile.h"
#include "tests/guest/lib/paging.h"

static const struct {
	uint32_t first, last;
	const char *why;
} left_out[] = {
	{0x10, 0x10, "the program's clock"},
	{0x79, 0x79, "microcode"},
	{0x6e0, 0x6e0, "the local timer's deadline"},
	{0xc0010010, 0xc001001f, "where RAM is: memory would go away"},
	{0xc0010111, 0xc0010113, "where system management mode is"},
	{0xc0010020, 0xc0010020, "microcode"},
};

static const uint32_t interesting[] = {
	MSR_EFER, MSR_APIC_BASE, MSR_X2APIC_ICR, MSR_VM_CR, MSR_VM_HSAVE, MSR_SVM_KEY, MSR_IGNNE, MSR_SMM_CTL, MSR_PAT,
	MSR_FS_BASE, MSR_GS_BASE, 0x174, 0x1d9, 0x2ff, 0x200, 0xc0000081, 0xc0000082, 0xc0000084, 0xc0000102, 0xc0000103,
};

static uint32_t draw_index(struct fuzzer *f)
{
	switch (draw_below(f, 4)) {
	case 0:
		return (uint32_t)draw(f);
	case 1:
		return (uint32_t)(0xc0000000u + draw_below(f, 0x200));
	case 2:
		return (uint32_t)(draw_below(f, 0x1000));
	}
	return interesting[draw_below(f, sizeof(interesting) / sizeof(interesting[0]))];
}

/* Also left out: a local APIC that is turned off hears nobody, and in emulators never again. */
static bool writable(uint32_t index, uint64_t value)
{
	for (unsigned i = 0; i < sizeof(left_out) / sizeof(left_out[0]); i++)
		if (index >= left_out[i].first && index <= left_out[i].last)
			return false;
	return index != MSR_APIC_BASE || value & APIC_BASE_ENABLE;
}

void do_msr(struct fuzzer *f)
{
	uint32_t index = draw_index(f);
	uint64_t value = draw_value(f), before;
	bool known;

	doing(f, "msr", index, value, 0);
	known = try_rdmsr(index, &before, NULL) == VECTOR_RUN_DONE;
	if (one_in(f, 2) || !writable(index, value))
		return;
	if (known && one_in(f, 2))
		value = before ^ 1ull << draw_below(f, 64);
	if (writable(index, value) && try_wrmsr(index, value, NULL) == VECTOR_RUN_DONE && known)
		try_wrmsr(index, before, NULL);
}

void do_cpuid(struct fuzzer *f)
{
	static const uint32_t first[] = {0, 0x80000000, 0x40000000, 0xc0000000};
	uint32_t leaf = one_in(f, 8) ? (uint32_t)draw(f) : first[draw_below(f, 4)] + (uint32_t)draw_below(f, 40);
	struct run r;

	doing(f, "cpuid", leaf, 0, 0);
	run_prepare(&r, NULL);
	r.gpr[0] = leaf | (one_in(f, 2) ? draw(f) << 32 : 0);
	r.gpr[1] = draw_value(f);
	run_bytes(&r, (const uint8_t[]){0x0f, 0xa2}, 2);
}

/* MOV to the register from RAX, then back from RBX: nothing of ours runs in between but handlers of NMIs. */
static void swap(uint8_t opcode, unsigned number, uint64_t value, uint64_t before)
{
	const uint8_t rex = number >= 8 ? 0x44 : 0x40;
	const uint8_t code[] = {
		rex, 0x0f, opcode, (uint8_t)(0xc0 | (number & 7) << 3), rex, 0x0f, opcode, (uint8_t)(0xc3 | (number & 7) << 3)};
	struct run r;

	run_prepare(&r, NULL);
	r.gpr[0] = value;
	r.gpr[3] = before;
	run_bytes(&r, code, sizeof(code));
}

/*
 * Left out: another page table; and what a processor answers with #GP but an
 * emulator does: to leave 64-bit mode from within, and reserved bits, which VMRUN
 * refuses at the next entry. Then the machine ends, as it should.
 */
static uint64_t permitted(unsigned number, uint64_t value)
{
	const uint64_t cr0_bits = 0xe005003f;
	uint32_t ebx = cpuid(7, 0).ebx, ecx = cpuid(7, 0).ecx;
	uint64_t cr4_bits = 0x7df; /* but PCE: to OSXMMEXCPT and VME */

	if (number == 0)
		return (value & cr0_bits) | CR0_PE | CR0_PG | (value & CR0_NW ? CR0_CD : 0);
	cr4_bits |= ebx & 1 ? 1ull << 16 : 0;
	cr4_bits |= CR4_OSXSAVE;
	cr4_bits |= ebx & 1u << 7 ? CR4_SMEP : 0;
	cr4_bits |= ebx & 1u << 20 ? CR4_SMAP : 0;
	cr4_bits |= ecx & 1u << 3 ? CR4_PKE : 0;
	cr4_bits |= ecx & 1u << 2 ? 1ull << 11 : 0;
	return number == 4 ? (value & cr4_bits) | CR4_PAE : value;
}

static void control_register(struct fuzzer *f)
{
	static const uint8_t numbers[] = {0, 0, 2, 3, 4, 4, 8, 1, 5, 15};
	unsigned number = numbers[draw_below(f, sizeof(numbers))];
	uint64_t before = number == 0 ? read_cr0() : number == 4 ? read_cr4() : number == 3 ? read_cr3() : 0;
	uint64_t value = one_in(f, 3) ? draw_value(f) : before ^ 1ull << draw_below(f, 64);

	if (number == 3)
		value = before ^ draw_below(f, PAGE);
	value = permitted(number, value);
	doing(f, "control register", number, value, before);
	swap(0x22, number, value, before);
}

/* Breakpoints anywhere; the general detect bit makes the way back trap once, and is clear then. */
static void debug_register(struct fuzzer *f)
{
	unsigned number = (unsigned)draw_below(f, 8);
	uint64_t value = draw_value(f);

	value = number >= 4 ? (uint32_t)value : value; /* left out: reserved bits, as above */
	doing(f, "debug register", number, value, 0);
	swap(0x23, number, value, number == 7 ? 0x400 : 0);
	if (number >= 6) {
		swap(0x23, 7, 0x400, 0x400);
		swap(0x23, 7, 0x400, 0x400);
	}
}

static void extended_control(struct fuzzer *f)
{
	static const uint8_t code[] = {0x0f, 0x01, 0xd1, 0x89, 0xd8, 0x31, 0xd2, 0x31, 0xc9, 0x0f, 0x01, 0xd1};
	uint32_t low, high;
	uint64_t value = one_in(f, 2) ? draw_below(f, 256) : draw_value(f);
	struct run r;

	if (!(read_cr4() & CR4_OSXSAVE))
		return;
	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	doing(f, "xcr0", value, 0, 0);
	run_prepare(&r, NULL);
	r.gpr[0] = (uint32_t)value;
	r.gpr[1] = one_in(f, 8);
	r.gpr[2] = value >> 32;
	r.gpr[3] = low;
	run_bytes(&r, code, sizeof(code));
}

void do_control(struct fuzzer *f)
{
	switch (draw_below(f, 3)) {
	case 0:
		debug_register(f);
		break;
	case 1:
		extended_control(f);
		break;
	default:
		control_register(f);
	}
}
