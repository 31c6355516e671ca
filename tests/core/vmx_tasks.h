/* SPDX-License-Identifier: Apache-2.0 */
/* Two tasks of a 32-bit guest on a machine with Intel's extension; the guest is in A, and B is ready. */
#ifndef TESTS_CORE_VMX_TASKS_H
#define TESTS_CORE_VMX_TASKS_H

#include "hv/vmx/vmx.h"
#include "tests/core/machine.h"
#include "tests/core/vmx.h"

#define GDT    (RAM + 0x8000)
#define TASK_A (RAM + 0x9000)
#define TASK_B (RAM + 0x9100)
#define STACK  (RAM + 0xb000)
#define CODE   0x08
#define DATA   0x10
#define A      0x18
#define B      0x20
#define GONE   0x28
#define PDPT   (RAM + 0xc000)
#define PD     (RAM + 0xd000)
#define BUSY   (2ull << 40)
#define GRANULAR (1ull << 55)
#define NESTED (1u << 14)

enum { BY_CALL, BY_IRET, BY_JMP, BY_GATE };

#define tasks_gdt ((uint64_t *)GDT)

void tasks_machine(void);
/* In task A, protected mode without paging. */
void tasks_start(void);
/* An exit of an instruction of two bytes. */
void tasks_switch(unsigned by, uint16_t to);
/* Where the guest stands differs from B's beginning, in words; NULL: it is there. */
const char *tasks_not_in_b(void);
uint32_t *tasks_word(uint64_t task, unsigned offset);
uint64_t tasks_descriptor(uint64_t base, unsigned type, unsigned limit);
void tasks_set(uint32_t field, uint64_t value);
uint64_t tasks_get(uint32_t field);
void tasks_set_segment(enum vmcs_segment which, uint16_t selector, uint32_t rights, uint64_t base, uint32_t limit);

#endif
