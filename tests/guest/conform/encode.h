/* SPDX-License-Identifier: Apache-2.0 */
/* Instructions with one memory operand, encoded: opcode by operand size by addressing form. */
#ifndef TESTS_GUEST_CONFORM_ENCODE_H
#define TESTS_GUEST_CONFORM_ENCODE_H

#include "tests/guest/lib/guest.h"

enum {
	FORM_LOCKABLE = 1, /* LOCK is tried as well */
	FORM_IMM8 = 2,
	FORM_IMM = 4, /* of the operand's size, 4 bytes for 8 */
	FORM_HIGH = 8, /* the register is BH where there is one */
	FORM_BITS = 16, /* the register is a bit's number */
	FORM_MOFFS = 32, /* the address stands in the instruction alone */
};

struct form {
	const char *name;
	uint8_t opcode[2], opcodes; /* 0f and one more, or one */
	uint8_t digit;		    /* of ModRM, or 8: register rbx */
	uint8_t sizes;		    /* 1, 2, 4, 8 or-ed */
	uint8_t flags;
};
extern const struct form encode_forms[]; /* ends with a NULL name */

#define ENCODE_ADDRESSES 13
#define ENCODE_GS_BASE	 0x1000ull

struct code {
	uint8_t bytes[16], count;
	uint8_t base_register, index_register; /* index 0: none */
	uint64_t base_value, index_value;
	bool bits;
};

/* False where mode, form and address do not go together. `wide`: 64-bit code. It is to run at CODE. */
bool encode(const struct form *form, unsigned size, unsigned address, bool wide, bool locked, uint64_t target,
	struct code *out);

#endif
