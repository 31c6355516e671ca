/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/guest/conform/encode.h"
#include "tests/guest/conform/conform.h"

#define REX   0x40u
#define REX_W 0x08u
#define REX_X 0x02u
#define REX_B 0x01u
#define RBX   3u

enum { ALL = 1 | 2 | 4 | 8, WORDS = 2 | 4 | 8, NO_DIGIT = 8 };

/* clang-format off */
#define ALU(name, n) \
	{name " m8,r",   {(n) * 8 + 0}, 1, NO_DIGIT, 1,     FORM_LOCKABLE}, \
	{name " m8,bh",  {(n) * 8 + 0}, 1, NO_DIGIT, 1,     FORM_HIGH}, \
	{name " m,r",    {(n) * 8 + 1}, 1, NO_DIGIT, WORDS, FORM_LOCKABLE}, \
	{name " r,m8",   {(n) * 8 + 2}, 1, NO_DIGIT, 1,     0}, \
	{name " bh,m8",  {(n) * 8 + 2}, 1, NO_DIGIT, 1,     FORM_HIGH}, \
	{name " r,m",    {(n) * 8 + 3}, 1, NO_DIGIT, WORDS, 0}, \
	{name " m8,i8",  {0x80},        1, n,        1,     FORM_IMM8 | FORM_LOCKABLE}, \
	{name " m,i",    {0x81},        1, n,        WORDS, FORM_IMM | FORM_LOCKABLE}, \
	{name " m,i8",   {0x83},        1, n,        WORDS, FORM_IMM8 | FORM_LOCKABLE}
#define TWO(name, opcode, digit, sizes, flags) {name, {0x0f, opcode}, 2, digit, sizes, flags}
#define ONE(name, opcode, digit, sizes, flags) {name, {opcode}, 1, digit, sizes, flags}

const struct form encode_forms[] = {
	ALU("add", 0), ALU("or", 1), ALU("adc", 2), ALU("sbb", 3), ALU("and", 4), ALU("sub", 5), ALU("xor", 6), ALU("cmp", 7),
	ONE("movsxd", 0x63, NO_DIGIT, 4 | 8, 0),
	ONE("test m8,r", 0x84, NO_DIGIT, 1, 0), ONE("test m,r", 0x85, NO_DIGIT, WORDS, 0),
	ONE("xchg m8,r", 0x86, NO_DIGIT, 1, FORM_LOCKABLE), ONE("xchg m8,bh", 0x86, NO_DIGIT, 1, FORM_HIGH),
	ONE("xchg m,r", 0x87, NO_DIGIT, WORDS, FORM_LOCKABLE),
	ONE("mov m8,r", 0x88, NO_DIGIT, 1, 0), ONE("mov m8,bh", 0x88, NO_DIGIT, 1, FORM_HIGH),
	ONE("mov m,r", 0x89, NO_DIGIT, WORDS, 0),
	ONE("mov r,m8", 0x8a, NO_DIGIT, 1, 0), ONE("mov bh,m8", 0x8a, NO_DIGIT, 1, FORM_HIGH),
	ONE("mov r,m", 0x8b, NO_DIGIT, WORDS, 0),
	ONE("mov al,moffs", 0xa0, NO_DIGIT, 1, FORM_MOFFS), ONE("mov rax,moffs", 0xa1, NO_DIGIT, WORDS, FORM_MOFFS),
	ONE("mov moffs,al", 0xa2, NO_DIGIT, 1, FORM_MOFFS), ONE("mov moffs,rax", 0xa3, NO_DIGIT, WORDS, FORM_MOFFS),
	ONE("mov m8,i8", 0xc6, 0, 1, FORM_IMM8), ONE("mov m,i", 0xc7, 0, WORDS, FORM_IMM),
	ONE("test m8,i8", 0xf6, 0, 1, FORM_IMM8), ONE("test m8,i8 /1", 0xf6, 1, 1, FORM_IMM8), ONE("not m8", 0xf6, 2, 1, FORM_LOCKABLE), ONE("neg m8", 0xf6, 3, 1, FORM_LOCKABLE),
	ONE("test m,i", 0xf7, 0, WORDS, FORM_IMM), ONE("not m", 0xf7, 2, WORDS, FORM_LOCKABLE), ONE("neg m", 0xf7, 3, WORDS, FORM_LOCKABLE),
	ONE("inc m8", 0xfe, 0, 1, FORM_LOCKABLE), ONE("dec m8", 0xfe, 1, 1, FORM_LOCKABLE),
	ONE("inc m", 0xff, 0, WORDS, FORM_LOCKABLE), ONE("dec m", 0xff, 1, WORDS, FORM_LOCKABLE),
	TWO("bt m,r", 0xa3, NO_DIGIT, WORDS, FORM_BITS), TWO("bts m,r", 0xab, NO_DIGIT, WORDS, FORM_BITS | FORM_LOCKABLE),
	TWO("btr m,r", 0xb3, NO_DIGIT, WORDS, FORM_BITS | FORM_LOCKABLE), TWO("btc m,r", 0xbb, NO_DIGIT, WORDS, FORM_BITS | FORM_LOCKABLE),
	TWO("bt m,i8", 0xba, 4, WORDS, FORM_IMM8), TWO("bts m,i8", 0xba, 5, WORDS, FORM_IMM8 | FORM_LOCKABLE),
	TWO("btr m,i8", 0xba, 6, WORDS, FORM_IMM8 | FORM_LOCKABLE), TWO("btc m,i8", 0xba, 7, WORDS, FORM_IMM8 | FORM_LOCKABLE),
	TWO("cmpxchg m8,r", 0xb0, NO_DIGIT, 1, FORM_LOCKABLE), TWO("cmpxchg m,r", 0xb1, NO_DIGIT, WORDS, FORM_LOCKABLE),
	TWO("movzx m8", 0xb6, NO_DIGIT, WORDS, 0), TWO("movzx m16", 0xb7, NO_DIGIT, WORDS, 0),
	TWO("movsx m8", 0xbe, NO_DIGIT, WORDS, 0), TWO("movsx m16", 0xbf, NO_DIGIT, WORDS, 0),
	TWO("movnti", 0xc3, NO_DIGIT, 4 | 8, 0),
	{0},
};
/* clang-format on */

