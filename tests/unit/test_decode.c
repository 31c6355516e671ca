/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The decoder against capstone: every encoding it claims, in every mode, with every
 * ModRM and prefix; then random bytes. What we decode, capstone must decode alike.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>
#include "hv/x86/decode.h"
#include "tests/model/judge.h"

#define ANY -1

/* The claimed encodings, by what capstone calls them. */
struct claim {
	uint8_t map, opcode;
	int digit;
	uint8_t prefix; /* mandatory */
	uint8_t operation, sub;
	const char *name;
	uint8_t kind;
};

enum { MODRM = 1, STRING = 2, OFFSET = 4, IMM8 = 8, IMMZ = 16, LONG = 32, VECTOR = 64, VEX = 128 };

static const char *const alu_names[] = {"add", "or", "adc", "sbb", "and", "sub", "xor", "cmp"};

static const struct claim table[] = {
	{1, 0x63, ANY, 0,	  INSN_MOV_LOAD,	 0, "movsxd",  MODRM | LONG		  },
	{1, 0x84, ANY, 0,	  INSN_ALU_STORE,	  8, "test",    MODRM			  },
	{1, 0x85, ANY, 0,	  INSN_ALU_STORE,	  8, "test",    MODRM			  },
	{1, 0x86, ANY, 0,	  INSN_XCHG,	     0, "xchg",	MODRM			     },
	{1, 0x87, ANY, 0,	  INSN_XCHG,	     0, "xchg",	MODRM			     },
	{1, 0x88, ANY, 0,	  INSN_MOV_STORE,	  0, "mov",	    MODRM			 },
	{1, 0x89, ANY, 0,	  INSN_MOV_STORE,	  0, "mov",	    MODRM			 },
	{1, 0x8a, ANY, 0,	  INSN_MOV_LOAD,	 0, "mov",	   MODRM			},
	{1, 0x8b, ANY, 0,	  INSN_MOV_LOAD,	 0, "mov",	   MODRM			},
	{1, 0xa0, ANY, 0,	  INSN_MOV_LOAD,	 0, "mov",	   OFFSET			 },
	{1, 0xa1, ANY, 0,	  INSN_MOV_LOAD,	 0, "mov",	   OFFSET			 },
	{1, 0xa2, ANY, 0,	  INSN_MOV_STORE,	  0, "mov",	    OFFSET			  },
	{1, 0xa3, ANY, 0,	  INSN_MOV_STORE,	  0, "mov",	    OFFSET			  },
	{1, 0xa4, ANY, 0,	  INSN_MOVS,	     0, "movs",	STRING		      },
	{1, 0xa5, ANY, 0,	  INSN_MOVS,	     0, "movs",	STRING		      },
	{1, 0xaa, ANY, 0,	  INSN_STOS,	     0, "stos",	STRING		      },
	{1, 0xab, ANY, 0,	  INSN_STOS,	     0, "stos",	STRING		      },
	{1, 0xac, ANY, 0,	  INSN_LODS,	     0, "lods",	STRING		      },
	{1, 0xad, ANY, 0,	  INSN_LODS,	     0, "lods",	STRING		      },
	{1, 0xc6, 0,   0,	INSN_MOV_STORE,	0, "mov",	  MODRM | IMM8		      },
	{1, 0xc7, 0,   0,	INSN_MOV_STORE,	0, "mov",	  MODRM | IMMZ		      },
	{1, 0xf6, 0,   0,	INSN_ALU_STORE,	8, "test",	   MODRM | IMM8	       },
	{1, 0xf6, 2,   0,	INSN_UNARY,	    2, "not",     MODRM			   },
	{1, 0xf6, 3,   0,	INSN_UNARY,	    3, "neg",     MODRM			   },
	{1, 0xf7, 0,   0,	INSN_ALU_STORE,	8, "test",	   MODRM | IMMZ	       },
	{1, 0xf7, 2,   0,	INSN_UNARY,	    2, "not",     MODRM			   },
	{1, 0xf7, 3,   0,	INSN_UNARY,	    3, "neg",     MODRM			   },
	{1, 0xfe, 0,   0,	INSN_UNARY,	    0, "inc",     MODRM			   },
	{1, 0xfe, 1,   0,	INSN_UNARY,	    1, "dec",     MODRM			   },
	{1, 0xff, 0,   0,	INSN_UNARY,	    0, "inc",     MODRM			   },
	{1, 0xff, 1,   0,	INSN_UNARY,	    1, "dec",     MODRM			   },
	{2, 0xa3, ANY, 0,	  INSN_BIT,	    0, "bt",	     MODRM			  },
	{2, 0xab, ANY, 0,	  INSN_BIT,	    1, "bts",     MODRM			   },
	{2, 0xb3, ANY, 0,	  INSN_BIT,	    2, "btr",     MODRM			   },
	{2, 0xbb, ANY, 0,	  INSN_BIT,	    3, "btc",     MODRM			   },
	{2, 0xba, 4,   0,	INSN_BIT,	  0, "bt",	   MODRM | IMM8	       },
	{2, 0xba, 5,   0,	INSN_BIT,	  1, "bts",	    MODRM | IMM8		},
	{2, 0xba, 6,   0,	INSN_BIT,	  2, "btr",	    MODRM | IMM8		},
	{2, 0xba, 7,   0,	INSN_BIT,	  3, "btc",	    MODRM | IMM8		},
	{2, 0xb0, ANY, 0,	  INSN_CMPXCHG,	0, "cmpxchg", MODRM			   },
	{2, 0xb1, ANY, 0,	  INSN_CMPXCHG,	0, "cmpxchg", MODRM			   },
	{2, 0xb6, ANY, 0,	  INSN_MOV_LOAD,	 0, "movzx",   MODRM			  },
	{2, 0xb7, ANY, 0,	  INSN_MOV_LOAD,	 0, "movzx",   MODRM			  },
	{2, 0xbe, ANY, 0,	  INSN_MOV_LOAD,	 0, "movsx",   MODRM			  },
	{2, 0xbf, ANY, 0,	  INSN_MOV_LOAD,	 0, "movsx",   MODRM			  },
	{2, 0xc3, ANY, 0,	  INSN_MOV_STORE,	  0, "movnti",  MODRM			    },
	{2, 0x10, ANY, 0,	  INSN_VECTOR_LOAD,  0, "movups",	 MODRM | LONG | VECTOR | VEX},
	{2, 0x11, ANY, 0,	  INSN_VECTOR_STORE, 0, "movups",  MODRM | LONG | VECTOR | VEX},
	{2, 0x28, ANY, 0,	  INSN_VECTOR_LOAD,  0, "movaps",	 MODRM | LONG | VECTOR | VEX},
	{2, 0x29, ANY, 0,	  INSN_VECTOR_STORE, 0, "movaps",  MODRM | LONG | VECTOR | VEX},
	{2, 0x6e, ANY, 0x66, INSN_VECTOR_LOAD,  0, "movd",	  MODRM | LONG | VECTOR | VEX},
	{2, 0x7e, ANY, 0x66, INSN_VECTOR_STORE, 0, "movd",	   MODRM | LONG | VECTOR | VEX},
	{2, 0x7e, ANY, 0xf3, INSN_VECTOR_LOAD,  0, "movq",	  MODRM | LONG | VECTOR | VEX},
	{2, 0xd6, ANY, 0x66, INSN_VECTOR_STORE, 0, "movq",	   MODRM | LONG | VECTOR | VEX},
	{2, 0x6f, ANY, 0x66, INSN_VECTOR_LOAD,  0, "movdqa",  MODRM | LONG | VECTOR | VEX},
	{2, 0x7f, ANY, 0x66, INSN_VECTOR_STORE, 0, "movdqa",  MODRM | LONG | VECTOR | VEX},
	{2, 0x6f, ANY, 0xf3, INSN_VECTOR_LOAD,  0, "movdqu",  MODRM | LONG | VECTOR | VEX},
	{2, 0x7f, ANY, 0xf3, INSN_VECTOR_STORE, 0, "movdqu",  MODRM | LONG | VECTOR | VEX},
};

