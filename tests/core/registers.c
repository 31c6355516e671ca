/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The model processors' registers: CPUID, MSRs, control registers, the local APIC. An
 * access that would fault in the hypervisor ends the program. APM volume 2, chapter 16.
 */
#include "hv/x86/libcrypto_port.h"
#include "hv/x86/registers.h"
#include "tests/core/cpu.h"
#include "tests/core/platform.h"
#include <string.h>

#define ICR_LOW	  0x300u
#define ICR_HIGH  0x310u
#define ICR_RESERVED 0xfff33000u /* in x2APIC mode, where delivery status (12) is gone as well */
#define APIC_BASE_RESERVED (~(0xfffffffffull << 12 | 0xdull << 8))

static uint32_t address_bits;
static struct model_cpu before_start; /* while the core starts, no CPU runs on its own stack yet */

static struct model_cpu *cpu(void)
{
	return cpu_now() ? cpu_now() : &before_start;
}

void cpus_reset(unsigned count, bool x2apic, unsigned physical_bits, uint64_t cr4)
{
	address_bits = 0x3000 | physical_bits;
	cpu_count = count;
	cpus_threaded = false;
	memset(cpus, 0, sizeof(cpus));
	for (unsigned i = 0; i < count; i++) {
		struct model_cpu *it = &cpus[i];

		it->index = i;
		it->apic_id = 2 * i;
		it->cr0 = CR0_PE | CR0_ET | CR0_PG | CR0_WP;
		it->cr3 = RAM;
		it->cr4 = CR4_PAE | CR4_OSFXSR | cr4;
		it->efer = EFER_LME | EFER_LMA | EFER_NXE;
		it->apic_base = LAPIC_REGISTERS | APIC_BASE_ENABLE | (x2apic ? APIC_BASE_X2APIC : 0) | (i ? 0 : 1u << 8);
		it->lapic[0x20 / 16] = it->apic_id << 24;
		it->lapic[0xd0 / 16] = 1u << (24 + i); /* logical destination ... */
		it->lapic[0xe0 / 16] = 0xffffffff;     /* ... in the flat model */
	}
	before_start = cpus[0];
}

uint64_t read_breakpoint(unsigned number)
{
	return cpu()->breakpoint[number];
}

void clear_breakpoints(void)
{
	memset(cpu()->breakpoint, 0, sizeof(cpu()->breakpoint));
}

struct cpuid_result cpuid(uint32_t leaf, uint32_t subleaf)
{
	switch (leaf) {
	case 0:
		return (struct cpuid_result){7, 0x68747541, 0x444d4163, 0x69746e65};
	case 1: /* with AES, XSAVE, OSXSAVE, x2APIC */
		return (struct cpuid_result){0x00800f12, 0x800, 0x0e202203, 0x178bfbff};
	case 7: /* PKU and OSPKE */
		return (struct cpuid_result){0, 0x219c91a9, subleaf ? 0 : 0x18, 0};
	case 0x80000000:
		return (struct cpuid_result){0x8000000a, 0, 0, 0};
	case 0x80000001: /* with SVM; long mode, 1 GiB pages, NX, FFXSR; TCE is not there */
		return (struct cpuid_result){0x00800f12, 0, 0x00000105, 0x2fd3fbff};
	case 0x80000008:
		return (struct cpuid_result){address_bits, 0, 0, 0};
	case 0x8000000a: /* 16 ASIDs, nested paging */
		return (struct cpuid_result){1, 16, 0, 1};
	}
	return (struct cpuid_result){0, 0, 0, 0};
}

/* A register of the local APIC in x2APIC mode, or NULL. */
static uint32_t *x2apic_register(uint32_t index)
{
	bool there = cpu()->apic_base & APIC_BASE_X2APIC && index - MSR_X2APIC_FIRST < 0x40 && index != MSR_X2APIC_ICR;

	return there ? &cpu()->lapic[index - MSR_X2APIC_FIRST] : NULL;
}

uint64_t rdmsr(uint32_t index)
{
	if (x2apic_register(index))
		return *x2apic_register(index);
	switch (index) {
	case MSR_APIC_BASE:
		return cpu()->apic_base;
	case MSR_EFER:
		return cpu()->efer;
	case MSR_PAT:
		return 0x0007040600070406ull;
	case MSR_MCG_STATUS:
		return cpu()->mcg_status;
	case MSR_VM_CR:
		return cpu()->vm_cr;
	case MSR_FS_BASE:
		return cpu()->fs.base;
	case MSR_GS_BASE:
		return cpu()->gs.base;
	}
	platform_violation("RDMSR of %x faults in the hypervisor", index);
}

static void write_apic_base(uint64_t value)
{
	uint64_t mode = value & (APIC_BASE_ENABLE | APIC_BASE_X2APIC);
	uint64_t now = cpu()->apic_base & (APIC_BASE_ENABLE | APIC_BASE_X2APIC);
	bool to_x2 = mode & APIC_BASE_X2APIC, from_x2 = now & APIC_BASE_X2APIC;

	if (value & APIC_BASE_RESERVED || mode == APIC_BASE_X2APIC || (from_x2 && mode == APIC_BASE_ENABLE) ||
		(to_x2 && !now))
		platform_violation("WRMSR of %lx to APIC_BASE (%lx) faults in the hypervisor", value, now);
	cpu()->apic_base = value;
}

