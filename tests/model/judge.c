/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/model/judge.h"
#include <stdlib.h>
#include <string.h>

/* The encoding's number of a general register, its size, and whether it is a high byte. */
static uint8_t number_of(csh engine, unsigned reg, unsigned *size, bool *high)
{
	static const char *const names[5][16] = {
		{"al",    "cl",   "dl",   "bl", "spl", "bpl", "sil", "dil", "r8b", "r9b", "r10b", "r11b", "r12b",
			"r13b", "r14b", "r15b"},
		{"ax",  "cx",   "dx",	   "bx",	 "sp", "bp", "si", "di", "r8w", "r9w", "r10w", "r11w", "r12w", "r13w",
			"r14w", "r15w"},
		{"eax", "ecx", "edx", "ebx",			     "esp", "ebp", "esi", "edi", "r8d", "r9d", "r10d", "r11d", "r12d",
			"r13d", "r14d", "r15d"},
		{"rax", "rcx",       "rdx",	      "rbx",	     "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12",
			"r13", "r14", "r15"},
		{"ah",   "ch",     "dh",	   "bh" },
	};
	const char *name = reg == X86_REG_INVALID ? NULL : cs_reg_name(engine, reg);
	for (unsigned row = 0; name && row < 5; row++)
		for (unsigned i = 0; i < 16 && names[row][i]; i++)
			if (!strcmp(name, names[row][i])) {
				*size = row == 4 ? 1 : 1u << row;
				*high = row == 4;
				return (uint8_t)i;
			}
	return INSN_NO_REGISTER;
}

static bool starts_with(const char *text, const char *start)
{
	return !strncmp(text, start, strlen(start));
}

static uint64_t low(uint64_t value, unsigned size)
{
	return size >= 8 ? value : value & ((1ull << (8 * size)) - 1);
}

static const char *compare_memory(csh engine, enum insn_mode mode, const cs_x86_op *op, const struct insn *insn)
{
	static const unsigned segments[] = {
		X86_REG_ES, X86_REG_CS, X86_REG_SS, X86_REG_DS, X86_REG_FS, X86_REG_GS};
	unsigned size = insn->address_size;
	bool high;
	bool rip = op->mem.base == X86_REG_RIP || op->mem.base == X86_REG_EIP;
	uint8_t base = number_of(engine, op->mem.base, &size, &high);

	if (insn->rip_relative != rip || (!rip && base != insn->base) || size != insn->address_size)
		return "base";
	uint8_t index = number_of(engine, op->mem.index, &size, &high);
	if (index != insn->index || size != insn->address_size ||
		(index != INSN_NO_REGISTER && op->mem.scale != insn->scale))
		return "index";
	if (low((uint64_t)op->mem.disp, size) != low((uint64_t)insn->displacement, size))
		return "displacement";
	if (op->mem.segment != X86_REG_INVALID && op->mem.segment != segments[insn->segment] &&
		(mode != INSN_MODE_64 || op->mem.segment == X86_REG_FS || op->mem.segment == X86_REG_GS))
		return "segment";
	if (op->mem.segment == X86_REG_INVALID &&
		insn->segment != (insn->base == 4 || insn->base == 5 ? SEG_SS : SEG_DS))
		return "default segment";
	return op->size != insn->operand_size ? "operand size" : NULL;
}

static const char *compare_register(csh engine, const cs_insn *theirs, const cs_x86_op *op, const struct insn *insn)
{
	unsigned size = 0;
	bool high = false;
	uint8_t reg = number_of(engine, op->reg, &size, &high);

	if (insn->operation == INSN_VECTOR_LOAD || insn->operation == INSN_VECTOR_STORE) {
		const char *name = cs_reg_name(engine, op->reg); /* xmm5, ymm5 */
		int number = atoi(strpbrk(name, "0123456789"));
		if (number != insn->reg)
			return "vector register";
		return NULL;
	}
	if (starts_with(theirs->mnemonic, "movsxd"))
		size = insn->register_size; /* capstone 4 shows a 64-bit register with or without REX.W */
	return size != insn->register_size || high != insn->high_byte || reg != insn->reg ? "register" : NULL;
}