#define TABLE_CLAIMS (sizeof(table) / sizeof(table[0]))
#define CLAIMS	     (TABLE_CLAIMS + 8 * 4 + 3 * 8)

static struct claim claims[CLAIMS];
static cs_insn *scratch;

static int make_claims(void **state)
{
	(void)state;
	struct claim *c = claims;
	memcpy(c, table, sizeof(table));
	c += TABLE_CLAIMS;
	for (uint8_t sub = 0; sub < 8; sub++) {
		static const uint8_t immediate[3] = {0x80, 0x81, 0x83};
		for (uint8_t low = 0; low < 4; low++)
			*c++ = (struct claim){1, (uint8_t)(sub * 8 + low), ANY, 0,
				low < 2 ? INSN_ALU_STORE : INSN_ALU_LOAD, sub, alu_names[sub], MODRM};
		for (int i = 0; i < 3; i++)
			*c++ = (struct claim){1, immediate[i], sub, 0, INSN_ALU_STORE, sub, alu_names[sub],
				MODRM | (immediate[i] == 0x81 ? IMMZ : IMM8)};
	}
	scratch = cs_malloc(judge_engine(INSN_MODE_16));
	return 0;
}

static int drop_claims(void **state)
{
	(void)state;
	cs_free(scratch, 1);
	return 0;
}

