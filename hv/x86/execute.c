/* SPDX-License-Identifier: Apache-2.0 */
#include "hv/x86/decode.h"
#include "hv/x86/execute_register.h"

enum { RAX = 0, RCX = 1, RSI = 6, RDI = 7 };

static uint64_t source(const struct insn *insn, const struct insn_cpu *cpu)
{
	if (insn->has_immediate)
		return alu_truncate(insn->immediate, insn->operand_size);
	return register_read(cpu, insn->reg, insn->high_byte, insn->register_size);
}

static void target(const struct insn *insn, struct insn_cpu *cpu, uint64_t value)
{
	register_write(cpu, insn->reg, insn->high_byte, insn->register_size, value);
}

static uint64_t linear(const struct insn_cpu *cpu, unsigned segment, uint64_t offset)
{
	if (cpu->mode != INSN_MODE_64)
		return (uint32_t)(cpu->segment_base[segment] + offset);
	return offset + (segment >= SEG_FS ? cpu->segment_base[segment] : 0);
}

/* BT and its kin with a register index reach beyond the operand: by whole operands, either way. APM 3, BT. */
static uint64_t bit_distance(const struct insn *insn, const struct insn_cpu *cpu)
{
	unsigned unused = 64 - 8 * insn->operand_size;
	unsigned operand_bits_log2 = insn->operand_size == 8 ? 6 : insn->operand_size == 4 ? 5 : 4;
	int64_t index = (int64_t)(cpu->gpr[insn->reg] << unused) >> unused;

	return (uint64_t)(index >> operand_bits_log2) * insn->operand_size;
}

uint64_t insn_linear_address(const struct insn *insn, const struct insn_cpu *cpu)
{
	uint64_t offset = (uint64_t)insn->displacement;

	if (insn->rip_relative)
		offset += cpu->rip + insn->length;
	if (insn->base != INSN_NO_REGISTER)
		offset += cpu->gpr[insn->base];
	if (insn->index != INSN_NO_REGISTER)
		offset += cpu->gpr[insn->index] * insn->scale;
	if (insn->operation == INSN_BIT && !insn->has_immediate)
		offset += bit_distance(insn, cpu);
	return linear(cpu, insn->segment, alu_truncate(offset, insn->address_size));
}

static bool load(const struct insn_memory *memory, uint64_t address, unsigned size, uint64_t *value)
{
	if (memory->load(memory->context, address, size, value))
		return false;
	*value = alu_truncate(*value, size);
	return true;
}

static bool store(const struct insn_memory *memory, uint64_t address, unsigned size, uint64_t value)
{
	return !memory->store(memory->context, address, size, alu_truncate(value, size));
}

static uint64_t extend(const struct insn *insn, uint64_t value)
{
	unsigned unused = 64 - 8 * insn->operand_size;

	return insn->sign_extend ? (uint64_t)((int64_t)(value << unused) >> unused) : value;
}

static uint64_t bit_operation(const struct insn *insn, uint64_t index, uint64_t old, uint64_t *rflags)
{
	uint64_t bit = 1ull << (index % (8 * insn->operand_size));

	*rflags = (*rflags & ~FLAG_CF) | (old & bit ? FLAG_CF : 0);
	switch (insn->sub) {
	case 1:
		return old | bit;
	case 2:
		return old & ~bit;
	case 3:
		return old ^ bit;
	default:
		return old;
	}
}

/* INC and DEC leave CF, NOT leaves all flags. */
static uint64_t unary(const struct insn *insn, uint64_t old, uint64_t *rflags)
{
	unsigned size = insn->operand_size;
	uint64_t carry = *rflags & FLAG_CF, result;

	if (insn->sub == 2)
		return ~old;
	if (insn->sub == 3)
		return alu(ALU_SUB, size, 0, old, rflags);
	result = alu(insn->sub == 0 ? ALU_ADD : ALU_SUB, size, old, 1, rflags);
	*rflags = (*rflags & ~FLAG_CF) | carry;
	return result;
}

/* Where memory does not match it is written back as it was, like the processor does. */
static bool compare_exchange(
	const struct insn *insn, struct insn_cpu *cpu, const struct insn_memory *memory, uint64_t address)
{
	unsigned size = insn->operand_size;
	uint64_t accumulator = register_read(cpu, RAX, false, size), rflags = cpu->rflags, old;

	if (!load(memory, address, size, &old))
		return false;
	bool equal = accumulator == old;
	if (!store(memory, address, size, equal ? source(insn, cpu) : old))
		return false;
	alu(ALU_CMP, size, accumulator, old, &rflags);
	cpu->rflags = rflags;
	if (!equal)
		register_write(cpu, RAX, false, size, old);
	return true;
}

