/* SPDX-License-Identifier: Apache-2.0 */
/*
 * insn_step against this machine's own processor: random instructions of its set, with
 * random registers, flags and memory, run both ways; jumps land where they should. And
 * against capstone: it never takes for one of its own what is another instruction.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <cmocka.h>
#include <capstone/capstone.h>

#include "hv/x86/execute_alu.h"
#include "hv/x86/step.h"

#define BUFFER_BYTES 8192u
#define SLOT_BYTES   INSN_MAX_BYTES
#define RUNS	     80000u

enum { NOT_TAKEN, FORWARD, BACKWARD }; /* what the native run leaves in `landed` */

struct state {
	uint64_t gpr[16], rflags, host_rsp;
	uint64_t landed;
};

/* Below 2 GiB, so that absolute addresses fit a displacement. */
static struct arena {
	uint8_t code[4096]; /* loads the state, SLOT_BYTES of instruction, stores the state */
	struct state state;
	uint8_t before[4096 - sizeof(struct state)];
	uint8_t buffer[BUFFER_BYTES];
} * arena;
/* Offsets in `code`: the instruction, and the two places where its jumps go. */
static unsigned slot, forward, backward;
static unsigned emitted;
static uint8_t shadow[BUFFER_BYTES];
static unsigned accesses;

static void emit(unsigned count, ...)
{
	va_list list;
	va_start(list, count);
	while (count--)
		arena->code[emitted++] = (uint8_t)va_arg(list, int);
	va_end(list);
}

/* An instruction whose ModRM is RIP-relative to `where`, `reg` in it; `behind` bytes follow the address. */
static void emit_relative(int rex, int opcode, int reg, const void *where, unsigned behind)
{
	if (rex)
		emit(1, rex | (reg >= 8 ? 4 : 0));
	emit(2, opcode, (reg & 7) << 3 | 5);
	int32_t distance = (int32_t)((const uint8_t *)where - (arena->code + emitted + 4 + behind));
	memcpy(arena->code + emitted, &distance, 4);
	emitted += 4;
}

static void emit_landing(unsigned *at, int mark)
{
	*at = emitted;
	emit_relative(0, 0xc6, 0, &arena->state.landed, 1); /* mov byte [landed], mark: no flags */
	emit(1, mark);
}