static uint8_t bytes[32];
static enum insn_mode mode;

static void disagree(const char *what, const struct insn *insn)
{
	char text[3 * 15 + 1] = "";
	for (int i = 0; i < 15; i++)
		sprintf(text + 3 * i, "%02x ", bytes[i]);
	fail_msg("%s: mode %d: %s: length %u operation %u sub %u size %u/%u base %x index %x disp %llx reg "
		 "%x; "
		 "capstone %u %s %s",
		what, mode, text, insn->length, insn->operation, insn->sub, insn->operand_size,
		insn->register_size, insn->base, insn->index, (unsigned long long)insn->displacement,
		insn->reg, scratch->size, scratch->mnemonic, scratch->op_str);
}

static bool starts_with(const char *text, const char *start)
{
	return !strncmp(text, start, strlen(start));
}

/* Whether the decoder's answer about `bytes` is also capstone's. */
static void agree(const struct insn *insn)
{
	const char *problem = judge_insn(bytes, mode, insn, scratch);

	if (problem)
		disagree(problem, insn);
}

/* Writes prefixes, opcode, ModRM; returns the length up to ModRM. */
static unsigned assemble(
	const struct claim *c, const uint8_t *prefixes, unsigned count, uint8_t rex, uint8_t modrm)
{
	unsigned n = 0;
	for (unsigned i = 0; i < count; i++)
		bytes[n++] = prefixes[i];
	if (c->prefix)
		bytes[n++] = c->prefix;
	if (rex)
		bytes[n++] = rex;
	if (c->map == 2)
		bytes[n++] = 0x0f;
	bytes[n++] = c->opcode;
	if (c->kind & MODRM)
		bytes[n++] = c->digit == ANY ? modrm : (uint8_t)((modrm & 0xc7) | c->digit << 3);
	for (unsigned i = n; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)rand();
	return n;
}

static void check_claim(const struct claim *c, unsigned length)
{
	struct insn insn;
	memset(&insn, 0xee, sizeof(insn));
	enum insn_result result = insn_decode(bytes, 15, mode, &insn);
	bool is_register = (c->kind & MODRM) && (bytes[length - 1] >> 6) == 3;
	if (is_register) {
		if (result != INSN_UNSUPPORTED)
			disagree("a register form is taken", &insn);
		return;
	}
	if (result != INSN_OK)
		disagree("refused", &insn);
	agree(&insn);
	if (!judge_knows(bytes, &insn))
		return;
	if (insn.operation != c->operation || insn.sub != c->sub ||
		!starts_with(scratch->mnemonic, "rep") == insn.repeat)
		disagree("operation", &insn);
	const char *name = strrchr(scratch->mnemonic, ' ');
	name = name ? name + 1 : scratch->mnemonic;
	if (name[0] == 'v')
		name++;
	if (!starts_with(name, c->name) && !((c->kind & VECTOR) && starts_with(name, "movq")) &&
		!((c->kind & OFFSET) && starts_with(name, "movabs")))
		disagree(c->name, &insn);
	for (size_t available = 0; available < insn.length; available++) {
		struct insn shorter;
		if (insn_decode(bytes, available, mode, &shorter) != INSN_TRUNCATED)
			disagree("truncated", &insn);
	}
}

