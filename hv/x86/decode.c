/* SPDX-License-Identifier: Apache-2.0 */
/* Prefixes, opcode, operands. AMD64 APM 3, chapter 1. */
#include "hv/x86/decode_internal.h"

static void refuse(struct decoder *d)
{
	if (d->result == INSN_OK)
		d->result = INSN_UNSUPPORTED;
}

uint64_t decoder_take(struct decoder *d, unsigned count)
{
	uint64_t value = 0;

	if (d->result == INSN_OK && d->at + count > INSN_MAX_BYTES)
		d->result = INSN_UNSUPPORTED; /* the processor would raise #GP */
	else if (d->result == INSN_OK && d->at + count > d->available)
		d->result = INSN_TRUNCATED;
	if (d->result != INSN_OK)
		return 0;
	for (unsigned i = 0; i < count; i++)
		value |= (uint64_t)d->bytes[d->at + i] << (8 * i);
	d->at += count;
	return value;
}

static bool take_prefix(struct decoder *d, uint8_t byte, struct insn *out)
{
	switch (byte) {
	case 0x66:
		d->operand_prefix = true;
		return true;
	case 0x67:
		out->address_size = d->mode == INSN_MODE_32 ? 2 : 4;
		return true;
	case 0xf0:
		d->lock = true;
		return true;
	case 0xf2:
	case 0xf3:
		d->repeat = byte;
		return true;
	case 0x26:
	case 0x2e:
	case 0x36:
	case 0x3e:
		if (d->mode != INSN_MODE_64) { /* there these four do nothing */
			d->segment_prefix = true;
			out->segment = (byte >> 3) & 3;
		}
		return true;
	case 0x64:
	case 0x65:
		d->segment_prefix = true;
		out->segment = byte == 0x64 ? SEG_FS : SEG_GS;
		return true;
	default:
		return false;
	}
}

/* Returns the byte after the prefixes. A REX prefix counts only right before the opcode. */
static uint8_t take_prefixes(struct decoder *d, struct insn *out)
{
	for (;;) {
		uint8_t byte = (uint8_t)decoder_take(d, 1);
		if (d->result != INSN_OK)
			return 0;
		if (take_prefix(d, byte, out))
			d->rex = 0;
		else if (d->mode == INSN_MODE_64 && (byte & 0xf0) == REX_PRESENT)
			d->rex = byte;
		else
			return byte;
	}
}

/* APM 3, 1.2.8 (VEX): R X B inverted, W, vvvv (1111b: unused), L, and the mandatory prefix. Map 0F only. */
static void take_vex(struct decoder *d, uint8_t escape)
{
	static const uint8_t prefixes[4] = {0, 0x66, 0xf3, 0xf2};
	uint8_t first = (uint8_t)decoder_take(d, 1);
	uint8_t second = first & 0x7f;

	if (d->rex || d->lock || d->repeat || d->operand_prefix)
		refuse(d);
	d->rex = REX_PRESENT | (first & 0x80 ? 0 : REX_R);
	if (escape == 0xc4) {
		d->rex |= (first & 0x40 ? 0 : REX_X) | (first & 0x20 ? 0 : REX_B);
		second = (uint8_t)decoder_take(d, 1);
		if (second & 0x80)
			d->rex |= REX_W;
		if ((first & 0x1f) != 1)
			refuse(d);
	}
	if ((second & 0x78) != 0x78)
		refuse(d);
	d->vex = true;
	d->vex_256 = second & 4;
	d->mandatory = prefixes[second & 3];
	d->opcode = (uint8_t)decoder_take(d, 1);
}

uint8_t decoder_full_size(const struct decoder *d)
{
	if (d->rex & REX_W)
		return 8;
	return d->operand_prefix == (d->mode == INSN_MODE_16) ? 4 : 2;
}

static uint8_t size_of(const struct decoder *d, uint8_t size)
{
	switch (size) {
	case FORM_FULL:
		return decoder_full_size(d);
	case FORM_4_OR_8:
		return d->rex & REX_W ? 8 : 4;
	case FORM_VECTOR:
		return d->vex_256 ? 32 : 16;
	default:
		return size;
	}
}

/* Whether the prefixes go with the form; what they do not go with raises #UD, or means another instruction.
 */
static bool prefixes_fit(const struct decoder *d, const struct insn_form *form, const struct insn *insn)
{
	bool writes = (insn->operation == INSN_ALU_STORE && insn->sub < 7) || insn->operation == INSN_UNARY ||
		      insn->operation == INSN_XCHG || insn->operation == INSN_CMPXCHG ||
		      (insn->operation == INSN_BIT && insn->sub != 0);

	if (d->lock && !writes)
		return false;
	if ((form->flags & FORM_LONG) && d->mode != INSN_MODE_64)
		return false;
	if ((form->flags & FORM_STEP) && !d->step)
		return false;
	if (d->vex && (!(form->flags & FORM_VEX) || (d->vex_256 && form->memory != FORM_VECTOR)))
		return false;
	if (d->repeat && d->operand_prefix && form->map == MAP_0F)
		return false;
	return !(d->repeat && form->prefix == FORM_ANY && form->operand != OPERAND_STRING);
}

