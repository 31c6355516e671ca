/* SPDX-License-Identifier: Apache-2.0 */
/* Execution of insn_step's set: a register operand is handed to insn_execute as if it were memory. */
#include "hv/x86/step.h"
#include "hv/x86/execute_register.h"

enum { RCX = 1 };

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

static void jump(const struct insn *insn, struct insn_cpu *cpu)
{
	if (insn->sub > 15 || condition(cpu->rflags, insn->sub))
		cpu->rip += (uint64_t)insn->displacement;
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

static enum insn_result perform(
	const struct insn *insn, struct insn_cpu *cpu, const struct insn_memory *memory)
{
	struct operand operand = {cpu, insn};
	const struct insn_memory registers = {&operand, operand_load, operand_store};

	switch (insn->operation) {
	case INSN_LEA:
		load_address(insn, cpu);
		break;
	case INSN_SHIFT:
		shift(insn, cpu);
		break;
	case INSN_JUMP:
		jump(insn, cpu);
		break;
	case INSN_NOP:
		break;
	default:
		return insn_execute(insn, cpu, insn->rm == INSN_NO_REGISTER ? memory : &registers);
	}
	cpu->rip += insn->length;
	return INSN_OK;
}

enum insn_result insn_step(
	const uint8_t *bytes, size_t available, struct insn_cpu *cpu, const struct insn_memory *memory)
{
	struct insn insn;
	enum insn_result result = insn_step_decode(bytes, available, &insn);

	if (result != INSN_OK)
		return result;
	uint64_t next = cpu->rip + insn.length;
	uint64_t target = insn.operation == INSN_JUMP ? next + (uint64_t)insn.displacement : next;

	if (!insn_canonical(next) || !insn_canonical(target))
		return INSN_UNSUPPORTED;
	return perform(&insn, cpu, memory);
}