static void test_claims(void **state)
{
	(void)state;
	static const uint8_t sets[][3] = {
		{0	  },
		     {0x66 },
		     {0x67 },
		     {0x66,  0x67},
		   {0x2e	},
		   {0x64},
		   {0x65,	  0x66},
		 {0x36,0x67},
		       {0x3e },
		{0x26    }
	      };
	static const uint8_t rexes[] = {0, 0x40, 0x41, 0x42, 0x44, 0x48, 0x4f};
	unsigned seed = (unsigned)time(NULL);
	print_message("seed %u\n", seed);
	srand(seed);

	for (int m = 0; m < 3; m++)
		for (const struct claim *c = claims; c < claims + CLAIMS; c++)
			for (unsigned s = 0; s < sizeof(sets) / sizeof(sets[0]); s++)
				for (unsigned r = 0; r < (m == INSN_MODE_64 ? sizeof(rexes) : 1); r++) {
					unsigned count = 0;
					bool has_66 = false;
					mode = m;
					while (count < 3 && sets[s][count])
						has_66 |= sets[s][count++] == 0x66;
					if ((c->kind & LONG) && (mode != INSN_MODE_64 || has_66))
						continue;
					if (has_66 && ((c->kind & VECTOR) || !strcmp(c->name, "movnti")))
						continue; /* another instruction */
					for (unsigned modrm = 0; modrm < ((c->kind & MODRM) ? 256 : 1);
						modrm++) {
						if ((modrm > 0xc0 && modrm % 9) || (s && r && rand() % 4))
							continue;
						check_claim(c, assemble(c, sets[s], count, rexes[r],
								       (uint8_t)modrm));
					}
				}
}

static void test_sib(void **state)
{
	(void)state;
	static const uint8_t address_size = 0x67;
	const struct claim store = {1, 0x89, ANY, 0, INSN_MOV_STORE, 0, "mov", MODRM};
	for (mode = INSN_MODE_32; mode <= INSN_MODE_64; mode++)
		for (unsigned i = 0; i < 3 * 256 * 16 * 2; i++) {
			uint8_t rex = mode == INSN_MODE_64 ? 0x40 + (i / 768) % 16 : 0;
			bool prefixed = mode == INSN_MODE_64 && i / 768 / 16;
			unsigned n = assemble(
				&store, &address_size, prefixed, rex, (uint8_t)((i / 256 % 3) << 6 | 4));
			bytes[n] = (uint8_t)i;
			check_claim(&store, n);
		}
}

static void test_repeat_and_lock(void **state)
{
	(void)state;
	for (int m = 0; m < 3; m++)
		for (const struct claim *c = claims; c < claims + CLAIMS; c++) {
			static const uint8_t prefixes[] = {0xf3, 0xf2, 0xf0};
			mode = m;
			if ((c->kind & LONG) && mode != INSN_MODE_64)
				continue;
			for (int p = 0; p < 3; p++) {
				struct insn insn;
				assemble(c, &prefixes[p], 1, 0, 0x0b);
				enum insn_result result = insn_decode(bytes, 15, mode, &insn);
				if (p < 2 && (c->kind & STRING)) {
					assert_int_equal(result, INSN_OK);
					assert_true(insn.repeat);
					continue;
				}
				bool lockable = (c->operation == INSN_ALU_STORE && c->sub < 7) ||
						c->operation == INSN_UNARY || c->operation == INSN_XCHG ||
						c->operation == INSN_CMPXCHG ||
						(c->operation == INSN_BIT && c->sub);
				if (p == 2)
					assert_int_equal(result, lockable ? INSN_OK : INSN_UNSUPPORTED);
				if (p < 2 && !(c->kind & VECTOR))
					assert_int_equal(result, INSN_UNSUPPORTED);
				if (result != INSN_OK)
					continue;
				assert_false(insn.repeat);
				assert_int_equal(insn.locked, p == 2);
				agree(&insn);
			}
		}
}

