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
	if ((opcode & 0xf0) == 0x70)
		return jump(d, opcode & 15, 1, out);
	if ((opcode & 0xf0) == 0xb0)
		return move_immediate(d, out);
	switch (opcode) {
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