void decoder_register(
	const struct decoder *d, unsigned bits, unsigned extension, unsigned size, uint8_t *reg, bool *high)
{
	*high = size == 1 && !d->rex && bits >= 4;
	*reg = (uint8_t)(*high ? bits - 4 : bits | (d->rex & extension ? 8 : 0));
}

/* ModRM.rm where it names a register. LOCK wants memory. */
static void take_rm_register(
	struct decoder *d, const struct insn_form *form, uint8_t modrm, struct insn *out)
{
	if (!d->step || d->lock || (form->flags & FORM_MEMORY))
		refuse(d);
	decoder_register(d, modrm & 7, REX_B, out->operand_size, &out->rm, &out->rm_high_byte);
}

void decoder_immediate(struct decoder *d, unsigned size, struct insn *out)
{
	out->has_immediate = true;
	out->immediate = (uint64_t)sign_extend(decoder_take(d, size), size);
}

static void take_operands(struct decoder *d, const struct insn_form *form, uint8_t modrm, struct insn *out)
{
	if (form->operand < OPERAND_OFFSET && modrm >> 6 == 3)
		take_rm_register(d, form, modrm, out);
	else if (form->operand < OPERAND_OFFSET)
		decode_address(d, modrm, out);
	switch (form->operand) {
	case OPERAND_REGISTER:
		decoder_register(d, (modrm >> 3) & 7, REX_R, out->register_size, &out->reg, &out->high_byte);
		break;
	case OPERAND_IMM8:
		decoder_immediate(d, 1, out);
		break;
	case OPERAND_IMM:
		decoder_immediate(d, out->operand_size == 2 ? 2 : 4, out);
		break;
	case OPERAND_ONE:
		out->has_immediate = true;
		out->immediate = 1;
		break;
	case OPERAND_OFFSET:
		out->reg = 0;
		out->displacement = (int64_t)decoder_take(d, out->address_size);
		break;
	case OPERAND_STRING:
		out->reg = out->operation == INSN_MOVS ? INSN_NO_REGISTER : 0;
		out->repeat = d->repeat; /* F2 repeats too, where nothing is compared */
		out->slice = INSN_REP_SLICE;
		break;
	default:
		break;
	}
}

void decoder_begin(struct decoder *d, struct insn *out)
{
	*out = (struct insn){
		.address_size = d->mode == INSN_MODE_64	  ? 8
				: d->mode == INSN_MODE_32 ? 4
							  : 2,
		.segment = SEG_DS,
		.base = INSN_NO_REGISTER,
		.index = INSN_NO_REGISTER,
		.scale = 1,
		.reg = INSN_NO_REGISTER,
		.rm = INSN_NO_REGISTER,
	};
	d->opcode = take_prefixes(d, out);
	d->mandatory = d->repeat ? d->repeat : d->operand_prefix ? 0x66 : 0;
	if (d->opcode == 0x0f) {
		d->map = MAP_0F;
		d->opcode = (uint8_t)decoder_take(d, 1);
	} else if (d->mode == INSN_MODE_64 && (d->opcode == 0xc4 || d->opcode == 0xc5)) {
		d->map = MAP_0F;
		take_vex(d, d->opcode);
	}
}

enum insn_result decoder_finish(struct decoder *d, struct insn *out)
{
	const struct insn_form *form = insn_form_find(d->map, d->opcode, d->mandatory, FORM_ANY);
	uint8_t modrm = 0;

	if (d->result == INSN_OK && form && form->operand < OPERAND_OFFSET) {
		modrm = (uint8_t)decoder_take(d, 1);
		form = insn_form_find(d->map, d->opcode, d->mandatory, (modrm >> 3) & 7);
	}
	if (d->result != INSN_OK)
		return d->result;
	if (!form)
		return INSN_UNSUPPORTED;

	out->operation = form->operation;
	out->sub = form->flags & FORM_SUB_REG ? (modrm >> 3) & 7 : form->sub;
	out->operand_size = size_of(d, form->memory);
	out->register_size = form->flags & FORM_WIDE_REG ? decoder_full_size(d) : out->operand_size;
	out->sign_extend = form->flags & FORM_SIGNED;
	out->locked = d->lock;
	if (!prefixes_fit(d, form, out))
		return INSN_UNSUPPORTED;
	take_operands(d, form, modrm, out);
	out->length = (uint8_t)d->at;
	return d->result;
}

enum insn_result insn_decode(const uint8_t *bytes, size_t available, enum insn_mode mode, struct insn *out)
{
	struct decoder d = {.bytes = bytes, .available = available, .mode = mode};

	decoder_begin(&d, out);
	return decoder_finish(&d, out);
}
