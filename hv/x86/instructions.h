/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The few instructions C has no words for, most of them privileged. The host tests
 * have a header of the same functions over a model (tests/model/include). AMD64 APM
 * volume 3. Included by registers.h.
 */
#ifndef HV_X86_INSTRUCTIONS_H
#define HV_X86_INSTRUCTIONS_H

#include <stdbool.h>
#include <stdint.h>

struct descriptor_table {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

struct cpuid_result {
	uint32_t eax, ebx, ecx, edx;
};

static inline struct cpuid_result cpuid(uint32_t leaf, uint32_t subleaf)
{
	struct cpuid_result r;

	__asm__ volatile("cpuid" : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx) : "a"(leaf), "c"(subleaf));
	return r;
}

static inline uint64_t rdmsr(uint32_t index)
{
	uint32_t low, high;

	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(index));
	return (uint64_t)high << 32 | low;
}

static inline void wrmsr(uint32_t index, uint64_t value)
{
	__asm__ volatile("wrmsr" ::"c"(index), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)) : "memory");
}

#define DEFINE_CONTROL_REGISTER(name)                                                                        \
	static inline uint64_t read_##name(void)                                                             \
	{                                                                                                    \
		uint64_t value;                                                                              \
		__asm__ volatile("mov %%" #name ", %0" : "=r"(value));                                       \
		return value;                                                                                \
	}                                                                                                    \
	static inline void write_##name(uint64_t value)                                                      \
	{                                                                                                    \
		__asm__ volatile("mov %0, %%" #name ::"r"(value) : "memory");                                \
	}

DEFINE_CONTROL_REGISTER(cr0)
DEFINE_CONTROL_REGISTER(cr2)
DEFINE_CONTROL_REGISTER(cr3)
DEFINE_CONTROL_REGISTER(cr4)

/* DR0 to DR3: the guest's, no exit changes them. */
static inline uint64_t read_breakpoint(unsigned number)
{
	uint64_t value;

	switch (number) {
	case 0:
		__asm__ volatile("mov %%dr0, %0" : "=r"(value));
		return value;
	case 1:
		__asm__ volatile("mov %%dr1, %0" : "=r"(value));
		return value;
	case 2:
		__asm__ volatile("mov %%dr2, %0" : "=r"(value));
		return value;
	default:
		__asm__ volatile("mov %%dr3, %0" : "=r"(value));
		return value;
	}
}

/* INIT clears them. */
static inline void clear_breakpoints(void)
{
	__asm__ volatile("mov %0, %%dr0; mov %0, %%dr1; mov %0, %%dr2; mov %0, %%dr3" ::"r"(0ull));
}

static inline uint64_t rdtsc(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return (uint64_t)high << 32 | low;
}

static inline void cpu_pause(void)
{
	__asm__ volatile("pause" ::: "memory");
}

/* `count` accesses of 16 bits in a row. */
static inline void port_in_words(uint16_t port, void *to, uint32_t count)
{
	uint64_t left = count;

	__asm__ volatile("rep insw" : "+D"(to), "+c"(left) : "d"(port) : "memory");
}

static inline void port_out_words(uint16_t port, const void *from, uint32_t count)
{
	uint64_t left = count;

	__asm__ volatile("rep outsw" : "+S"(from), "+c"(left) : "d"(port) : "memory");
}

/* One access of `size` 1, 2 or 4 bytes to an I/O port. */
static inline uint32_t port_in(uint16_t port, unsigned size)
{
	uint32_t value = 0;

	if (size == 1)
		__asm__ volatile("inb %1, %b0" : "+a"(value) : "Nd"(port));
	else if (size == 2)
		__asm__ volatile("inw %1, %w0" : "+a"(value) : "Nd"(port));
	else
		__asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static inline void port_out(uint16_t port, unsigned size, uint32_t value)
{
	if (size == 1)
		__asm__ volatile("outb %b0, %1" ::"a"(value), "Nd"(port));
	else if (size == 2)
		__asm__ volatile("outw %w0, %1" ::"a"(value), "Nd"(port));
	else
		__asm__ volatile("outl %0, %1" ::"a"(value), "Nd"(port));
}

/* Halts with interrupts off: only an NMI or worse ends it. */
static inline void cpu_halt(void)
{
	__asm__ volatile("cli; hlt");
}

/* The interrupt flag; the guest's interrupts come in where the backend's window is open as well. */
static inline void interrupts_on(void)
{
	__asm__ volatile("sti" ::: "memory");
}

static inline void interrupts_off(void)
{
	__asm__ volatile("cli" ::: "memory");
}

static inline void write_back_caches(void)
{
	__asm__ volatile("wbinvd" ::: "memory");
}

static inline void read_descriptor_tables(struct descriptor_table *gdt, struct descriptor_table *idt)
{
	__asm__ volatile("sgdt %0" : "=m"(*gdt));
	__asm__ volatile("sidt %0" : "=m"(*idt));
}

static inline void read_selectors(uint16_t *es, uint16_t *cs, uint16_t *ss, uint16_t *ds)
{
	__asm__ volatile("mov %%es, %0" : "=r"(*es));
	__asm__ volatile("mov %%cs, %0" : "=r"(*cs));
	__asm__ volatile("mov %%ss, %0" : "=r"(*ss));
	__asm__ volatile("mov %%ds, %0" : "=r"(*ds));
}

/* Loads both tables and makes CS and the data segments (DS, ES, SS) those of the new GDT. */
static inline void load_descriptor_tables(
	const struct descriptor_table *gdt, const struct descriptor_table *idt, uint64_t cs, uint16_t data)
{
	__asm__ volatile("lgdt %0\n lidt %1\n"
			 "mov %w2, %%ds\n mov %w2, %%es\n mov %w2, %%ss\n"
			 "pushq %3\n lea 1f(%%rip), %%rax\n push %%rax\n lretq\n 1:" ::"m"(*gdt),
			 "m"(*idt), "r"(data), "r"(cs)
			 : "rax", "memory");
}

/* AMD-V: the global interrupt flag down; the state that VMRUN does not switch, from and to a control block. */
static inline void svm_clgi(void)
{
	__asm__ volatile("clgi");
}

static inline void svm_vmsave(void *vmcb)
{
	__asm__ volatile("vmsave %%rax" ::"a"(vmcb) : "memory");
}

static inline void svm_vmload(void *vmcb)
{
	__asm__ volatile("vmload %%rax" ::"a"(vmcb) : "memory");
}

#endif
