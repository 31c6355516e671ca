/* SPDX-License-Identifier: Apache-2.0 */
/* The set of insn_step: the common table, and the encodings that name no operand by ModRM. APM 3, appendix A.
 */
#include "hv/x86/decode_internal.h"
#include "hv/x86/execute_alu.h"
#include "hv/x86/step.h"

enum { ALWAYS = 16 };

static enum insn_result no_modrm(const struct decoder *d, enum insn_operation operation, struct insn *out)
{
	out->operation = operation;
	out->length = (uint8_t)d->at;
	return d->result;
}

/* With a 66 prefix the vendors disagree on the target; with 67, disassemblers. */
static enum insn_result jump(struct decoder *d, uint8_t condition, unsigned size, struct insn *out)
{
	if (d->operand_prefix || out->address_size != 8)
		return INSN_UNSUPPORTED;
	out->sub = condition;
	out->displacement = sign_extend(decoder_take(d, size), size);
	return no_modrm(d, INSN_JUMP, out);
}

/* 50-5F. With a 66 prefix the stack moves by two bytes. */
static enum insn_result push_or_pop(struct decoder *d, struct insn *out)
{
	if (d->operand_prefix || out->address_size != 8)
		return INSN_UNSUPPORTED;
	decoder_register(d, d->opcode & 7, REX_B, 8, &out->rm, &out->rm_high_byte);
	return no_modrm(d, d->opcode < 0x58 ? INSN_PUSH : INSN_POP, out);
}

static enum insn_result call_or_return(struct decoder *d, struct insn *out)
{
	if (d->operand_prefix || out->address_size != 8)
		return INSN_UNSUPPORTED;
	if (d->opcode == 0xc3)
		return no_modrm(d, INSN_RETURN, out);
	out->sub = ALWAYS;
	out->displacement = sign_extend(decoder_take(d, 4), 4);
	return no_modrm(d, INSN_CALL, out);
}

/* FF /2 and /4 with a register. */
static bool is_indirect(const struct decoder *d)
{
	uint8_t modrm = d->at < d->available ? d->bytes[d->at] & 0xf8 : 0;

	return d->opcode == 0xff && (modrm == 0xd0 || modrm == 0xe0);
}

static enum insn_result indirect(struct decoder *d, struct insn *out)
{
	uint8_t modrm = (uint8_t)decoder_take(d, 1);

	if (d->operand_prefix || out->address_size != 8)
		return INSN_UNSUPPORTED;
	decoder_register(d, modrm & 7, REX_B, 8, &out->rm, &out->rm_high_byte);
	out->sub = ALWAYS;
	return no_modrm(d, modrm < 0xe0 ? INSN_CALL : INSN_JUMP, out);
}

/* B0-BF: the only instruction with an immediate of eight bytes. */
static enum insn_result move_immediate(struct decoder *d, struct insn *out)
{
	out->operand_size = d->opcode < 0xb8 ? 1 : decoder_full_size(d);
	decoder_register(d, d->opcode & 7, REX_B, out->operand_size, &out->rm, &out->rm_high_byte);
	decoder_immediate(d, out->operand_size, out);
	return no_modrm(d, INSN_MOV_STORE, out);
}

/* 04, 05, .. 3C, 3D, A8, A9: rAX and an immediate. */
static enum insn_result accumulator(struct decoder *d, uint8_t operation, struct insn *out)
{
	out->operand_size = d->opcode & 1 ? decoder_full_size(d) : 1;
	out->sub = operation;
	out->rm = 0;
	decoder_immediate(d, out->operand_size == 8 ? 4 : out->operand_size, out);
	return no_modrm(d, INSN_ALU_STORE, out);
}

static enum insn_result one_byte(struct decoder *d, struct insn *out)
{
	uint8_t opcode = d->opcode;

	if (opcode < 0x40 && (opcode & 6) == 4)
		return accumulator(d, opcode >> 3, out);
	if ((opcode & 0xf0) == 0x50)
		return push_or_pop(d, out);
	if ((opcode & 0xf0) == 0x70)
		return jump(d, opcode & 15, 1, out);
	if ((opcode & 0xf0) == 0xb0)
		return move_immediate(d, out);
	if (is_indirect(d))
		return indirect(d, out);
	switch (opcode) {
	case 0xc3:
	case 0xe8:
		return call_or_return(d, out);
	case 0x90: /* XCHG of rAX with itself; with REX.B it is no NOP */
		return d->rex & REX_B ? INSN_UNSUPPORTED : no_modrm(d, INSN_NOP, out);
	case 0xa8:
	case 0xa9:
		return accumulator(d, ALU_TEST, out);
	case 0xe9:
		return jump(d, ALWAYS, 4, out);
	case 0xeb:
		return jump(d, ALWAYS, 1, out);
	}
	return decoder_finish(d, out);
}

static bool in_set(const struct insn *insn)
{
	bool memory = insn->rm == INSN_NO_REGISTER;

	switch (insn->operation) {
	case INSN_MOV_LOAD:
	case INSN_MOV_STORE:
	case INSN_ALU_LOAD:
	case INSN_LEA:
	case INSN_NOP:
	case INSN_JUMP:
	case INSN_CALL:
	case INSN_RETURN:
	case INSN_PUSH:
	case INSN_POP:
		return true;
	case INSN_ALU_STORE:
		return !memory || insn->sub >= ALU_CMP;
	case INSN_UNARY:
		return !memory;
	case INSN_SHIFT: /* no rotation, and not the second name of SHL */
		return !memory && (insn->sub == 4 || insn->sub == 5 || insn->sub == 7);
	default:
		return false;
	}
}

enum insn_result insn_step_decode(const uint8_t *bytes, size_t available, struct insn *out)
{
	struct decoder d = {.bytes = bytes, .available = available, .mode = INSN_MODE_64, .step = true};
	enum insn_result result;

	decoder_begin(&d, out);
	if (d.result != INSN_OK)
		return d.result;
	if (d.lock || d.repeat)
		return INSN_UNSUPPORTED;
	if (d.map == MAP_0F && (d.opcode & 0xf0) == 0x80 && !d.vex)
		result = jump(&d, d.opcode & 15, 4, out);
	else
		result = d.map == MAP_0F ? decoder_finish(&d, out) : one_byte(&d, out);
	return result == INSN_OK && !in_set(out) ? INSN_UNSUPPORTED : result;
}
