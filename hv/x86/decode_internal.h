/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between the files of the decoder: the byte cursor with its prefixes, and the table of covered opcodes.
 * A decoding is decoder_begin, then decoder_finish, which takes the operands that the table tells of.
 */
#ifndef HV_X86_DECODE_INTERNAL_H
#define HV_X86_DECODE_INTERNAL_H

#include "hv/x86/decode.h"

#define REX_PRESENT 0x40u
#define REX_W	    0x08u
#define REX_R	    0x04u
#define REX_X	    0x02u
#define REX_B	    0x01u

enum form_map { MAP_ONE_BYTE, MAP_0F };

struct decoder {
	const uint8_t *bytes;
	size_t available;
	size_t at;
	bool step; /* for insn_step: register forms and FORM_STEP too */
	enum insn_result result; /* INSN_OK until a step fails; sticks */
	enum insn_mode mode;
	bool operand_prefix; /* 66 */
	bool lock;
	uint8_t repeat; /* 0, F2 or F3: the last one given */
	uint8_t rex;	/* 0 when there is none; from a VEX prefix too */
	bool segment_prefix;
	bool vex;
	bool vex_256;
	enum form_map map;
	uint8_t opcode;
	uint8_t mandatory; /* the prefix that may be a part of the opcode: 0, 66, F2, F3 */
};

/* Prefixes and opcode of an instruction; sets what `out` has when no operand says otherwise. */
void decoder_begin(struct decoder *d, struct insn *out);

/* Everything behind the opcode, and whether it all goes together. */
enum insn_result decoder_finish(struct decoder *d, struct insn *out);

/* The register that three bits of the encoding and one of REX (`extension`) name for an operand of `size`. */
void decoder_register(const struct decoder *d, unsigned bits, unsigned extension, unsigned size, uint8_t *reg,
	bool *high);

/* An immediate of `size` bytes, sign-extended. */
void decoder_immediate(struct decoder *d, unsigned size, struct insn *out);

/* What the operand-size prefix and REX.W make of it: 2, 4 or 8. */
uint8_t decoder_full_size(const struct decoder *d);

/* The next `count` bytes (1 2 4 8), little-endian; 0 once the decoder has failed. */
uint64_t decoder_take(struct decoder *d, unsigned count);

static inline int64_t sign_extend(uint64_t value, unsigned size)
{
	unsigned unused = 64 - 8 * size;
	return (int64_t)(value << unused) >> unused;
}

/* The memory operand that `modrm`, with a mod below 3, and the bytes after it name. */
void decode_address(struct decoder *d, uint8_t modrm, struct insn *out);

/* How many bytes an operand has. */
enum form_size {
	FORM_1 = 1,
	FORM_2 = 2,
	FORM_4 = 4,
	FORM_8 = 8,
	FORM_16 = 16,
	FORM_FULL,   /* operand size: 2, 4 or 8 */
	FORM_4_OR_8, /* 8 with REX.W, whatever the operand size is */
	FORM_VECTOR, /* 16, or 32 with VEX.L */
};

enum form_operand {
	OPERAND_REGISTER, /* ModRM.reg names a register */
	OPERAND_NONE,	  /* ModRM.reg belongs to the opcode; no second operand */
	OPERAND_IMM8,	  /* ModRM.reg belongs to the opcode; one byte, sign-extended */
	OPERAND_IMM,	  /* the same; of the operand's size, four bytes at most, sign-extended */
	OPERAND_ONE,	  /* the same; the number 1, which takes no byte */
	OPERAND_OFFSET,	  /* no ModRM: an address in the instruction, and rAX */
	OPERAND_STRING,	  /* no ModRM: rSI, rDI, rAX */
};

#define FORM_ANY      0xff /* digit: any ModRM.reg; prefix: not a part of the opcode */
#define FORM_LONG     1u   /* 64-bit mode only */
#define FORM_SIGNED   2u   /* the load sign-extends */
#define FORM_SUB_REG  4u   /* ModRM.reg is `sub` */
#define FORM_VEX      8u   /* has a VEX form as well */
#define FORM_WIDE_REG 16u  /* the register has the operand size, whatever the memory has */
#define FORM_STEP     32u  /* for insn_step only */
#define FORM_MEMORY   64u  /* the memory operand cannot be a register */

struct insn_form {
	uint8_t map, opcode;
	uint8_t prefix; /* the mandatory prefix: 0, 0x66, 0xf3; or FORM_ANY */
	uint8_t digit;
	uint8_t operation, sub;
	uint8_t memory; /* enum form_size */
	uint8_t operand;
	uint8_t flags;
};

/* The form of an opcode, or NULL. `digit` is ModRM.reg, or FORM_ANY when it has not been read yet. */
const struct insn_form *insn_form_find(enum form_map map, uint8_t opcode, uint8_t prefix, uint8_t digit);

#endif