static void put(struct code *code, uint8_t byte)
{
	code->bytes[code->count++] = byte;
}

static void put_many(struct code *code, uint64_t value, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		put(code, (uint8_t)(value >> 8 * i));
}

/* How an address is put together. rm: of ModRM, SIB where it is 4. */
struct address {
	uint8_t prefix, rex, mod, rm, sib, base, index;
	int32_t displacement;
	uint64_t scaled; /* what the index adds */
	bool wide_only;
};

static const struct address addresses[ENCODE_ADDRESSES] = {
	{.rm = 7, .base = 7},
	{.mod = 1, .rm = 7, .base = 7, .displacement = 0x10},
	{.mod = 1, .rm = 7, .base = 7, .displacement = -0x10},
	{.mod = 2, .rm = 7, .base = 7, .displacement = 0x12345},
	{.mod = 1, .rm = 4, .sib = 0xaf, .base = 7, .index = 5, .displacement = 8, .scaled = 4 * 0x20}, /* rdi + rbp*4 */
	{.rm = 4, .sib = 0x25, .displacement = 1},						  /* an address alone */
	{.rm = 4, .sib = 0x24, .base = 4},							  /* rsp */
	{.prefix = 0x65, .rm = 7, .base = 7},
	{.prefix = 0x26, .rm = 6, .base = 6},
	{.rex = REX_B, .rm = 4, .sib = 0x24, .base = 12, .wide_only = true},
	{.rex = REX_B, .mod = 1, .rm = 5, .base = 13, .wide_only = true},
	{.rex = REX_X, .rm = 4, .sib = 0xcf, .base = 7, .index = 9, .scaled = 8 * 0x10, .wide_only = true},
	{.prefix = 0x67, .rm = 7, .base = 7, .wide_only = true},
};

static void operand(struct code *out, const struct address *a, uint8_t reg, uint64_t target)
{
	put(out, (uint8_t)(a->mod << 6 | reg << 3 | a->rm));
	if (a->rm == 4)
		put(out, a->sib);
	if (a->mod == 1)
		put_many(out, (uint64_t)(int64_t)a->displacement, 1);
	else if (a->mod == 2)
		put_many(out, (uint64_t)(int64_t)a->displacement, 4);
	else if (a->rm == 4 && a->sib == 0x25)
		put_many(out, target, 4);
}

bool encode(const struct form *form, unsigned size, unsigned address, bool wide, bool locked, uint64_t target,
	struct code *out)
{
	const struct address *a = &addresses[address];
	bool moffs = form->flags & FORM_MOFFS;
	uint8_t rex = (uint8_t)(a->rex | (size == 8 ? REX_W : 0));

	*out = (struct code){.bits = form->flags & FORM_BITS, .base_register = a->base, .index_register = a->index};
	if ((!wide && (a->wide_only || form->opcode[0] == 0x63)) || (moffs && address) ||
		(form->flags & FORM_HIGH && rex))
		return false;
	out->base_value = target - (uint64_t)(int64_t)a->displacement - a->scaled -
			  (a->prefix == 0x65 && wide ? ENCODE_GS_BASE : 0);
	if (a->prefix == 0x67)
		out->base_value |= 0xffffffff00000000;
	out->index_value = a->index == 5 ? 0x20 : 0x10;
	if (!a->base) /* nothing to set: rax keeps what it has */
		out->base_register = 15, out->base_value = 0;
	if (a->prefix)
		put(out, a->prefix);
	if (locked)
		put(out, 0xf0);
	if (size == 2)
		put(out, 0x66);
	if (rex)
		put(out, (uint8_t)(REX | rex));
	for (unsigned i = 0; i < form->opcodes; i++)
		put(out, form->opcode[i]);
	if (moffs)
		put_many(out, target, wide ? 8 : 4);
	else
		operand(out, a, form->digit == NO_DIGIT ? form->flags & FORM_HIGH ? 7 : RBX : form->digit, target);
	if (form->flags & FORM_IMM8)
		put_many(out, 0x9d, 1);
	else if (form->flags & FORM_IMM)
		put_many(out, 0x8badf00d, size == 8 ? 4 : size);
	return true;
}