/*
 * Whether capstone 4 can be asked about operands. It overlooks the mandatory prefix of a
 * vector instruction when another prefix stands behind it, trips over REX.W on some,
 * and takes 66 before a repeat prefix for nothing.
 */
bool judge_knows(const uint8_t *bytes, const struct insn *insn)
{
	bool vector = insn->operation == INSN_VECTOR_LOAD || insn->operation == INSN_VECTOR_STORE;
	unsigned mandatory = 0, others_behind = 0, address_prefix = 0, rex = 0, wide = 0;
	for (const uint8_t *at = bytes;
		at < bytes + insn->length && *at != 0x0f && *at != 0xc4 && *at != 0xc5; at++) {
		bool is_mandatory = *at == 0x66 || *at == 0xf2 || *at == 0xf3;
		mandatory += is_mandatory;
		address_prefix += *at == 0x67;
		rex += (*at & 0xf0) == 0x40;
		wide += (*at & 0xf8) == 0x48;
		others_behind += mandatory && !is_mandatory && (*at & 0xf0) != 0x40;
	}
	if (vector)
		return !address_prefix && mandatory <= 1 && !others_behind && rex <= 1 &&
		       !(wide && bytes[0] != 0x66);
	return !(insn->repeat && mandatory > 1);
}

static const char *compare_operand(csh engine, enum insn_mode mode, const cs_insn *theirs, const cs_x86_op *op,
	const struct insn *insn)
{
	bool string = insn->operation == INSN_MOVS || insn->operation == INSN_STOS || insn->operation == INSN_LODS;
	unsigned size = insn->operation == INSN_BIT ? 1 : insn->operand_size; /* an index is a byte */

	if (op->type == X86_OP_MEM && string)
		return op->size != insn->operand_size ? "string size" : NULL;
	if (op->type == X86_OP_MEM)
		return compare_memory(engine, mode, op, insn);
	if (op->type == X86_OP_REG)
		return compare_register(engine, theirs, op, insn);
	if (op->type == X86_OP_IMM &&
		(!insn->has_immediate || low((uint64_t)op->imm, size) != low(insn->immediate, size)))
		return "immediate";
	return NULL;
}

csh judge_engine(enum insn_mode mode)
{
	static const cs_mode modes[3] = {CS_MODE_16, CS_MODE_32, CS_MODE_64};
	static csh engines[3];

	if (!engines[mode]) {
		if (cs_open(CS_ARCH_X86, modes[mode], &engines[mode]) != CS_ERR_OK)
			abort();
		cs_option(engines[mode], CS_OPT_DETAIL, CS_OPT_ON);
	}
	return engines[mode];
}

const char *judge_insn(const uint8_t *bytes, enum insn_mode mode, const struct insn *insn, cs_insn *theirs)
{
	csh engine = judge_engine(mode);
	const uint8_t *code = bytes;
	size_t count = INSN_MAX_BYTES;
	uint64_t address = 0;
	unsigned memory = 0;

	memset(theirs->mnemonic, 0, sizeof(theirs->mnemonic));
	bool known = judge_knows(bytes, insn), taken = cs_disasm_iter(engine, &code, &count, &address, theirs);

	if (known && !taken)
		return "capstone refuses";
	if (taken && theirs->size != insn->length)
		return "length";
	if (!known)
		return NULL;
	const cs_x86 *x86 = &theirs->detail->x86;

	for (int i = 0; i < x86->op_count; i++) {
		const char *problem = compare_operand(engine, mode, theirs, &x86->operands[i], insn);

		if (problem)
			return problem;
		memory += x86->operands[i].type == X86_OP_MEM;
	}
	if (memory != (insn->operation == INSN_MOVS ? 2 : 1))
		return "memory operands";
	return insn->address_size != x86->addr_size ? "address size" : NULL;
}