static int make_arena(void **state)
{
	(void)state;
	arena = mmap(NULL, sizeof(*arena), PROT_READ | PROT_WRITE | PROT_EXEC,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	if (arena == MAP_FAILED)
		return -1;
	emit(10, 0x53, 0x55, 0x41, 0x54, 0x41, 0x55, 0x41, 0x56, 0x41, 0x57); /* push rbx rbp r12..r15 */
	emit_relative(0x48, 0x89, 4, &arena->state.host_rsp, 0);
	emit_relative(0, 0xff, 6, &arena->state.rflags, 0); /* push; popfq */
	emit(1, 0x9d);
	for (int reg = 0; reg < 16; reg++)
		emit_relative(0x48, 0x8b, reg, &arena->state.gpr[reg], 0);
	emit(2, 0xeb, 9); /* over the backward landing to the slot */
	emit_landing(&backward, BACKWARD);
	emit(2, 0xeb, SLOT_BYTES + 2 + 7); /* over the slot and the forward landing */
	slot = emitted;
	emitted += SLOT_BYTES;
	emit(2, 0xeb, 7);
	emit_landing(&forward, FORWARD);
	for (int reg = 0; reg < 16; reg++)
		emit_relative(0x48, 0x89, reg, &arena->state.gpr[reg], 0);
	emit_relative(0x48, 0x8b, 4, &arena->state.host_rsp, 0);
	emit(1, 0x9c);
	emit_relative(0, 0x8f, 0, &arena->state.rflags, 0); /* pushfq; pop */
	emit(12, 0xfc, 0x41, 0x5f, 0x41, 0x5e, 0x41, 0x5d, 0x41, 0x5c, 0x5d, 0x5b, 0xc3);
	return 0;
}

static int drop_arena(void **state)
{
	(void)state;
	return munmap(arena, sizeof(*arena));
}

static uint64_t random64(void)
{
	static const uint64_t edges[] = {0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff,
		0x80000000, 0xffffffff, 0x7fffffffffffffff, 0x8000000000000000, ~0ull};
	if (rand() % 4 == 0)
		return edges[(unsigned)rand() % 14];
	return (uint64_t)rand() << 42 ^ (uint64_t)rand() << 21 ^ (uint64_t)rand();
}

static int shadow_load(void *context, uint64_t linear, unsigned size, uint64_t *value)
{
	uint64_t offset = linear - (uintptr_t)arena->buffer;
	(void)context;
	accesses++;
	*value = 0xdddddddddddddddd; /* what is above `size` must not matter */
	if (offset > BUFFER_BYTES - size)
		return -1;
	memcpy(value, shadow + offset, size);
	return 0;
}

static int shadow_store(void *context, uint64_t linear, unsigned size, uint64_t value)
{
	uint64_t offset = linear - (uintptr_t)arena->buffer;
	(void)context;
	accesses++;
	assert_true(size == 8 || value >> (8 * size) == 0);
	if (offset > BUFFER_BYTES - size)
		return -1;
	memcpy(shadow + offset, &value, size);
	return 0;
}

static const struct insn_memory shadow_memory = {NULL, shadow_load, shadow_store};

static const uint16_t opcodes[] = {0x50, 0x54, 0x58, 0x5c, 0x5f, 0xc3, 0xc3, 0xe8, 0xff, 0xff, 0x63, 0x80, 0x81, 0x83, 0x84, 0x85, 0x88, 0x89, 0x8a, 0x8b, 0x8d, 0x90, 0xa8,
	0xa9, 0xb0, 0xb4, 0xb8, 0xbf, 0xc0, 0xc0, 0xc1, 0xc1, 0xc6, 0xc7, 0xd0, 0xd1, 0xd2, 0xd2, 0xd3, 0xd3,
	0xe9, 0xeb, 0xf6, 0xf7, 0xfe, 0xff, 0xf1f, 0xfb6, 0xfb7, 0xfbe, 0xfbf};

/* Random bytes that begin like an instruction of the set. */
static void random_code(uint8_t *code)
{
	static const uint8_t prefixes[] = {0x66, 0x66, 0x67, 0x2e, 0xf3, 0xf0};
	unsigned n = 0, kind = (unsigned)rand() % 8;
	for (unsigned i = 0; i < SLOT_BYTES; i++)
		code[i] = (uint8_t)(rand() >> 5);
	while (rand() % 3 == 0 && n < 3)
		code[n++] = prefixes[(unsigned)rand() % 6];
	if (rand() % 2)
		code[n++] = 0x40 | (rand() & 15);
	if (kind < 2) {
		code[n++] = (uint8_t)(rand() % 8 * 8 + rand() % 6); /* ALU */
	} else if (kind == 2) {
		if (rand() % 2)
			code[n++] = 0x0f;
		code[n] = (uint8_t)((n && code[n - 1] == 0x0f ? 0x80 : 0x70) | (rand() & 15)); /* Jcc */
		n++;
	} else {
		uint16_t opcode = opcodes[(unsigned)rand() % (sizeof(opcodes) / 2)];
		if (opcode > 0xff)
			code[n++] = 0x0f;
		code[n++] = (uint8_t)opcode;
		if (rand() % 2)
			code[n] |= 0xc0; /* the register form */
	}
}

static bool uses_stack(const struct insn *insn)
{
	return insn->operation == INSN_PUSH || insn->operation == INSN_POP || insn->operation == INSN_CALL ||
	       insn->operation == INSN_RETURN;
}

static bool has_memory(const struct insn *insn)
{
	return uses_stack(insn) ||
	       (insn->rm == INSN_NO_REGISTER &&
	       (insn->operation == INSN_MOV_LOAD || insn->operation == INSN_MOV_STORE ||
		       insn->operation == INSN_ALU_LOAD || insn->operation == INSN_ALU_STORE));
}

static bool goes_somewhere(const struct insn *insn)
{
	return insn->operation == INSN_JUMP || insn->operation == INSN_CALL;
}

/* Where a jump, a call or a return goes that does not say so itself. */
static bool steer_indirect(const struct insn *insn, struct insn_cpu *cpu, unsigned to)
{
	uint64_t address = (uintptr_t)arena->code + to;

	if (insn->operation == INSN_RETURN)
		memcpy((void *)cpu->gpr[4], &address, 8);
	else if (insn->rm == 4) /* the stack is somewhere else */
		return false;
	else
		cpu->gpr[insn->rm] = address;
	return true;
}

/* Makes jumps land on our feet and operands lie in the buffer. False: take another instruction. */
static bool steer(uint8_t *code, struct insn *insn, struct insn_cpu *cpu)
{
	unsigned to = rand() % 2 ? forward : backward;

	if (uses_stack(insn))
		cpu->gpr[4] = (uintptr_t)arena->buffer + 8 + (unsigned)rand() % (BUFFER_BYTES - 16);
	if (insn->operation == INSN_RETURN || (goes_somewhere(insn) && insn->rm != INSN_NO_REGISTER))
		return steer_indirect(insn, cpu, to);
	if (goes_somewhere(insn)) {
		unsigned end = slot + insn->length;
		int32_t distance = (int32_t)(to - end);
		bool wide = insn->length >= 5 && ((code[insn->length - 5] & 0xfe) == 0xe8 || code[insn->length - 5] >> 4 == 8);
		unsigned width = wide ? 4 : 1;
		memcpy(code + insn->length - width, &distance, width);
		return insn_step_decode(code, SLOT_BYTES, insn) == INSN_OK && insn->displacement == distance;
	}
	if (!has_memory(insn) || uses_stack(insn))
		return true;
	if (insn->base == INSN_NO_REGISTER || insn->base == insn->index || insn->segment >= SEG_FS)
		return false;
	uint64_t offset = (uintptr_t)arena->buffer + (unsigned)rand() % (BUFFER_BYTES - 8);
	offset -= (uint64_t)insn->displacement;
	if (insn->index != INSN_NO_REGISTER)
		offset -= cpu->gpr[insn->index] * insn->scale;
	cpu->gpr[insn->base] = insn->address_size == 4 ? (uint32_t)offset | random64() << 32 : offset;
	return true;
}

/* What APM 3 leaves undefined is not compared, and nothing else is left out. */
static uint64_t defined_flags(const struct insn *insn, const struct insn_cpu *before)
{
	uint64_t defined = FLAGS_STATUS | FLAG_DF;
	bool alu_form = insn->operation == INSN_ALU_LOAD || insn->operation == INSN_ALU_STORE;
	if (alu_form && (insn->sub == ALU_OR || insn->sub == ALU_AND || insn->sub == ALU_XOR ||
				insn->sub == ALU_TEST))
		defined &= ~FLAG_AF;
	if (insn->operation == INSN_SHIFT) {
		unsigned bits = 8u * insn->operand_size;
		unsigned count = (unsigned)(insn->has_immediate ? insn->immediate : before->gpr[1]) &
				 (bits == 64 ? 63 : 31);
		if (count)
			defined &= ~FLAG_AF;
		if (count > 1)
			defined &= ~FLAG_OF;
		if (count >= bits && insn->sub != ALU_SAR)
			defined &= ~FLAG_CF;
	}
	return defined;
}

static void differ(const char *what, unsigned number, const uint8_t *code, const struct insn *insn,
	uint64_t ours, uint64_t real)
{
	char text[3 * SLOT_BYTES + 1] = "";
	for (unsigned i = 0; i < insn->length; i++)
		sprintf(text + 3 * i, "%02x ", code[i]);
	fail_msg("%s: %s %u: ours %llx, the processor's %llx", text, what, number, (unsigned long long)ours,
		(unsigned long long)real);
}

static void run_both(const uint8_t *code, const struct insn *insn, struct insn_cpu *cpu)
{
	const uint64_t start = (uintptr_t)arena->code;
	const struct insn_cpu before = *cpu;

	memcpy(arena->code + slot, code, SLOT_BYTES);
	memset(arena->code + slot + insn->length, 0x90, SLOT_BYTES - insn->length);
	memcpy(arena->state.gpr, cpu->gpr, sizeof(cpu->gpr));
	arena->state.rflags = cpu->rflags;
	arena->state.landed = NOT_TAKEN;
	memcpy(shadow, arena->buffer, BUFFER_BYTES);
	cpu->rip = start + slot;
	accesses = 0;

	enum insn_result result = insn_step(code, SLOT_BYTES, cpu, &shadow_memory);
	if (result != INSN_OK)
		differ("result", 0, code, insn, result, INSN_OK);
	if (accesses != has_memory(insn))
		differ("accesses", 0, code, insn, accesses, has_memory(insn));
	void (*run)(void) = (void (*)(void))(uintptr_t)arena->code;
	run();

	for (unsigned reg = 0; reg < 16; reg++)
		if (cpu->gpr[reg] != arena->state.gpr[reg])
			differ("register", reg, code, insn, cpu->gpr[reg], arena->state.gpr[reg]);
	uint64_t flags = defined_flags(insn, &before);
	if ((cpu->rflags ^ arena->state.rflags) & flags)
		differ("flags", 0, code, insn, cpu->rflags & flags, arena->state.rflags & flags);
	for (unsigned i = 0; i < BUFFER_BYTES; i++)
		if (shadow[i] != arena->buffer[i])
			differ("memory", i, code, insn, shadow[i], arena->buffer[i]);
	const uint64_t places[] = {start + slot + insn->length, start + forward, start + backward};
	if (cpu->rip != places[arena->state.landed])
		differ("rip", 0, code, insn, cpu->rip, places[arena->state.landed]);
}

static void test_against_processor(void **state)
{
	(void)state;
	unsigned seed = (unsigned)time(NULL), ran = 0, seen[INSN_POP + 1] = {0}, conditions[17] = {0};
	unsigned landed[3] = {0};
	print_message("seed %u\n", seed);
	srand(seed);
	while (ran < RUNS) {
		uint8_t code[SLOT_BYTES];
		struct insn insn;
		struct insn_cpu cpu = {.mode = INSN_MODE_64, .segment_base = {1, 1, 1, 1, 1, 1}};

		random_code(code);
		if (insn_step_decode(code, SLOT_BYTES, &insn) != INSN_OK)
			continue;
		for (unsigned reg = 0; reg < 16; reg++)
			cpu.gpr[reg] = random64();
		cpu.rflags = 0x202 | ((unsigned)rand() & (FLAGS_STATUS | FLAG_DF));
		for (unsigned i = 0; i < BUFFER_BYTES && ran % 64 == 0; i += 8) {
			uint64_t value = random64();
			memcpy(arena->buffer + i, &value, 8);
		}
		if (!steer(code, &insn, &cpu))
			continue;
		run_both(code, &insn, &cpu);
		seen[insn.operation]++;
		if (insn.operation == INSN_JUMP) {
			conditions[insn.sub]++;
			landed[arena->state.landed]++;
		}
		ran++;
	}
	static const uint8_t set[] = {INSN_MOV_LOAD, INSN_MOV_STORE, INSN_ALU_LOAD, INSN_ALU_STORE, INSN_UNARY,
		INSN_LEA, INSN_SHIFT, INSN_NOP, INSN_JUMP, INSN_CALL, INSN_RETURN, INSN_PUSH, INSN_POP};
	for (unsigned i = 0; i < sizeof(set); i++)
		assert_true(seen[set[i]] > 500);
	for (unsigned i = 0; i < 17; i++)
		assert_true(conditions[i] > 50);
	for (unsigned i = 0; i < 3; i++)
		assert_true(landed[i] > 500);
}

/* What capstone calls an operation; the ALU ones by their number. */
static bool name_fits(const struct insn *insn, const char *name)
{
	static const char *const alu_names[] = {
		"add", "or", "adc", "sbb", "and", "sub", "xor", "cmp", "test"};
	static const char *const unary_names[] = {"inc", "dec", "not", "neg"};
	static const char *const jumps[] = {"jo", "jno", "jb", "jae", "je", "jne", "jbe", "ja", "js", "jns", "jp",
		"jnp", "jl", "jge", "jle", "jg", "jmp"};

	switch (insn->operation) {
	case INSN_MOV_LOAD:
		return !strncmp(name, "mov", 3) &&
		       (!strcmp(name, "mov") || !strcmp(name, "movabs") ||
			       !strncmp(name, insn->sign_extend ? "movsx" : "movzx", 5));
	case INSN_MOV_STORE:
		return !strcmp(name, "mov") || !strcmp(name, "movabs") || !strcmp(name, "movnti");
	case INSN_ALU_LOAD:
	case INSN_ALU_STORE:
		return !strcmp(name, alu_names[insn->sub]);
	case INSN_UNARY:
		return !strcmp(name, unary_names[insn->sub]);
	case INSN_LEA:
		return !strcmp(name, "lea");
	case INSN_SHIFT:
		return !strcmp(name, insn->sub == 4 ? "shl" : insn->sub == 5 ? "shr" : "sar");
	case INSN_NOP:
		return !strcmp(name, "nop") || (!strcmp(name, "xchg") && insn->rm == INSN_NO_REGISTER);
	case INSN_JUMP:
		return !strcmp(name, jumps[insn->sub]);
	case INSN_CALL:
		return !strcmp(name, "call");
	case INSN_RETURN:
		return !strcmp(name, "ret");
	case INSN_PUSH:
		return !strcmp(name, "push");
	case INSN_POP:
		return !strcmp(name, "pop");
	}
	return false;
}

static csh engine;
static cs_insn *theirs;

static int open_capstone(void **state)
{
	(void)state;
	if (cs_open(CS_ARCH_X86, CS_MODE_64, &engine) != CS_ERR_OK)
		return -1;
	cs_option(engine, CS_OPT_DETAIL, CS_OPT_ON);
	theirs = cs_malloc(engine);
	return theirs ? 0 : -1;
}

static int close_capstone(void **state)
{
	(void)state;
	cs_free(theirs, 1);
	return cs_close(&engine);
}

/* Whether what the decoder takes is what capstone sees; true when it takes it. */
static bool agree(const uint8_t *bytes)
{
	const uint8_t *at = bytes;
	size_t left = INSN_MAX_BYTES;
	uint64_t address = 0;
	struct insn insn, shorter;

	if (insn_step_decode(bytes, INSN_MAX_BYTES, &insn) != INSN_OK)
		return false;
	if (!cs_disasm_iter(engine, &at, &left, &address, theirs))
		differ("unknown to capstone", 0, bytes, &insn, insn.operation, 0);
	if (theirs->size != insn.length)
		differ("length", 0, bytes, &insn, insn.length, theirs->size);
	if (!name_fits(&insn, theirs->mnemonic))
		differ(theirs->mnemonic, 0, bytes, &insn, insn.operation, insn.sub);
	if (goes_somewhere(&insn) && insn.rm == INSN_NO_REGISTER &&
		(uint64_t)theirs->detail->x86.operands[0].imm != insn.length + (uint64_t)insn.displacement)
		differ("target", 0, bytes, &insn, (uint64_t)insn.displacement,
			(uint64_t)theirs->detail->x86.operands[0].imm);
	for (size_t available = 0; available < insn.length; available++)
		if (insn_step_decode(bytes, available, &shorter) != INSN_TRUNCATED)
			differ("truncated", (unsigned)available, bytes, &insn, 0, 0);
	return true;
}

/* Every opcode of both maps, with every ModRM byte, plain and behind prefixes. */
static void test_every_opcode(void **state)
{
	(void)state;
	static const uint8_t prefixes[] = {0, 0x66, 0x48, 0x41, 0x67, 0xf2, 0xf3, 0xf0, 0x2e, 0x65};
	unsigned taken = 0, taken_opcodes[2][256] = {{0}};
	srand(1);
	for (unsigned p = 0; p < sizeof(prefixes); p++)
		for (unsigned opcode = 0; opcode < 512; opcode++)
			for (unsigned modrm = 0; modrm < 256; modrm++) {
				uint8_t bytes[INSN_MAX_BYTES];
				unsigned n = 0;
				for (unsigned i = 0; i < sizeof(bytes); i++)
					bytes[i] = (uint8_t)(rand() >> 5);
				if (prefixes[p])
					bytes[n++] = prefixes[p];
				if (opcode > 255)
					bytes[n++] = 0x0f;
				bytes[n++] = (uint8_t)opcode;
				bytes[n] = (uint8_t)modrm;
				if (!agree(bytes))
					continue;
				assert_false(prefixes[p] == 0xf0 || prefixes[p] == 0xf2 || prefixes[p] == 0xf3);
				taken++;
				taken_opcodes[opcode >> 8][opcode & 255]++;
			}
	/* What must be there: the instructions that compilers put between two register writes. */
	static const uint8_t wanted[] = {0x01, 0x03, 0x05, 0x38, 0x3d, 0x50, 0x57, 0x58, 0x5f, 0x63, 0x70, 0x7f, 0x80, 0x81, 0x83, 0x84, 0x85,
		0x88, 0x89, 0x8a, 0x8b, 0x8d, 0x90, 0xa8, 0xa9, 0xb0, 0xbf, 0xc0, 0xc1, 0xc3, 0xc6, 0xc7, 0xd0, 0xd1,
		0xd2, 0xd3, 0xe8, 0xe9, 0xeb, 0xf6, 0xf7, 0xfe, 0xff};
	static const uint8_t wanted_0f[] = {0x1f, 0x80, 0x8f, 0xb6, 0xb7, 0xbe, 0xbf};
	for (unsigned i = 0; i < sizeof(wanted); i++)
		assert_true(taken_opcodes[0][wanted[i]]);
	for (unsigned i = 0; i < sizeof(wanted_0f); i++)
		assert_true(taken_opcodes[1][wanted_0f[i]]);
	print_message("%u encodings taken\n", taken);
}

static void test_random_bytes(void **state)
{
	(void)state;
	unsigned seed = (unsigned)time(NULL), taken = 0;
	print_message("seed %u\n", seed);
	srand(seed);
	for (unsigned i = 0; i < 400000; i++) {
		uint8_t bytes[SLOT_BYTES];
		random_code(bytes);
		taken += agree(bytes);
	}
	assert_true(taken > 100000);
}

static enum insn_result step(struct insn_cpu *cpu, const char *code, size_t bytes)
{
	accesses = 0;
	return insn_step((const uint8_t *)code, bytes, cpu, &shadow_memory);
}

#define STEP(cpu, code) step(cpu, code, sizeof(code) - 1)

/* Nothing has changed, and nothing was accessed, when an instruction is refused. */
static void test_refused(void **state)
{
	(void)state;
	static const struct {
		const char *code;
		size_t bytes;
	} cases[] = {
		{"\x01\x03",		 2}, /* add [rbx], eax: reads and writes */
		{"\xff\x03",		 2}, /* inc dword [rbx] */
		{"\xd1\x23",		 2}, /* shl dword [rbx], 1 */
		{"\x87\x03",		 2}, /* xchg [rbx], eax */
		{"\x87\xc3",		 2}, /* xchg ebx, eax */
		{"\x41\x90",		 2}, /* xchg r8d, eax */
		{"\xf3\x90",		 2}, /* pause */
		{"\xf0\x01\xc0",	 3}, /* lock add eax, eax */
		{"\xf0\x09\x03",	 3}, /* lock or [rbx], eax */
		{"\x0f\xb1\x0b",	 3}, /* cmpxchg */
		{"\xa4",		 1}, /* movsb */
		{"\xc1\xc0\x04",	 3}, /* rol eax, 4 */
		{"\xd1\xf0",		 2}, /* the other shl */
		{"\x8d\xc0",		 2}, /* lea of a register */
		{"\x0f\xc3\xc0",	 3}, /* movnti to a register */
		{"\x66\xeb\x00",	 3}, /* jump with an operand size */
		{"\x66\x0f\x84\x00\x00", 5}, /* the same, conditional */
		{"\x0f\xa3\xc8",	 3}, /* bt eax, ecx */
		{"\x66\x50",		 2}, /* push ax */
		{"\x66\x58",		 2}, /* pop ax */
		{"\x66\xc3",		 2}, /* ret, two bytes */
		{"\xf3\xc3",		 2}, /* rep ret */
		{"\xc2\x08\x00",	 3}, /* ret 8 */
		{"\xcb",		 1}, /* ret far */
		{"\x66\xe8\x00\x00\x00\x00", 6}, /* call with an operand size */
		{"\xff\x13",		 2}, /* call [rbx] */
		{"\xff\x23",		 2}, /* jmp [rbx] */
		{"\xff\x1b",		 2}, /* call far [rbx] */
		{"\xff\x33",		 2}, /* push qword [rbx] */
		{"\xff\xf0",		 2}, /* the other push */
		{"\x8f\xc0",		 2}, /* the other pop */
		{"\x6a\x01",		 2}, /* push 1 */
		{"\xc9",		 1}, /* leave */
		{"\xcc",		 1}, /* int3 */
		{"\xfa",		 1}, /* cli */
		{"\x0f\x05",		 2}, /* syscall */
		{"\x0f\xae\xf0",	 3}, /* mfence */
		{"\x0f\x22\xd8",	 3}, /* mov cr3, rax */
		{"\x66\x0f\x6f\x03",	 4}, /* movdqa xmm0, [rbx] */
		{"\xc5\xf9\x6f\x03",	 4}, /* the same, VEX */
	};
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct insn_cpu cpu = {.mode = INSN_MODE_64, .rip = 0x1000, .rflags = 0x8d7}, before;
		for (unsigned reg = 0; reg < 16; reg++)
			cpu.gpr[reg] = (uintptr_t)arena->buffer;
		before = cpu;
		assert_int_equal(step(&cpu, cases[i].code, cases[i].bytes), INSN_UNSUPPORTED);
		assert_memory_equal(&cpu, &before, sizeof(cpu));
		assert_int_equal(accesses, 0);
	}
}

