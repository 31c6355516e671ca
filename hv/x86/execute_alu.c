/* SPDX-License-Identifier: Apache-2.0 */
#include "hv/x86/execute_alu.h"

static uint64_t top_bit(unsigned size)
{
	return 1ull << (8 * size - 1);
}

/* PF is set when the low byte of a result has an even number of ones. */
static uint64_t result_flags(uint64_t result, unsigned size)
{
	unsigned fold = (result ^ (result >> 4)) & 15;
	uint64_t flags = (0x9669u >> fold) & 1 ? FLAG_PF : 0;

	if (result == 0)
		flags |= FLAG_ZF;
	if (result & top_bit(size))
		flags |= FLAG_SF;
	return flags;
}

/* `carries`: for each bit, whether it carried into (or borrowed from) the next. */
static uint64_t carry_flags(uint64_t carries, uint64_t overflow, unsigned size)
{
	return (carries & top_bit(size) ? FLAG_CF : 0) | (carries & 8 ? FLAG_AF : 0) |
	       (overflow & top_bit(size) ? FLAG_OF : 0);
}

uint64_t alu(enum alu_operation operation, unsigned size, uint64_t a, uint64_t b, uint64_t *rflags)
{
	uint64_t carry_in = operation == ALU_ADC || operation == ALU_SBB ? *rflags & FLAG_CF : 0;
	uint64_t result, flags = 0;

	switch (operation) {
	case ALU_ADD:
	case ALU_ADC:
		result = a + b + carry_in;
		flags = carry_flags((a & b) | ((a | b) & ~result), (a ^ result) & (b ^ result), size);
		break;
	case ALU_SUB:
	case ALU_SBB:
	case ALU_CMP:
		result = a - b - carry_in;
		flags = carry_flags((~a & b) | ((~a | b) & result), (a ^ b) & (a ^ result), size);
		break;
	case ALU_OR:
		result = a | b;
		break;
	case ALU_XOR:
		result = a ^ b;
		break;
	default:
		result = a & b;
		break;
	}
	result = alu_truncate(result, size);
	*rflags = (*rflags & ~FLAGS_STATUS) | flags | result_flags(result, size);
	return result;
}

static uint64_t shifted(enum alu_shift_operation operation, unsigned size, uint64_t value, unsigned count)
{
	unsigned unused = 64 - 8 * size;

	switch (operation) {
	case ALU_SHL:
		return alu_truncate(value << count, size);
	case ALU_SHR:
		return alu_truncate(value, size) >> count;
	default:
		return alu_truncate((uint64_t)((int64_t)(value << unused) >> unused >> count), size);
	}
}

/* All but the last bit first: the last one shows what CF and OF become. */
uint64_t alu_shift(
	enum alu_shift_operation operation, unsigned size, uint64_t value, unsigned count, uint64_t *rflags)
{
	if (count == 0)
		return alu_truncate(value, size);
	uint64_t before = shifted(operation, size, value, count - 1);
	uint64_t result = shifted(operation, size, before, 1);
	uint64_t out = before & (operation == ALU_SHL ? top_bit(size) : 1);

	*rflags = (*rflags & ~FLAGS_STATUS) | result_flags(result, size) | (out ? FLAG_CF : 0) |
		  ((before ^ result) & top_bit(size) ? FLAG_OF : 0);
	return result;
}
