/* SPDX-License-Identifier: Apache-2.0 */
/* The covered opcodes. AMD64 APM 3 (general purpose), APM 4 (vector). Covering one more is one more row. */
#include "hv/x86/decode_internal.h"

/* clang-format off */
#define ONE(opcode, digit, operation, sub, memory, operand, flags) \
	{MAP_ONE_BYTE, opcode, FORM_ANY, digit, operation, sub, memory, operand, flags}
#define TWO(opcode, digit, operation, sub, memory, operand, flags) \
	{MAP_0F, opcode, FORM_ANY, digit, operation, sub, memory, operand, flags}
/* Only 64-bit code moves vectors to devices. */
#define VECTOR(opcode, prefix, operation, memory) \
	{MAP_0F, opcode, prefix, FORM_ANY, operation, 0, memory, OPERAND_REGISTER, FORM_LONG | FORM_VEX}
#define ALU(sub) \
	ONE((sub) * 8 + 0, FORM_ANY, INSN_ALU_STORE, sub, FORM_1,    OPERAND_REGISTER, 0), \
	ONE((sub) * 8 + 1, FORM_ANY, INSN_ALU_STORE, sub, FORM_FULL, OPERAND_REGISTER, 0), \
	ONE((sub) * 8 + 2, FORM_ANY, INSN_ALU_LOAD,  sub, FORM_1,    OPERAND_REGISTER, 0), \
	ONE((sub) * 8 + 3, FORM_ANY, INSN_ALU_LOAD,  sub, FORM_FULL, OPERAND_REGISTER, 0)