static void test_failed_access(void **state)
{
	(void)state;
	struct insn_cpu cpu = {.mode = INSN_MODE_64, .rip = 0x1000, .rflags = 0x8d7}, before = cpu;
	assert_int_equal(STEP(&cpu, "\x8b\x03"), INSN_FAULT); /* [rbx], which is 0 */
	assert_int_equal(STEP(&cpu, "\x89\x03"), INSN_FAULT);
	assert_int_equal(STEP(&cpu, "\x2b\x03"), INSN_FAULT);
	assert_int_equal(STEP(&cpu, "\x39\x03"), INSN_FAULT);
	assert_int_equal(accesses, 1);
	assert_memory_equal(&cpu, &before, sizeof(cpu));
	assert_int_equal(STEP(&cpu, "\x50"), INSN_FAULT); /* the stack, which is at 0 */
	assert_int_equal(STEP(&cpu, "\x5c"), INSN_FAULT);
	assert_int_equal(STEP(&cpu, "\xc3"), INSN_FAULT);
	assert_int_equal(STEP(&cpu, "\xe8\x00\x00\x00\x00"), INSN_FAULT);
	assert_int_equal(STEP(&cpu, "\xff\xd0"), INSN_FAULT);
	assert_memory_equal(&cpu, &before, sizeof(cpu));
}

