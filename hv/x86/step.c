/* SPDX-License-Identifier: Apache-2.0 */
/* Execution of insn_step's set: a register operand is handed to insn_execute as if it were memory. */
#include "hv/x86/step.h"
#include "hv/x86/execute_register.h"

enum { RCX = 1, RSP = 4 };

struct operand {
	struct insn_cpu *cpu;
	const struct insn *insn;
};

static int operand_load(void *context, uint64_t linear, unsigned size, uint64_t *value)
{
	const struct operand *operand = context;

	(void)linear;
	*value = register_read(operand->cpu, operand->insn->rm, operand->insn->rm_high_byte, size);
	return 0;
}

static int operand_store(void *context, uint64_t linear, unsigned size, uint64_t value)
{
	const struct operand *operand = context;

	(void)linear;
	register_write(operand->cpu, operand->insn->rm, operand->insn->rm_high_byte, size, value);
	return 0;
}

/* APM 3, 1.6: the four bits of Jcc's opcode. */
static bool condition(uint64_t rflags, unsigned code)
{
	bool carry = rflags & FLAG_CF, zero = rflags & FLAG_ZF;
	bool less = !(rflags & FLAG_SF) != !(rflags & FLAG_OF);
	const bool holds[8] = {rflags & FLAG_OF, carry, zero, carry || zero, rflags & FLAG_SF,
		rflags & FLAG_PF, less, less || zero};

	return holds[code >> 1] != (code & 1);
}

static void shift(const struct insn *insn, struct insn_cpu *cpu)
{
	unsigned size = insn->operand_size;
	uint64_t count = insn->has_immediate ? insn->immediate : cpu->gpr[RCX];
	uint64_t value = register_read(cpu, insn->rm, insn->rm_high_byte, size);

	value = alu_shift(insn->sub, size, value, (unsigned)count & (size == 8 ? 63 : 31), &cpu->rflags);
	register_write(cpu, insn->rm, insn->rm_high_byte, size, value);
}

/* The segment plays no part in an effective address. */
static void load_address(const struct insn *insn, struct insn_cpu *cpu)
{
	struct insn flat = *insn;

	flat.segment = SEG_DS;
	register_write(cpu, insn->reg, false, insn->register_size, insn_linear_address(&flat, cpu));
}

/* Where a jump or a call goes; `next` for what is neither. */
static uint64_t target(const struct insn *insn, const struct insn_cpu *cpu, uint64_t next)
{
	if (insn->operation != INSN_JUMP && insn->operation != INSN_CALL)
		return next;
	if (insn->rm != INSN_NO_REGISTER)
		return cpu->gpr[insn->rm];
	return insn->sub > 15 || condition(cpu->rflags, insn->sub) ? next + (uint64_t)insn->displacement : next;
}

static enum insn_result push(struct insn_cpu *cpu, const struct insn_memory *memory, uint64_t value)
{
	if (memory->store(memory->context, cpu->gpr[RSP] - 8, 8, value))
		return INSN_FAULT;
	cpu->gpr[RSP] -= 8;
	return INSN_OK;
}

static enum insn_result pop(struct insn_cpu *cpu, const struct insn_memory *memory, uint64_t *value)
{
	uint64_t loaded;

	if (memory->load(memory->context, cpu->gpr[RSP], 8, &loaded))
		return INSN_FAULT;
	/* What is popped into RSP is what it holds then. */
	cpu->gpr[RSP] += 8;
	*value = loaded;
	return INSN_OK;
}

static enum insn_result go_back(struct insn_cpu *cpu, const struct insn_memory *memory)
{
	uint64_t to, stack = cpu->gpr[RSP];
	enum insn_result result = pop(cpu, memory, &to);

	if (result == INSN_OK && !insn_canonical(to)) {
		cpu->gpr[RSP] = stack;
		return INSN_UNSUPPORTED;
	}
	if (result == INSN_OK)
		cpu->rip = to;
	return result;
}

/* All but rip where that is not `next` anyway. */
static enum insn_result perform(
	const struct insn *insn, struct insn_cpu *cpu, const struct insn_memory *memory, uint64_t next)
{
	switch (insn->operation) {
	case INSN_LEA:
		load_address(insn, cpu);
		return INSN_OK;
	case INSN_SHIFT:
		shift(insn, cpu);
		return INSN_OK;
	case INSN_CALL:
		return push(cpu, memory, next);
	case INSN_PUSH:
		return push(cpu, memory, cpu->gpr[insn->rm]);
	case INSN_POP:
		return pop(cpu, memory, &cpu->gpr[insn->rm]);
	default: /* INSN_JUMP, INSN_NOP */
		return INSN_OK;
	}
}

static bool is_executed_here(const struct insn *insn)
{
	return insn->operation >= INSN_LEA;
}

enum insn_result insn_step(
	const uint8_t *bytes, size_t available, struct insn_cpu *cpu, const struct insn_memory *memory)
{
	struct insn insn;
	enum insn_result result = insn_step_decode(bytes, available, &insn);

	if (result != INSN_OK)
		return result;
	struct operand operand = {cpu, &insn};
	const struct insn_memory registers = {&operand, operand_load, operand_store};
	uint64_t next = cpu->rip + insn.length, to = target(&insn, cpu, next);

	if (!insn_canonical(next) || !insn_canonical(to))
		return INSN_UNSUPPORTED;
	if (!is_executed_here(&insn))
		return insn_execute(&insn, cpu, insn.rm == INSN_NO_REGISTER ? memory : &registers);
	if (insn.operation == INSN_RETURN)
		return go_back(cpu, memory);
	result = perform(&insn, cpu, memory, next);
	if (result == INSN_OK)
		cpu->rip = to;
	return result;
}