static void deliver(uint32_t low, uint32_t destination)
{
	struct model_cpu *from = cpu();
	unsigned mode = low >> 8 & 7, shorthand = low >> 18 & 3;

	from->sent[from->sent_count++ % 16] = (struct sent_interrupt){low, destination};
	if (mode == 5 || mode == 6)
		platform_violation("a real INIT or SIPI (%x) leaves for %x", low, destination);
	if (mode != 4)
		return;
	for (unsigned i = 0; i < cpu_count; i++) {
		bool broadcast = destination == 0xffffffff || (destination == 0xff && !(from->apic_base & APIC_BASE_X2APIC));
		bool meant = shorthand == 0 ? (low >> 11 & 1 ? cpus[i].lapic[0xd0 / 16] >> 24 & destination
							    : cpus[i].apic_id == destination) || broadcast
			     : shorthand == 1 ? &cpus[i] == from
					      : shorthand == 2 || &cpus[i] != from;

		if (meant)
			__atomic_store_n(&cpus[i].nmi_pending, 1, __ATOMIC_SEQ_CST);
	}
}

void wrmsr(uint32_t index, uint64_t value)
{
	if (x2apic_register(index)) {
		if (value >> 32)
			platform_violation("WRMSR of %lx to %x faults in the hypervisor", value, index);
		*x2apic_register(index) = (uint32_t)value;
		return;
	}
	switch (index) {
	case MSR_APIC_BASE:
		write_apic_base(value);
		return;
	case MSR_X2APIC_ICR:
		if (!(cpu()->apic_base & APIC_BASE_X2APIC) || value & ICR_RESERVED)
			platform_violation("WRMSR of %lx to the x2APIC ICR faults in the hypervisor", value);
		deliver((uint32_t)value, (uint32_t)(value >> 32));
		return;
	case MSR_EFER:
		cpu()->efer = value;
		return;
	case MSR_VM_CR:
		cpu()->vm_cr = value;
		return;
	case MSR_VM_HSAVE:
		cpu()->hsave = value;
		return;
	}
	platform_violation("WRMSR of %lx to %x faults in the hypervisor", value, index);
}

uint32_t cpu_lapic_read(uint32_t offset)
{
	if (offset % 16)
		platform_violation("the local APIC read at %x", offset);
	return cpu()->lapic[offset / 16];
}

void cpu_lapic_write(uint32_t offset, uint32_t value)
{
	if (offset % 16)
		platform_violation("the local APIC written at %x", offset);
	cpu()->lapic[offset / 16] = value;
	if (offset == ICR_LOW)
		deliver(value, cpu()->lapic[ICR_HIGH / 16] >> 24);
}

/* ---- the rest --------------------------------------------------------------------------------------- */

uint64_t read_cr0(void)
{
	return cpu()->cr0;
}

void write_cr0(uint64_t value)
{
	cpu()->cr0 = value;
}

uint64_t read_cr2(void)
{
	return 0;
}

uint64_t read_cr3(void)
{
	return cpu()->cr3;
}

void write_cr3(uint64_t value)
{
	cpu()->cr3 = value;
}

uint64_t read_cr4(void)
{
	return cpu()->cr4;
}

void write_cr4(uint64_t value)
{
	cpu()->cr4 = value;
}

uint64_t rdtsc(void)
{
	static uint64_t ticks;

	return __atomic_add_fetch(&ticks, 1000, __ATOMIC_RELAXED);
}

/* Interrupts are let in by the window that follows, see cpu.c. */
void interrupts_on(void)
{
	cpu()->interrupts_open = true;
}

void interrupts_off(void)
{
	cpu()->interrupts_open = false;
}

void write_back_caches(void)
{
	cpu()->write_backs++;
}

/* The firmware's descriptor tables lie in RAM, see machine.c. */
void read_descriptor_tables(struct descriptor_table *gdt, struct descriptor_table *idt)
{
	*gdt = (struct descriptor_table){23, RAM + 0x3000};
	*idt = (struct descriptor_table){0xfff, RAM + 0x4000};
}

void read_selectors(uint16_t *es, uint16_t *cs, uint16_t *ss, uint16_t *ds)
{
	*es = *ss = *ds = 0x10;
	*cs = 0x08;
}

void load_descriptor_tables(
	const struct descriptor_table *gdt, const struct descriptor_table *idt, uint64_t cs, uint16_t data)
{
	if (gdt->limit < cs || gdt->limit < data || idt->limit < 32 * 16 - 1)
		platform_violation("descriptor tables too short for the host");
}

/* The host's own libcrypto looks at the processor by itself. */
void libcrypto_port_init(void)
{
}