/* FS plays no part in LEA; a jump may not leave the canonical addresses. */
static void test_addresses(void **state)
{
	(void)state;
	struct insn_cpu cpu = {.mode = INSN_MODE_64, .rip = 0x00007ffffffffff0};
	cpu.segment_base[SEG_FS] = 0x1000;
	assert_int_equal(STEP(&cpu, "\x64\x48\x8d\x43\x08"), INSN_OK); /* lea rax, fs:[rbx+8] */
	assert_int_equal(cpu.gpr[0], 8);
	assert_int_equal(cpu.rip, 0x00007ffffffffff5);
	assert_int_equal(STEP(&cpu, "\xeb\x08"), INSN_OK);
	assert_int_equal(cpu.rip, 0x00007fffffffffff);
	assert_int_equal(STEP(&cpu, "\x90"), INSN_UNSUPPORTED);
	cpu.rip -= 15;
	assert_int_equal(STEP(&cpu, "\xeb\x0e"), INSN_UNSUPPORTED);
	assert_int_equal(STEP(&cpu, "\xe9\x00\x00\x00\x80"), INSN_OK);
	assert_int_equal(cpu.rip, 0x00007fff7ffffff5);
	cpu.rip = 0xffff800000000000;
	assert_int_equal(STEP(&cpu, "\xeb\xfe"), INSN_OK);
	assert_int_equal(STEP(&cpu, "\xeb\xfd"), INSN_UNSUPPORTED);
	assert_int_equal(cpu.rip, 0xffff800000000000);
}

