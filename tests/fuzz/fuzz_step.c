/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as one instruction of run-ahead: what is taken, capstone takes with the
 * same length; then only registers that capstone says it writes have changed, only
 * memory that it names was accessed, once, and what was not done has changed nothing.
 * Input: when the access fails, 15 bytes of code, then register values.
 */
#include "hv/x86/registers.h"
#include "hv/x86/step.h"
#include "tests/model/judge.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

#define FLAGS_ARITHMETIC 0x8d5u
#define RSP 4

struct seen {
	unsigned loads, stores, size;
	uint64_t linear;
	bool fails;
};

static void check(bool holds)
{
	if (!holds)
		abort();
}

/* What stands in memory; of 8 bytes a canonical address half of the time. */
static uint64_t word_at(uint64_t linear, unsigned size)
{
	uint64_t value = linear * 0x9e3779b97f4a7c15ull >> (64 - 8 * size);

	return size == 8 && linear & 1 ? value >> 17 : value;
}

static int load(void *context, uint64_t linear, unsigned size, uint64_t *value)
{
	struct seen *seen = context;

	check(size == 1 || size == 2 || size == 4 || size == 8);
	seen->loads++;
	seen->linear = linear;
	seen->size = size;
	*value = word_at(linear, size);
	return seen->fails;
}

static int store(void *context, uint64_t linear, unsigned size, uint64_t value)
{
	struct seen *seen = context;

	check(size == 8 || ((size == 1 || size == 2 || size == 4) && value >> (8 * size) == 0));
	seen->stores++;
	seen->linear = linear;
	seen->size = size;
	return seen->fails;
}

/* The encoding's number of the 64-bit register that a register is a part of; -1 for flags and others. */
static int whole_register(csh engine, unsigned reg)
{
	static const char *const names[16][4] = {{"rax", "eax", "ax", "al"}, {"rcx", "ecx", "cx", "cl"}, {"rdx", "edx", "dx", "dl"},
		{"rbx", "ebx", "bx", "bl"}, {"rsp", "esp", "sp", "spl"}, {"rbp", "ebp", "bp", "bpl"}, {"rsi", "esi", "si", "sil"},
		{"rdi", "edi", "di", "dil"}, {"r8", "r8d", "r8w", "r8b"}, {"r9", "r9d", "r9w", "r9b"},
		{"r10", "r10d", "r10w", "r10b"}, {"r11", "r11d", "r11w", "r11b"}, {"r12", "r12d", "r12w", "r12b"},
		{"r13", "r13d", "r13w", "r13b"}, {"r14", "r14d", "r14w", "r14b"}, {"r15", "r15d", "r15w", "r15b"}};
	static const char *const high[4] = {"ah", "ch", "dh", "bh"};
	const char *name = cs_reg_name(engine, reg);

	for (int i = 0; name && i < 16; i++)
		for (int j = 0; j < 4; j++)
			if (!strcmp(name, names[i][j]) || (i < 4 && !strcmp(name, high[i])))
				return i;
	return -1;
}

/* As a bit set; what the first operand of any but a comparison or a jump is, is written. */
static uint32_t written(csh engine, const cs_insn *theirs)
{
	const cs_x86 *x86 = &theirs->detail->x86;
	uint32_t set = 0;

	for (int i = 0; i < x86->op_count; i++)
		if (x86->operands[i].type == X86_OP_REG && (x86->operands[i].access & CS_AC_WRITE || i == 0)) {
			int number = whole_register(engine, x86->operands[i].reg);

			set |= number >= 0 ? 1u << number : 0;
		}
	return set;
}

static bool goes_right(const struct insn *insn, const cs_x86 *x86, const struct insn_cpu *before, uint64_t rip)
{
	uint64_t next = before->rip + insn->length;

	if (insn->operation == INSN_RETURN)
		return rip == word_at(before->gpr[RSP], 8);
	if (insn->operation != INSN_JUMP && insn->operation != INSN_CALL)
		return rip == next;
	if (insn->rm != INSN_NO_REGISTER)
		return rip == before->gpr[insn->rm];
	return rip == (uint64_t)x86->operands[0].imm || (rip == next && insn->operation == INSN_JUMP);
}

static void compare(const uint8_t *code, const struct insn *insn, const struct insn_cpu *before, const struct insn_cpu *cpu,
	const struct seen *seen)
{
	static cs_insn *theirs;
	csh engine = judge_engine(INSN_MODE_64);
	const uint8_t *at = code;
	size_t left = INSN_MAX_BYTES;
	uint64_t address = before->rip;
	bool memory = false;

	if (!theirs)
		theirs = cs_malloc(engine);
	check(cs_disasm_iter(engine, &at, &left, &address, theirs));
	check(theirs->size == insn->length);
	const cs_x86 *x86 = &theirs->detail->x86;

	for (int i = 0; i < x86->op_count; i++)
		memory |= x86->operands[i].type == X86_OP_MEM;
	bool stack = insn->operation >= INSN_CALL;

	if (insn->operation == INSN_LEA || insn->operation == INSN_NOP)
		memory = false;
	check(seen->loads + seen->stores == (memory || stack));
	for (unsigned i = 0; i < 16; i++)
		check(cpu->gpr[i] == before->gpr[i] || written(engine, theirs) >> i & 1 || (stack && i == RSP));
	check(goes_right(insn, x86, before, cpu->rip));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct insn_cpu cpu = {0}, before;
	struct seen seen = {0};
	const struct insn_memory memory = {&seen, load, store};
	uint8_t code[INSN_MAX_BYTES];
	struct insn insn;

	if (bytes < 1 + INSN_MAX_BYTES)
		return 0;
	seen.fails = data[0] & 1;
	memcpy(code, data + 1, INSN_MAX_BYTES);
	data += 1 + INSN_MAX_BYTES;
	bytes -= 1 + INSN_MAX_BYTES;
	memcpy(&cpu, data, bytes < sizeof(cpu) ? bytes : sizeof(cpu));
	cpu.mode = INSN_MODE_64;
	cpu.rip = (uint64_t)((int64_t)(cpu.rip << 16) >> 16);
	before = cpu;
	enum insn_result decoded = insn_step_decode(code, INSN_MAX_BYTES, &insn);
	enum insn_result result = insn_step(code, INSN_MAX_BYTES, &cpu, &memory);

	if (result != INSN_OK) {
		check(!memcmp(&cpu, &before, sizeof(cpu)));
		check(result == INSN_UNSUPPORTED || (result == INSN_FAULT && seen.fails && seen.loads + seen.stores == 1));
		return 0;
	}
	check(decoded == INSN_OK);
	check(!((cpu.rflags ^ before.rflags) & ~(uint64_t)FLAGS_ARITHMETIC));
	check(!memcmp(cpu.segment_base, before.segment_base, sizeof(cpu.segment_base)));
	check(insn_canonical(cpu.rip));
	for (size_t available = 0; available < insn.length; available++) {
		struct insn_cpu other = before;

		check(insn_step(code, available, &other, &memory) == INSN_TRUNCATED);
		check(!memcmp(&other, &before, sizeof(other)));
	}
	/* The truncated ones have made no access. */
	compare(code, &insn, &before, &cpu, &seen);
	return 0;
}