/* In the order of map and opcode: insn_form_find halves its way. */
static const struct insn_form forms[] = {
	/*  opcode  digit     operation        sub  memory       operand           flags */
	ALU(0), ALU(1), ALU(2), ALU(3), ALU(4), ALU(5), ALU(6), ALU(7),
	{MAP_ONE_BYTE, 0x63, 0, FORM_ANY, INSN_MOV_LOAD, 0, FORM_4, OPERAND_REGISTER,
		FORM_LONG | FORM_SIGNED | FORM_WIDE_REG}, /* MOVSXD; with 66 the sizes are not agreed on */
	ONE(0x80, FORM_ANY, INSN_ALU_STORE,  0, FORM_1,      OPERAND_IMM8,     FORM_SUB_REG),
	ONE(0x81, FORM_ANY, INSN_ALU_STORE,  0, FORM_FULL,   OPERAND_IMM,      FORM_SUB_REG),
	ONE(0x83, FORM_ANY, INSN_ALU_STORE,  0, FORM_FULL,   OPERAND_IMM8,     FORM_SUB_REG),
	ONE(0x84, FORM_ANY, INSN_ALU_STORE,  8, FORM_1,      OPERAND_REGISTER, 0),
	ONE(0x85, FORM_ANY, INSN_ALU_STORE,  8, FORM_FULL,   OPERAND_REGISTER, 0),
	ONE(0x86, FORM_ANY, INSN_XCHG,       0, FORM_1,      OPERAND_REGISTER, 0),
	ONE(0x87, FORM_ANY, INSN_XCHG,       0, FORM_FULL,   OPERAND_REGISTER, 0),
	ONE(0x88, FORM_ANY, INSN_MOV_STORE,  0, FORM_1,      OPERAND_REGISTER, 0),
	ONE(0x89, FORM_ANY, INSN_MOV_STORE,  0, FORM_FULL,   OPERAND_REGISTER, 0),
	ONE(0x8a, FORM_ANY, INSN_MOV_LOAD,   0, FORM_1,      OPERAND_REGISTER, 0),
	ONE(0x8b, FORM_ANY, INSN_MOV_LOAD,   0, FORM_FULL,   OPERAND_REGISTER, 0),
	ONE(0x8d, FORM_ANY, INSN_LEA,        0, FORM_FULL,   OPERAND_REGISTER, FORM_STEP | FORM_MEMORY),
	ONE(0xa0, FORM_ANY, INSN_MOV_LOAD,   0, FORM_1,      OPERAND_OFFSET,   0),
	ONE(0xa1, FORM_ANY, INSN_MOV_LOAD,   0, FORM_FULL,   OPERAND_OFFSET,   0),
	ONE(0xa2, FORM_ANY, INSN_MOV_STORE,  0, FORM_1,      OPERAND_OFFSET,   0),
	ONE(0xa3, FORM_ANY, INSN_MOV_STORE,  0, FORM_FULL,   OPERAND_OFFSET,   0),
	ONE(0xa4, FORM_ANY, INSN_MOVS,       0, FORM_1,      OPERAND_STRING,   0),
	ONE(0xa5, FORM_ANY, INSN_MOVS,       0, FORM_FULL,   OPERAND_STRING,   0),
	ONE(0xaa, FORM_ANY, INSN_STOS,       0, FORM_1,      OPERAND_STRING,   0),
	ONE(0xab, FORM_ANY, INSN_STOS,       0, FORM_FULL,   OPERAND_STRING,   0),
	ONE(0xac, FORM_ANY, INSN_LODS,       0, FORM_1,      OPERAND_STRING,   0),
	ONE(0xad, FORM_ANY, INSN_LODS,       0, FORM_FULL,   OPERAND_STRING,   0),
	ONE(0xc0, FORM_ANY, INSN_SHIFT,      0, FORM_1,      OPERAND_IMM8,     FORM_STEP | FORM_SUB_REG),
	ONE(0xc1, FORM_ANY, INSN_SHIFT,      0, FORM_FULL,   OPERAND_IMM8,     FORM_STEP | FORM_SUB_REG),
	ONE(0xc6, 0,        INSN_MOV_STORE,  0, FORM_1,      OPERAND_IMM8,     0),
	ONE(0xc7, 0,        INSN_MOV_STORE,  0, FORM_FULL,   OPERAND_IMM,      0),
	ONE(0xd0, FORM_ANY, INSN_SHIFT,      0, FORM_1,      OPERAND_ONE,      FORM_STEP | FORM_SUB_REG),
	ONE(0xd1, FORM_ANY, INSN_SHIFT,      0, FORM_FULL,   OPERAND_ONE,      FORM_STEP | FORM_SUB_REG),
	ONE(0xd2, FORM_ANY, INSN_SHIFT,      0, FORM_1,      OPERAND_NONE,     FORM_STEP | FORM_SUB_REG),
	ONE(0xd3, FORM_ANY, INSN_SHIFT,      0, FORM_FULL,   OPERAND_NONE,     FORM_STEP | FORM_SUB_REG),
	ONE(0xf6, 0,        INSN_ALU_STORE,  8, FORM_1,      OPERAND_IMM8,     0),
	ONE(0xf6, 2,        INSN_UNARY,      2, FORM_1,      OPERAND_NONE,     0),
	ONE(0xf6, 3,        INSN_UNARY,      3, FORM_1,      OPERAND_NONE,     0),
	ONE(0xf7, 0,        INSN_ALU_STORE,  8, FORM_FULL,   OPERAND_IMM,      0),
	ONE(0xf7, 2,        INSN_UNARY,      2, FORM_FULL,   OPERAND_NONE,     0),
	ONE(0xf7, 3,        INSN_UNARY,      3, FORM_FULL,   OPERAND_NONE,     0),
	ONE(0xfe, 0,        INSN_UNARY,      0, FORM_1,      OPERAND_NONE,     0),
	ONE(0xfe, 1,        INSN_UNARY,      1, FORM_1,      OPERAND_NONE,     0),
	ONE(0xff, 0,        INSN_UNARY,      0, FORM_FULL,   OPERAND_NONE,     0),
	ONE(0xff, 1,        INSN_UNARY,      1, FORM_FULL,   OPERAND_NONE,     0),

	/*  opcode  digit     operation        sub  memory       operand           flags; VECTOR: opcode, prefix */
	VECTOR(0x10, 0x00, INSN_VECTOR_LOAD,  FORM_VECTOR), /* MOVUPS */
	VECTOR(0x11, 0x00, INSN_VECTOR_STORE, FORM_VECTOR),
	TWO(0x1f, 0,        INSN_NOP,        0, FORM_FULL,   OPERAND_NONE,     FORM_STEP | FORM_MEMORY),
	VECTOR(0x28, 0x00, INSN_VECTOR_LOAD,  FORM_VECTOR), /* MOVAPS */
	VECTOR(0x29, 0x00, INSN_VECTOR_STORE, FORM_VECTOR),
	VECTOR(0x6e, 0x66, INSN_VECTOR_LOAD,  FORM_4_OR_8), /* MOVD, MOVQ */
	VECTOR(0x6f, 0x66, INSN_VECTOR_LOAD,  FORM_VECTOR), /* MOVDQA */
	VECTOR(0x6f, 0xf3, INSN_VECTOR_LOAD,  FORM_VECTOR), /* MOVDQU */
	VECTOR(0x7e, 0x66, INSN_VECTOR_STORE, FORM_4_OR_8),
	VECTOR(0x7e, 0xf3, INSN_VECTOR_LOAD,  FORM_8),
	VECTOR(0x7f, 0x66, INSN_VECTOR_STORE, FORM_VECTOR),
	VECTOR(0x7f, 0xf3, INSN_VECTOR_STORE, FORM_VECTOR),
	TWO(0xa3, FORM_ANY, INSN_BIT,        0, FORM_FULL,   OPERAND_REGISTER, 0),
	TWO(0xab, FORM_ANY, INSN_BIT,        1, FORM_FULL,   OPERAND_REGISTER, 0),
	TWO(0xb0, FORM_ANY, INSN_CMPXCHG,    0, FORM_1,      OPERAND_REGISTER, 0),
	TWO(0xb1, FORM_ANY, INSN_CMPXCHG,    0, FORM_FULL,   OPERAND_REGISTER, 0),
	TWO(0xb3, FORM_ANY, INSN_BIT,        2, FORM_FULL,   OPERAND_REGISTER, 0),
	TWO(0xb6, FORM_ANY, INSN_MOV_LOAD,   0, FORM_1,      OPERAND_REGISTER, FORM_WIDE_REG),
	TWO(0xb7, FORM_ANY, INSN_MOV_LOAD,   0, FORM_2,      OPERAND_REGISTER, FORM_WIDE_REG),
	TWO(0xba, 4,        INSN_BIT,        0, FORM_FULL,   OPERAND_IMM8,     0),
	TWO(0xba, 5,        INSN_BIT,        1, FORM_FULL,   OPERAND_IMM8,     0),
	TWO(0xba, 6,        INSN_BIT,        2, FORM_FULL,   OPERAND_IMM8,     0),
	TWO(0xba, 7,        INSN_BIT,        3, FORM_FULL,   OPERAND_IMM8,     0),
	TWO(0xbb, FORM_ANY, INSN_BIT,        3, FORM_FULL,   OPERAND_REGISTER, 0),
	TWO(0xbe, FORM_ANY, INSN_MOV_LOAD,   0, FORM_1,      OPERAND_REGISTER, FORM_WIDE_REG | FORM_SIGNED),
	TWO(0xbf, FORM_ANY, INSN_MOV_LOAD,   0, FORM_2,      OPERAND_REGISTER, FORM_WIDE_REG | FORM_SIGNED),
	{MAP_0F, 0xc3, 0, FORM_ANY, INSN_MOV_STORE, 0, FORM_4_OR_8, OPERAND_REGISTER, FORM_MEMORY}, /* MOVNTI */
	VECTOR(0xd6, 0x66, INSN_VECTOR_STORE, FORM_8),
};
/* clang-format on */

#define FORMS (sizeof(forms) / sizeof(forms[0]))

static unsigned place(unsigned map, unsigned opcode)
{
	return map << 8 | opcode;
}

/* The first form that does not stand before an opcode. */
static const struct insn_form *lower_bound(unsigned wanted)
{
	const struct insn_form *first = forms;
	size_t left = FORMS;

	while (left) {
		const struct insn_form *middle = first + left / 2;

		if (place(middle->map, middle->opcode) < wanted) {
			first = middle + 1;
			left -= left / 2 + 1;
		} else {
			left /= 2;
		}
	}
	return first;
}

const struct insn_form *insn_form_find(enum form_map map, uint8_t opcode, uint8_t prefix, uint8_t digit)
{
	for (const struct insn_form *form = lower_bound(place(map, opcode));
		form < forms + FORMS && form->map == map && form->opcode == opcode; form++)
		if ((form->prefix == FORM_ANY || form->prefix == prefix) &&
			(form->digit == FORM_ANY || digit == FORM_ANY || form->digit == digit))
			return form;
	return NULL;
}
