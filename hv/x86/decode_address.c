/* SPDX-License-Identifier: Apache-2.0 */
/* Memory operands: ModRM, SIB and displacements. AMD64 APM 3, 1.4 to 1.7. */
#include "hv/x86/decode_internal.h"

enum { RBX = 3, RSP = 4, RBP = 5, RSI = 6, RDI = 7 };

/* ModRM.rm of 16-bit addresses. */
static const struct {
	uint8_t base, index;
} pairs[8] = {
	{RBX, RSI		 },
	{RBX, RDI		 },
	{RBP, RSI		 },
	{RBP, RDI		 },
	{RSI, INSN_NO_REGISTER},
	{RDI, INSN_NO_REGISTER},
	{RBP, INSN_NO_REGISTER},
	{RBX, INSN_NO_REGISTER},
};

static void displacement(struct decoder *d, unsigned size, struct insn *out)
{
	out->displacement = sign_extend(decoder_take(d, size), size);
}

static void address_16(struct decoder *d, unsigned mod, unsigned rm, struct insn *out)
{
	if (mod == 0 && rm == 6) {
		displacement(d, 2, out);
		return;
	}
	out->base = pairs[rm].base;
	out->index = pairs[rm].index;
	if (mod)
		displacement(d, mod == 1 ? 1 : 2, out);
}

/* In the base field 101b with mod 0 means a displacement alone, whatever REX.B says; 100b as index means
 * none. */
static void address_sib(struct decoder *d, unsigned mod, struct insn *out)
{
	uint8_t sib = (uint8_t)decoder_take(d, 1);
	uint8_t index = ((sib >> 3) & 7) | (d->rex & REX_X ? 8 : 0);
	bool base_absent = mod == 0 && (sib & 7) == RBP;

	if (index != RSP)
		out->index = index;
	out->scale = (uint8_t)(1u << (sib >> 6));
	if (!base_absent)
		out->base = (sib & 7) | (d->rex & REX_B ? 8 : 0);
	if (base_absent || mod == 2)
		displacement(d, 4, out);
	else if (mod == 1)
		displacement(d, 1, out);
}

static void address_32(struct decoder *d, unsigned mod, unsigned rm, struct insn *out)
{
	if (rm == RSP) {
		address_sib(d, mod, out);
		return;
	}
	if (mod == 0 && rm == RBP) {
		out->rip_relative = d->mode == INSN_MODE_64;
		displacement(d, 4, out);
		return;
	}
	out->base = (uint8_t)(rm | (d->rex & REX_B ? 8 : 0));
	if (mod)
		displacement(d, mod == 1 ? 1 : 4, out);
}

void decode_address(struct decoder *d, uint8_t modrm, struct insn *out)
{
	unsigned mod = modrm >> 6, rm = modrm & 7;

	if (out->address_size == 2)
		address_16(d, mod, rm, out);
	else
		address_32(d, mod, rm, out);
	if (!d->segment_prefix && (out->base == RSP || out->base == RBP))
		out->segment = SEG_SS;
}
