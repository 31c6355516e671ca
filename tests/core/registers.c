/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The model processors' registers: CPUID, MSRs, control registers, the local APIC. An
 * access that would fault in the hypervisor ends the program. APM volume 2, chapter 16.
 */
#include "hv/x86/attempt.h"
#include "hv/x86/libcrypto_port.h"
#include "hv/x86/registers.h"
#include "tests/core/cpu.h"
#include "tests/core/platform.h"
#include "tests/core/vmx.h"
#include <string.h>

#define ICR_LOW	  0x300u
#define ICR_HIGH  0x310u
#define ICR_RESERVED 0xfff33000u /* in x2APIC mode, where delivery status (12) is gone as well */
#define APIC_BASE_RESERVED (~(0xfffffffffull << 12 | 0xdull << 8))

/* The labels of attempt.S. */
const uint8_t attempt_begin[4];
__asm__(".globl attempt_refused\nattempt_refused = attempt_begin + 4\n");

static uint32_t address_bits;
static struct model_cpu before_start; /* while the core starts, no CPU runs on its own stack yet */

static struct model_cpu *cpu(void)
{
	return cpu_now() ? cpu_now() : &before_start;
}

void cpus_reset(unsigned count, bool x2apic, bool vmx, unsigned physical_bits, uint64_t cr4)
{
	address_bits = 0x3000 | physical_bits;
	cpu_count = count;
	cpus_have_vmx = vmx;
	cpus_have_huge_pages = true;
	cpus_keep_x2apic = false;
	model_vmx_reset();
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
		return (struct cpuid_result){0x0d, 0x68747541, 0x444d4163, 0x69746e65};
	case 1: /* with AES, XSAVE, OSXSAVE, x2APIC */
		return (struct cpuid_result){0x00800f12, 0x800, 0x0e202203 | (cpus_have_vmx ? 1u << 5 : 0), 0x178bfbff};
	case 7: /* PKU and OSPKE */
		return (struct cpuid_result){0, 0x219c91a9, subleaf ? 0 : 0x18, 0};
	case 0x0a: /* counters of version 4 */
		return (struct cpuid_result){cpus_have_vmx ? 0x07300404 : 0, 0, 0, 0};
	case 0x0d: /* x87, SSE, AVX */
		return (struct cpuid_result){subleaf ? 0 : 7, 0x340, 0x340, 0};
	case 0x80000000:
		return (struct cpuid_result){0x8000000a, 0, 0, 0};
	case 0x80000001: /* with SVM; long mode, 1 GiB pages, NX, FFXSR; TCE is not there */
		return (struct cpuid_result){0x00800f12, 0, cpus_have_vmx ? 0x101 : 0x105,
					     0x2bd3fbff | (cpus_have_huge_pages ? 1u << 26 : 0)};
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

bool attempt_rdmsr(uint32_t index, uint64_t *value)
{
	const struct {
		uint32_t index;
		uint64_t value;
	} own[] = {
		{MSR_APIC_BASE, cpu()->apic_base}, {MSR_EFER, cpu()->efer}, {MSR_PAT, 0x0007040600070406ull},
		{MSR_MCG_STATUS, cpu()->mcg_status}, {MSR_VM_CR, cpu()->vm_cr}, {MSR_FS_BASE, cpu()->fs.base},
		{MSR_GS_BASE, cpu()->gs.base},
	};

	if (x2apic_register(index)) {
		*value = *x2apic_register(index);
		return true;
	}
	for (unsigned i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		if (own[i].index == index) {
			*value = own[i].value;
			return true;
		}
	return model_msr_read(index, value);
}

uint64_t rdmsr(uint32_t index)
{
	uint64_t value;

	if (!attempt_rdmsr(index, &value))
		platform_violation("RDMSR of %x faults in the hypervisor", index);
	return value;
}

static bool write_apic_base(uint64_t value)
{
	uint64_t mode = value & (APIC_BASE_ENABLE | APIC_BASE_X2APIC);
	uint64_t now = cpu()->apic_base & (APIC_BASE_ENABLE | APIC_BASE_X2APIC);
	bool to_x2 = mode & APIC_BASE_X2APIC, from_x2 = now & APIC_BASE_X2APIC;

	if (value & APIC_BASE_RESERVED || mode == APIC_BASE_X2APIC || (from_x2 && mode == APIC_BASE_ENABLE) ||
		(to_x2 && !now) || (from_x2 && !to_x2 && cpus_keep_x2apic))
		return false;
	cpu()->apic_base = value;
	return true;
}

bool attempt_wrmsr(uint32_t index, uint64_t value)
{
	if (x2apic_register(index)) {
		cpu_lapic_set(cpu(), (index - MSR_X2APIC_FIRST) * 16, (uint32_t)value);
		return !(value >> 32);
	}
	switch (index) {
	case MSR_APIC_BASE:
		return write_apic_base(value);
	case MSR_X2APIC_ICR:
		if (!(cpu()->apic_base & APIC_BASE_X2APIC) || value & ICR_RESERVED)
			return false;
		cpu_lapic_send(cpu(), (uint32_t)value, (uint32_t)(value >> 32));
		return true;
	case MSR_EFER:
		cpu()->efer = value;
		return true;
	case MSR_VM_CR:
		cpu()->vm_cr = value;
		return true;
	case MSR_VM_HSAVE:
		cpu()->hsave = value;
		return true;
	}
	return model_msr_write(index, value);
}

void wrmsr(uint32_t index, uint64_t value)
{
	if (!attempt_wrmsr(index, value))
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
	cpu_lapic_set(cpu(), offset, value);
	if (offset == ICR_LOW)
		cpu_lapic_send(cpu(), value, cpu()->lapic[ICR_HIGH / 16] >> 24);
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

void write_cr2(uint64_t value)
{
	cpu()->cr2 = value;
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

/* SDM volume 1, 13.3, of a processor with x87, SSE, and AVX. */
bool attempt_xcr0(uint64_t value)
{
	if (value & ~7ull || !(value & 1) || (value & 4 && !(value & 2)))
		return false;
	cpu()->xcr0 = value;
	return true;
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
