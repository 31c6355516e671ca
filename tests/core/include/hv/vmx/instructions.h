/* SPDX-License-Identifier: Apache-2.0 */
/* In the place of hv/vmx/instructions.h: the same functions, over the model of tests/core/vmx.h. */
#ifndef HV_VMX_INSTRUCTIONS_H
#define HV_VMX_INSTRUCTIONS_H

#include <stdbool.h>
#include <stdint.h>

bool vmxon(uint64_t region);
bool vmclear(uint64_t region);
bool vmptrld(uint64_t region);
uint64_t vmread(uint32_t field);
void vmwrite(uint32_t field, uint64_t value);
void invept(uint64_t kind, uint64_t ept_pointer);
void invvpid(uint64_t kind, uint64_t vpid);
void read_system_selectors(uint16_t *fs, uint16_t *gs, uint16_t *ldtr, uint16_t *tr);
uint64_t read_dr6(void);
void write_dr6(uint64_t value);

#endif
