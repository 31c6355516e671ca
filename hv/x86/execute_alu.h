/* SPDX-License-Identifier: Apache-2.0 */
/* Arithmetic with the flags the processor would leave. Pure; APM 3, chapter 3. */
#ifndef HV_X86_EXECUTE_ALU_H
#define HV_X86_EXECUTE_ALU_H

#include <stdint.h>

#define FLAG_CF	     (1ull << 0)
#define FLAG_PF	     (1ull << 2)
#define FLAG_AF	     (1ull << 4)
#define FLAG_ZF	     (1ull << 6)
#define FLAG_SF	     (1ull << 7)
#define FLAG_DF	     (1ull << 10)
#define FLAG_OF	     (1ull << 11)
#define FLAGS_STATUS (FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | FLAG_OF)

enum alu_operation { ALU_ADD, ALU_OR, ALU_ADC, ALU_SBB, ALU_AND, ALU_SUB, ALU_XOR, ALU_CMP, ALU_TEST };

/* The low `size` bytes (1 2 4 8) of a value. */
static inline uint64_t alu_truncate(uint64_t value, unsigned size)
{
	return value & (~0ull >> (64 - 8 * size));
}

/*
 * a op b, of `size` bytes; bits above are ignored and come back zero. CMP and TEST return
 * what SUB and AND would. AF after a logical operation is undefined, and cleared here.
 */
uint64_t alu(enum alu_operation operation, unsigned size, uint64_t a, uint64_t b, uint64_t *rflags);

/* The encoding's /digit. */
enum alu_shift_operation { ALU_SHL = 4, ALU_SHR = 5, ALU_SAR = 7 };

/*
 * Shifts the low `size` bytes of a value; what is above comes back zero. `count` is
 * below 64, below 32 unless `size` is 8, and 0 leaves the flags. AF is undefined, and
 * cleared here; OF is defined for a count of 1 only, and here always what that would give
 * for the last bit moved; CF is 0 where more bits than there are have left.
 */
uint64_t alu_shift(
	enum alu_shift_operation operation, unsigned size, uint64_t value, unsigned count, uint64_t *rflags);

#endif
