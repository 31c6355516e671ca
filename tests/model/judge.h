/* SPDX-License-Identifier: Apache-2.0 */
/* Capstone as the judge of the decoder: whether both see the same instruction, operand by operand. */
#ifndef TESTS_MODEL_JUDGE_H
#define TESTS_MODEL_JUDGE_H

#include "hv/x86/decode.h"
#include <capstone/capstone.h>

/* With details; opened once. */
csh judge_engine(enum insn_mode mode);

/* What the two disagree about, or NULL. `bytes` are INSN_MAX_BYTES; `theirs` is of cs_malloc and filled. */
const char *judge_insn(const uint8_t *bytes, enum insn_mode mode, const struct insn *insn, cs_insn *theirs);

/* Whether capstone 4 can be asked about the operands. */
bool judge_knows(const uint8_t *bytes, const struct insn *insn);

#endif