/* VEX forms of the vector moves: two- and three-byte prefixes, every ModRM; 64-bit mode only. */
static void test_vex(void **state)
{
	(void)state;
	unsigned taken = 0;
	for (const struct claim *c = claims; c < claims + CLAIMS; c++) {
		if (!(c->kind & VEX))
			continue;
		uint8_t pp = c->prefix == 0x66 ? 1 : c->prefix == 0xf3 ? 2 : 0;
		for (unsigned i = 0; i < 256 * 64; i++) {
			bool three = i & 0x100, wide = i & 0x200;
			uint8_t rxb = (uint8_t)(i >> 6 & 0xe0),
				last = (uint8_t)(0x78 | (i & 0x400 ? 4 : 0) | pp);
			unsigned n = 0;
			struct insn insn;
			bytes[n++] = three ? 0xc4 : 0xc5;
			if (three) {
				bytes[n++] = rxb | 1;
				bytes[n++] = last | (wide ? 0x80 : 0);
			} else {
				bytes[n++] = (rxb & 0x80) | last;
			}
			bytes[n++] = c->opcode;
			bytes[n++] = (uint8_t)i;
			for (; n < sizeof(bytes); n++)
				bytes[n] = (uint8_t)rand();
			mode = INSN_MODE_64;
			enum insn_result result = insn_decode(bytes, 15, mode, &insn);
			bool scalar = c->opcode == 0x6e || c->opcode == 0x7e || c->opcode == 0xd6;
			bool covered = (uint8_t)i < 0xc0 && !(scalar && (i & 0x400));
			assert_int_equal(result, covered ? INSN_OK : INSN_UNSUPPORTED);
			if (!covered)
				continue;
			taken++;
			agree(&insn);
			assert_int_equal(insn.operation, c->operation);
			mode = INSN_MODE_32;
			assert_int_equal(insn_decode(bytes, 15, mode, &insn), INSN_UNSUPPORTED);
		}
	}
	assert_true(taken > 10000);
}

static void test_random(void **state)
{
	(void)state;
	static const uint8_t prefixes[] = {
		0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x48, 0x40, 0x4c};
	unsigned seed = (unsigned)time(NULL), taken = 0;
	print_message("seed %u\n", seed);
	srand(seed);
	for (int i = 0; i < 400000; i++) {
		struct insn insn;
		unsigned n = 0;
		for (unsigned j = 0; j < sizeof(bytes); j++)
			bytes[j] = (uint8_t)(rand() >> 7);
		while (rand() % 2)
			bytes[n++ % 6] = prefixes[(unsigned)rand() % sizeof(prefixes)];
		n %= 6;
		if (rand() % 4) {
			const struct claim *c = &claims[(unsigned)rand() % CLAIMS];
			if (c->map == 2)
				bytes[n++] = 0x0f;
			bytes[n++] = c->opcode;
		}
		mode = (unsigned)rand() % 3;
		size_t available = rand() % 8 ? 15 : (unsigned)rand() % 16;
		enum insn_result result = insn_decode(bytes, available, mode, &insn);
		if (result != INSN_OK)
			continue;
		assert_true(insn.length <= available);
		agree(&insn);
		taken++;
	}
	assert_true(taken > 50000);
	print_message("%u of 400000 decoded\n", taken);
}

static void test_too_long(void **state)
{
	(void)state;
	struct insn insn;
	memset(bytes, 0x2e, sizeof(bytes));
	memcpy(bytes + 8, "\x48\x81\x05\x00\x00\x00\x00\x01\x00\x00\x00", 11); /* 19 bytes */
	assert_int_equal(insn_decode(bytes, sizeof(bytes), INSN_MODE_64, &insn), INSN_UNSUPPORTED);
	assert_int_equal(insn_decode(bytes, 10, INSN_MODE_64, &insn), INSN_TRUNCATED);
	assert_int_equal(insn_decode(bytes + 4, 15, INSN_MODE_64, &insn), INSN_OK);
	assert_int_equal(insn.length, 15);
	memset(bytes, 0x66, sizeof(bytes));
	assert_int_equal(insn_decode(bytes, sizeof(bytes), INSN_MODE_64, &insn), INSN_UNSUPPORTED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_claims),
		cmocka_unit_test(test_sib),
		cmocka_unit_test(test_repeat_and_lock),
		cmocka_unit_test(test_vex),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_random),
	};
	return cmocka_run_group_tests(tests, make_claims, drop_claims);
}
