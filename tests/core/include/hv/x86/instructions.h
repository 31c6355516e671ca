/* SPDX-License-Identifier: Apache-2.0 */
/* In the place of hv/x86/instructions.h: the same functions, over the model processor of tests/core/cpu.h. */
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

struct cpuid_result cpuid(uint32_t leaf, uint32_t subleaf);
uint64_t rdmsr(uint32_t index);
void wrmsr(uint32_t index, uint64_t value);
uint64_t read_cr0(void);
void write_cr0(uint64_t value);
uint64_t read_cr2(void);
void write_cr2(uint64_t value);
uint64_t read_cr3(void);
void write_cr3(uint64_t value);
uint64_t read_cr4(void);
void write_cr4(uint64_t value);
uint64_t read_breakpoint(unsigned number);
void clear_breakpoints(void);
uint64_t rdtsc(void);
void cpu_pause(void);
uint32_t port_in(uint16_t port, unsigned size);
void port_out(uint16_t port, unsigned size, uint32_t value);
void port_in_words(uint16_t port, void *to, uint32_t count);
void port_out_words(uint16_t port, const void *from, uint32_t count);
void cpu_halt(void);
void interrupts_on(void);
void interrupts_off(void);
void write_back_caches(void);
void read_descriptor_tables(struct descriptor_table *gdt, struct descriptor_table *idt);
void read_selectors(uint16_t *es, uint16_t *cs, uint16_t *ss, uint16_t *ds);
void load_descriptor_tables(
	const struct descriptor_table *gdt, const struct descriptor_table *idt, uint64_t cs, uint16_t data);
void svm_clgi(void);
void svm_vmsave(void *vmcb);
void svm_vmload(void *vmcb);

#endif