/* Load, compute, store, then commit. False when an access failed. */
static bool modify(
	const struct insn *insn, struct insn_cpu *cpu, const struct insn_memory *memory, uint64_t address)
{
	unsigned size = insn->operand_size;
	uint64_t rflags = cpu->rflags, old, new;
	bool writes = true;

	if (!load(memory, address, size, &old))
		return false;
	switch (insn->operation) {
	case INSN_ALU_STORE:
		new = alu(insn->sub, size, old, source(insn, cpu), &rflags);
		writes = insn->sub < ALU_CMP;
		break;
	case INSN_BIT:
		new = bit_operation(insn, source(insn, cpu), old, &rflags);
		writes = insn->sub != 0;
		break;
	case INSN_UNARY:
		new = unary(insn, old, &rflags);
		break;
	default: /* INSN_XCHG */
		new = source(insn, cpu);
		break;
	}
	if (writes && !store(memory, address, size, new))
		return false;
	if (insn->operation == INSN_XCHG)
		target(insn, cpu, old);
	cpu->rflags = rflags;
	return true;
}

static bool load_operand(
	const struct insn *insn, struct insn_cpu *cpu, const struct insn_memory *memory, uint64_t address)
{
	uint64_t value;

	if (!load(memory, address, insn->operand_size, &value))
		return false;
	if (insn->operation == INSN_MOV_LOAD)
		target(insn, cpu, extend(insn, value));
	else {
		value = alu(insn->sub, insn->operand_size, source(insn, cpu), value, &cpu->rflags);
		if (insn->sub < ALU_CMP)
			target(insn, cpu, value);
	}
	return true;
}

static void step(struct insn_cpu *cpu, const struct insn *insn, unsigned reg, int64_t by)
{
	register_write(cpu, reg, false, insn->address_size, cpu->gpr[reg] + (uint64_t)by);
}

static bool string_once(const struct insn *insn, struct insn_cpu *cpu, const struct insn_memory *memory)
{
	unsigned size = insn->operand_size;
	int64_t by = cpu->rflags & FLAG_DF ? -(int64_t)size : (int64_t)size;
	uint64_t from = linear(cpu, insn->segment, alu_truncate(cpu->gpr[RSI], insn->address_size));
	uint64_t to = linear(cpu, SEG_ES, alu_truncate(cpu->gpr[RDI], insn->address_size));
	uint64_t value = register_read(cpu, RAX, false, size);

	if (insn->operation != INSN_STOS && !load(memory, from, size, &value))
		return false;
	if (insn->operation != INSN_LODS && !store(memory, to, size, value))
		return false;
	if (insn->operation == INSN_LODS)
		register_write(cpu, RAX, false, size, value);
	if (insn->operation != INSN_STOS)
		step(cpu, insn, RSI, by);
	if (insn->operation != INSN_LODS)
		step(cpu, insn, RDI, by);
	return true;
}

static enum insn_result string(
	const struct insn *insn, struct insn_cpu *cpu, const struct insn_memory *memory)
{
	if (!insn->repeat)
		return string_once(insn, cpu, memory) ? INSN_OK : INSN_FAULT;
	for (unsigned i = 0; alu_truncate(cpu->gpr[RCX], insn->address_size); i++) {
		if (i == insn->slice)
			return INSN_AGAIN;
		if (!string_once(insn, cpu, memory))
			return INSN_FAULT;
		step(cpu, insn, RCX, -1);
	}
	return INSN_OK;
}

static enum insn_result perform(
	const struct insn *insn, struct insn_cpu *cpu, const struct insn_memory *memory)
{
	uint64_t address;

	switch (insn->operation) {
	case INSN_MOVS:
	case INSN_STOS:
	case INSN_LODS:
		return string(insn, cpu, memory);
	case INSN_VECTOR_LOAD:
	case INSN_VECTOR_STORE:
		return INSN_UNSUPPORTED;
	default:
		break;
	}
	address = insn_linear_address(insn, cpu);
	switch (insn->operation) {
	case INSN_MOV_LOAD:
	case INSN_ALU_LOAD:
		return load_operand(insn, cpu, memory, address) ? INSN_OK : INSN_FAULT;
	case INSN_MOV_STORE:
		return store(memory, address, insn->operand_size, source(insn, cpu)) ? INSN_OK : INSN_FAULT;
	case INSN_CMPXCHG:
		return compare_exchange(insn, cpu, memory, address) ? INSN_OK : INSN_FAULT;
	default:
		return modify(insn, cpu, memory, address) ? INSN_OK : INSN_FAULT;
	}
}

enum insn_result insn_execute(const struct insn *insn, struct insn_cpu *cpu, const struct insn_memory *memory)
{
	enum insn_result result = perform(insn, cpu, memory);

	if (result == INSN_OK) {
		cpu->rip += insn->length;
		/* In 16-bit code as well: the segment's limit decides, not the width of IP. */
		if (cpu->mode != INSN_MODE_64)
			cpu->rip = alu_truncate(cpu->rip, 4);
	}
	return result;
}