/* Nor a call, which has pushed nothing then, nor a return, which is still there. */
static void test_call_addresses(void **state)
{
	(void)state;
	const uint64_t nowhere = 0x0000800000000000;
	struct insn_cpu cpu = {.mode = INSN_MODE_64, .rip = 0x1000, .gpr = {nowhere}}, before;

	cpu.gpr[4] = (uintptr_t)arena->buffer + 64;
	before = cpu;
	memcpy(shadow + 64, &nowhere, 8);
	assert_int_equal(STEP(&cpu, "\xff\xd0"), INSN_UNSUPPORTED);
	assert_int_equal(accesses, 0);
	assert_int_equal(STEP(&cpu, "\xff\xe0"), INSN_UNSUPPORTED);
	assert_int_equal(STEP(&cpu, "\xc3"), INSN_UNSUPPORTED);
	assert_memory_equal(&cpu, &before, sizeof(cpu));
	cpu.rip = before.rip = nowhere - 4;
	assert_int_equal(STEP(&cpu, "\xe8\x00\x00\x00\x00"), INSN_UNSUPPORTED);
	assert_int_equal(accesses, 0);
	assert_memory_equal(&cpu, &before, sizeof(cpu));
}

/* The very instructions between the two register writes that issue a disk command. */
static void test_disk_command(void **state)
{
	(void)state;
	struct insn_cpu cpu = {.mode = INSN_MODE_64, .rip = 0x1000, .rflags = 2};
	memset(shadow, 0, sizeof(shadow));
	memcpy(shadow + 0x5c, "\x05\x00\x00\x00", 4);
	cpu.gpr[0] = cpu.gpr[2] = cpu.gpr[6] = (uintptr_t)arena->buffer;
	assert_int_equal(STEP(&cpu, "\x80\x7e\x45\x00"), INSN_OK); /* cmpb $0, 0x45(%rsi) */
	assert_int_equal(STEP(&cpu, "\x74\x10"), INSN_OK);	   /* je */
	assert_int_equal(cpu.rip, 0x1016);
	assert_int_equal(STEP(&cpu, "\x8b\x48\x5c"), INSN_OK);	       /* mov 0x5c(%rax), %ecx */
	assert_int_equal(STEP(&cpu, "\xbe\x01\x00\x00\x00"), INSN_OK); /* mov $1, %esi */
	assert_int_equal(STEP(&cpu, "\xd3\xe6"), INSN_OK);	       /* shl %cl, %esi */
	assert_int_equal(STEP(&cpu, "\x89\x72\x38"), INSN_OK);	       /* mov %esi, 0x38(%rdx) */
	assert_memory_equal(shadow + 0x38, "\x20\x00\x00\x00", 4);
	assert_int_equal(cpu.rip, 0x1016 + 3 + 5 + 2 + 3);
}

int main(void)
{
	const struct CMUnitTest native[] = {
		cmocka_unit_test(test_against_processor),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_failed_access),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_call_addresses),
		cmocka_unit_test(test_disk_command),
	};
	const struct CMUnitTest compared[] = {
		cmocka_unit_test(test_every_opcode),
		cmocka_unit_test(test_random_bytes),
	};
	int failed = cmocka_run_group_tests(native, make_arena, drop_arena);

	return failed + cmocka_run_group_tests(compared, open_capstone, close_capstone);
}
