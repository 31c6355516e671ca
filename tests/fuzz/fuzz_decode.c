/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as an instruction: what the decoder takes, capstone takes with the same
 * length and operands, and executing it touches memory only through the callbacks, by the rules.
 * Input: mode, when an access fails, 15 bytes of code, then register values.
 */
#include "tests/model/judge.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

#define CODE_BYTES 15

struct toy {
	uint8_t memory[256]; /* repeats through the address space */
	unsigned accesses, fail_at;
};

static void check(bool holds)
{
	if (!holds)
		abort();
}

static int load(void *context, uint64_t linear, unsigned size, uint64_t *value)
{
	struct toy *toy = context;
	check(size == 1 || size == 2 || size == 4 || size == 8);
	*value = 0;
	for (unsigned i = 0; i < size; i++)
		*value |= (uint64_t)toy->memory[(linear + i) % sizeof(toy->memory)] << (8 * i);
	return ++toy->accesses == toy->fail_at;
}

static int store(void *context, uint64_t linear, unsigned size, uint64_t value)
{
	struct toy *toy = context;
	check(size == 8 || ((size == 1 || size == 2 || size == 4) && value >> (8 * size) == 0));
	if (++toy->accesses == toy->fail_at)
		return -1;
	for (unsigned i = 0; i < size; i++)
		toy->memory[(linear + i) % sizeof(toy->memory)] = (uint8_t)(value >> (8 * i));
	return 0;
}

/* Length, operands, sizes. */
static void compare(const uint8_t *code, enum insn_mode mode, const struct insn *insn)
{
	static cs_insn *theirs;

	if (!theirs)
		theirs = cs_malloc(judge_engine(mode));
	check(!judge_insn(code, mode, insn, theirs));
}

static void execute(
	const struct insn *insn, enum insn_mode mode, struct toy *toy, const uint8_t *data, size_t bytes)
{
	const struct insn_memory memory = {toy, load, store};
	struct insn_cpu cpu = {0}, before;

	memcpy(&cpu, data, bytes < sizeof(cpu) ? bytes : sizeof(cpu));
	cpu.mode = mode;
	before = cpu;
	enum insn_result result = insn_execute(insn, &cpu, &memory);
	switch (result) {
	case INSN_OK:
		check(cpu.rip != before.rip);
		break;
	case INSN_AGAIN:
		check(insn->repeat && cpu.rip == before.rip);
		break;
	case INSN_FAULT:
		check(toy->accesses == toy->fail_at && cpu.rip == before.rip);
		check(insn->repeat ||
			(!memcmp(cpu.gpr, before.gpr, sizeof(cpu.gpr)) && cpu.rflags == before.rflags));
		break;
	default:
		check(result == INSN_UNSUPPORTED && insn->operation >= INSN_VECTOR_LOAD && !toy->accesses);
	}
	check(toy->accesses <= 2 * INSN_REP_SLICE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct toy toy = {0};
	struct insn insn, shorter;
	uint8_t code[CODE_BYTES];

	if (bytes < 2 + CODE_BYTES)
		return 0;
	enum insn_mode mode = data[0] % 3;
	toy.fail_at = data[1];
	memcpy(code, data + 2, CODE_BYTES);
	data += 2 + CODE_BYTES;
	bytes -= 2 + CODE_BYTES;
	if (insn_decode(code, CODE_BYTES, mode, &insn) != INSN_OK)
		return 0;
	check(insn.length >= 1 && insn.length <= CODE_BYTES);
	for (size_t available = 0; available < insn.length; available++)
		check(insn_decode(code, available, mode, &shorter) == INSN_TRUNCATED);
	compare(code, mode, &insn);
	execute(&insn, mode, &toy, data, bytes);
	return 0;
}
