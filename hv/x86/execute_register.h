/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of general registers, as operands. */
#ifndef HV_X86_EXECUTE_REGISTER_H
#define HV_X86_EXECUTE_REGISTER_H

#include "hv/x86/decode.h"
#include "hv/x86/execute_alu.h"

/* `high`: of AH CH DH BH, whose `reg` is 0..3. */
static inline uint64_t register_read(const struct insn_cpu *cpu, unsigned reg, bool high, unsigned size)
{
	return alu_truncate(cpu->gpr[reg] >> (high ? 8 : 0), size);
}

/* A 4-byte result clears the upper half; smaller ones leave the rest. */
static inline void register_write(
	struct insn_cpu *cpu, unsigned reg, bool high, unsigned size, uint64_t value)
{
	unsigned shift = high ? 8 : 0;
	uint64_t mask = size >= 4 ? ~0ull : alu_truncate(~0ull, size) << shift;

	cpu->gpr[reg] = (cpu->gpr[reg] & ~mask) | ((alu_truncate(value, size) << shift) & mask);
}

#endif
