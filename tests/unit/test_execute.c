/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Execution against this machine's own processor: random instructions of the covered
 * set with random registers, flags and memory run both ways. What no 64-bit process
 * can run (16- and 32-bit code, faults, slices) is checked by example.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "hv/x86/decode.h"
#include "hv/x86/execute_alu.h"

#define ARCH_SET_GS  0x1001
#define BUFFER_BYTES 8192u
#define SLOT_BYTES   INSN_MAX_BYTES

struct state {
	uint64_t gpr[16], rflags, host_rsp;
};

/* Below 4 GiB, so that 32-bit addresses reach all of it. */
static struct arena {
	uint8_t code[4096]; /* loads the state, SLOT_BYTES of instruction, stores the state */
	struct state state;
	uint8_t before[4096 - sizeof(struct state)]; /* an operand may begin a little before the buffer */
	uint8_t buffer[BUFFER_BYTES];
	uint8_t after[4096];
} * arena;
static unsigned slot; /* offset of the instruction in `code` */
static uint8_t shadow[BUFFER_BYTES];
static unsigned emitted;

static void emit(unsigned count, ...)
{
	va_list list;
	va_start(list, count);
	while (count--)
		arena->code[emitted++] = (uint8_t)va_arg(list, int);
	va_end(list);
}

/* An instruction whose ModRM is RIP-relative to `where`, `reg` in it. */
static void emit_relative(int rex, int opcode, int reg, const void *where)
{
	if (rex)
		emit(1, rex | (reg >= 8 ? 4 : 0));
	emit(2, opcode, (reg & 7) << 3 | 5);
	int32_t distance = (int32_t)((const uint8_t *)where - (arena->code + emitted + 4));
	memcpy(arena->code + emitted, &distance, 4);
	emitted += 4;
}

static int make_arena(void **state)
{
	(void)state;
	arena = mmap(NULL, sizeof(*arena), PROT_READ | PROT_WRITE | PROT_EXEC,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	if (arena == MAP_FAILED || syscall(SYS_arch_prctl, ARCH_SET_GS, arena->buffer))
		return -1;
	emit(10, 0x53, 0x55, 0x41, 0x54, 0x41, 0x55, 0x41, 0x56, 0x41, 0x57); /* push rbx rbp r12..r15 */
	emit_relative(0x48, 0x89, 4, &arena->state.host_rsp);
	emit_relative(0, 0xff, 6, &arena->state.rflags); /* push; popfq */
	emit(1, 0x9d);
	for (int reg = 0; reg < 16; reg++)
		emit_relative(0x48, 0x8b, reg, &arena->state.gpr[reg]);
	slot = emitted;
	emitted += SLOT_BYTES;
	for (int reg = 0; reg < 16; reg++)
		emit_relative(0x48, 0x89, reg, &arena->state.gpr[reg]);
	emit_relative(0x48, 0x8b, 4, &arena->state.host_rsp);
	emit(1, 0x9c);
	emit_relative(0, 0x8f, 0, &arena->state.rflags); /* pushfq; pop */
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

static int shadow_access(uint64_t linear, unsigned size, void **at)
{
	uint64_t offset = linear - (uintptr_t)arena->buffer;
	if (offset > BUFFER_BYTES - size)
		return -1;
	*at = shadow + offset;
	return 0;
}

static int shadow_load(void *context, uint64_t linear, unsigned size, uint64_t *value)
{
	void *at;
	(void)context;
	*value = 0xdddddddddddddddd; /* what is above `size` must not matter */
	if (shadow_access(linear, size, &at))
		return -1;
	memcpy(value, at, size);
	return 0;
}

static int shadow_store(void *context, uint64_t linear, unsigned size, uint64_t value)
{
	void *at;
	(void)context;
	assert_true(size == 8 || value >> (8 * size) == 0);
	if (shadow_access(linear, size, &at))
		return -1;
	memcpy(at, &value, size);
	return 0;
}

static const struct insn_memory shadow_memory = {NULL, shadow_load, shadow_store};

static const uint16_t opcodes[] = {0x63, 0x80, 0x81, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8b,
	0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xaa, 0xab, 0xac, 0xad, 0xc6, 0xc7, 0xf6, 0xf7, 0xfe, 0xff, 0xfa3,
	0xfab, 0xfb3, 0xfbb, 0xfba, 0xfb0, 0xfb1, 0xfb6, 0xfb7, 0xfbe, 0xfbf, 0xfc3, 0xfba, 0xfb1};

/* Random bytes that begin like an instruction of the covered set. */
static void random_code(uint8_t *code)
{
	static const uint8_t prefixes[] = {0x66, 0x67, 0xf0, 0xf3, 0xf2, 0x65};
	unsigned n = 0;
	for (unsigned i = 0; i < SLOT_BYTES; i++)
		code[i] = (uint8_t)(rand() >> 5);
	while (rand() % 2 && n < 3)
		code[n++] = prefixes[(unsigned)rand() % 6];
	if (rand() % 2)
		code[n++] = 0x40 | (rand() & 15);
	if (rand() % 3 == 0) {
		code[n++] = (uint8_t)(rand() % 8 * 8 + rand() % 4);
		return;
	}
	uint16_t opcode = opcodes[(unsigned)rand() % (sizeof(opcodes) / 2)];
	if (opcode > 0xff)
		code[n++] = 0x0f;
	code[n++] = (uint8_t)opcode;
}

static bool is_string(const struct insn *insn)
{
	return insn->operation == INSN_MOVS || insn->operation == INSN_STOS || insn->operation == INSN_LODS;
}

/* Replaces the address in the instruction itself (RIP-relative or absolute), where there is one. */
static bool patch_displacement(uint8_t *code, struct insn *insn, uint64_t offset)
{
	unsigned immediate = 0;
	if (insn->has_immediate) { /* its bytes: what the decoder needs beyond */
		struct insn shorter;
		uint8_t copy[SLOT_BYTES];
		memcpy(copy, code, SLOT_BYTES);
		copy[insn->length - 2] ^= 1; /* a longer immediate reads this byte */
		insn_decode(copy, SLOT_BYTES, INSN_MODE_64, &shorter);
		immediate = shorter.displacement != insn->displacement ? 1 : insn->operand_size == 2 ? 2 : 4;
	}
	unsigned width = insn->length - immediate >= 9 && insn->reg == 0 && insn->address_size == 8 &&
					 insn->displacement != (int32_t)insn->displacement
				 ? 8
				 : 4;
	uint64_t value =
		insn->rip_relative ? offset - ((uintptr_t)arena->code + slot + insn->length) : offset;
	memcpy(code + insn->length - immediate - width, &value, width);
	return insn_decode(code, SLOT_BYTES, INSN_MODE_64, insn) == INSN_OK &&
	       (insn->displacement == (int64_t)value || width == 4);
}

/* Sets registers so that the operand lies in the buffer. False: this one cannot be steered, take another. */
static bool steer(uint8_t *code, struct insn *insn, struct insn_cpu *cpu)
{
	uint64_t offset = 1024 + (unsigned)rand() % 4096;
	uint64_t high = insn->address_size == 4 ? random64() << 32 : 0;
	bool gs = insn->segment == SEG_GS;

	if (is_string(insn)) {
		uint64_t other = 1024 + (unsigned)rand() % 4096;
		cpu->gpr[6] = (gs ? offset : offset + (uintptr_t)arena->buffer) | high;
		cpu->gpr[7] = (other + (uintptr_t)arena->buffer) | high;
		/* With a count of zero in 32 bits processors differ in what they leave in the upper halves. */
		if (insn->repeat)
			cpu->gpr[1] = ((unsigned)rand() % 100 + (insn->address_size == 4)) | high;
		return true;
	}
	if (!gs)
		offset += (uintptr_t)arena->buffer;
	if (insn->operation == INSN_BIT && !insn->has_immediate) {
		if (insn->reg == insn->base || insn->reg == insn->index)
			return false;
		unsigned unused = 64 - 8 * insn->operand_size;
		cpu->gpr[insn->reg] = (uint64_t)(rand() % 8192 - 4096) << unused >> unused |
				      (unused ? random64() << (64 - unused) : 0);
	}
	if (insn->base == INSN_NO_REGISTER && insn->index == INSN_NO_REGISTER)
		return patch_displacement(code, insn, offset);
	if (insn->base == INSN_NO_REGISTER || insn->base == insn->index)
		return false;
	offset -= (uint64_t)insn->displacement;
	if (insn->index != INSN_NO_REGISTER)
		offset -= cpu->gpr[insn->index] * insn->scale;
	cpu->gpr[insn->base] = insn->address_size == 4 ? (uint32_t)offset | high : offset;
	return true;
}

static uint64_t defined_flags(const struct insn *insn)
{
	uint64_t defined = FLAGS_STATUS | FLAG_DF;
	bool alu_form = insn->operation == INSN_ALU_LOAD || insn->operation == INSN_ALU_STORE;
	if (insn->operation == INSN_BIT)
		defined = FLAG_CF | FLAG_ZF | FLAG_DF;
	if (alu_form && (insn->sub == ALU_OR || insn->sub == ALU_AND || insn->sub == ALU_XOR ||
				insn->sub == ALU_TEST))
		defined &= ~FLAG_AF;
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
	memcpy(arena->code + slot, code, SLOT_BYTES);
	memset(arena->code + slot + insn->length, 0x90, SLOT_BYTES - insn->length);
	memcpy(arena->state.gpr, cpu->gpr, sizeof(cpu->gpr));
	arena->state.rflags = cpu->rflags;
	memcpy(shadow, arena->buffer, BUFFER_BYTES);
	cpu->rip = (uintptr_t)arena->code + slot;
	cpu->segment_base[SEG_GS] = (uintptr_t)arena->buffer;
	cpu->segment_base[SEG_DS] = cpu->segment_base[SEG_ES] = cpu->segment_base[SEG_SS] =
		0x12345; /* not used */

	enum insn_result result = insn_execute(insn, cpu, &shadow_memory);
	if (result != INSN_OK)
		differ("result", 0, code, insn, result, INSN_OK);
	void (*run)(void) = (void (*)(void))(uintptr_t)arena->code;
	run();

	for (unsigned reg = 0; reg < 16; reg++)
		if (cpu->gpr[reg] != arena->state.gpr[reg])
			differ("register", reg, code, insn, cpu->gpr[reg], arena->state.gpr[reg]);
	uint64_t flags = defined_flags(insn);
	if ((cpu->rflags ^ arena->state.rflags) & flags)
		differ("flags", 0, code, insn, cpu->rflags & flags, arena->state.rflags & flags);
	for (unsigned i = 0; i < BUFFER_BYTES; i++)
		if (shadow[i] != arena->buffer[i])
			differ("memory", i, code, insn, shadow[i], arena->buffer[i]);
	assert_int_equal(cpu->rip, (uintptr_t)arena->code + slot + insn->length);
}

static void test_against_processor(void **state)
{
	(void)state;
	unsigned seed = (unsigned)time(NULL), ran = 0, seen[INSN_VECTOR_STORE + 1] = {0};
	print_message("seed %u\n", seed);
	srand(seed);
	while (ran < 60000) {
		uint8_t code[SLOT_BYTES];
		struct insn insn;
		struct insn_cpu cpu = {.mode = INSN_MODE_64};

		random_code(code);
		if (insn_decode(code, SLOT_BYTES, INSN_MODE_64, &insn) != INSN_OK ||
			insn.operation >= INSN_VECTOR_LOAD || insn.segment == SEG_FS)
			continue;
		for (unsigned reg = 0; reg < 16; reg++)
			cpu.gpr[reg] = random64();
		cpu.rflags = 0x202 | ((unsigned)rand() & (FLAGS_STATUS | FLAG_DF));
		if (!steer(code, &insn, &cpu))
			continue;
		for (unsigned i = 0; i < BUFFER_BYTES; i += 8)
			if (ran % 64 == 0 || rand() % 16 == 0) {
				uint64_t value = random64();
				memcpy(arena->buffer + i, &value, 8);
			}
		if (insn.operation == INSN_CMPXCHG && rand() % 2 && insn.base != 0 && insn.index != 0 &&
			insn.segment != SEG_GS) {
			cpu.rip = (uintptr_t)arena->code + slot;
			uint64_t address = insn_linear_address(&insn, &cpu);
			memcpy(&cpu.gpr[0], (const void *)(uintptr_t)address, insn.operand_size);
		}
		run_both(code, &insn, &cpu);
		seen[insn.operation]++;
		ran++;
	}
	for (unsigned i = 0; i < INSN_VECTOR_LOAD; i++)
		assert_true(seen[i] > 300);
}

/* Examples: 16- and 32-bit code, on memory of 64 KiB at linear 0. */
static uint8_t toy[65536];
static unsigned accesses, fail_at;

static int toy_load(void *context, uint64_t linear, unsigned size, uint64_t *value)
{
	(void)context;
	if (++accesses == fail_at || linear > sizeof(toy) - size)
		return -1;
	*value = 0;
	memcpy(value, toy + linear, size);
	return 0;
}

static int toy_store(void *context, uint64_t linear, unsigned size, uint64_t value)
{
	(void)context;
	if (++accesses == fail_at || linear > sizeof(toy) - size)
		return -1;
	memcpy(toy + linear, &value, size);
	return 0;
}

static const struct insn_memory toy_memory = {NULL, toy_load, toy_store};

static enum insn_result run(struct insn_cpu *cpu, const char *code, size_t length)
{
	struct insn insn;
	accesses = 0;
	assert_int_equal(insn_decode((const uint8_t *)code, length, cpu->mode, &insn), INSN_OK);
	assert_int_equal(insn.length, length);
	return insn_execute(&insn, cpu, &toy_memory);
}

#define RUN(cpu, code) run(cpu, code, sizeof(code) - 1)

static void test_16_bit(void **state)
{
	(void)state;
	struct insn_cpu cpu = {
		.mode = INSN_MODE_16, .rip = 0xfffe, .segment_base = {0x0, 0, 0x2000, 0x1000}
	     };
	fail_at = 0;
	cpu.gpr[3] = 0xaaaaffff; /* bx; the address wraps at 64 KiB */
	cpu.gpr[6] = 0x0011;	 /* si */
	memcpy(toy + 0x1010, "\x34\x12", 2);
	cpu.gpr[0] = 0x99998888;
	assert_int_equal(RUN(&cpu, "\x8b\x00"), INSN_OK); /* mov ax, [bx+si] */
	assert_int_equal(cpu.gpr[0], 0x99991234);
	assert_int_equal(cpu.rip, 0x10000); /* the next fetch is beyond the limit, where there is one */

	cpu.gpr[5] = 0x20;							  /* bp: stack segment */
	assert_int_equal(RUN(&cpu, "\x66\xc7\x46\xfe\x78\x56\x34\x12"), INSN_OK); /* mov dword [bp-2], imm */
	assert_memory_equal(toy + 0x201e, "\x78\x56\x34\x12", 4);

	cpu.gpr[1] = 0xdead0003; /* rep uses cx, si, di alone */
	cpu.gpr[6] = 0xbeef0000 | 0x10;
	cpu.gpr[7] = 0x77770000 | 0xffff; /* wraps */
	memcpy(toy + 0x1010, "abc", 3);
	assert_int_equal(RUN(&cpu, "\xf3\xa4"), INSN_OK);
	assert_memory_equal(toy, "bc", 2);
	assert_int_equal(cpu.gpr[1], 0xdead0000);
	assert_int_equal(cpu.gpr[6], 0xbeef0013);
	assert_int_equal(cpu.gpr[7], 0x77770002);
}

static void test_32_bit(void **state)
{
	(void)state;
	struct insn_cpu cpu = {.mode = INSN_MODE_32, .rip = 0xfffffffe};
	fail_at = 0;
	cpu.segment_base[SEG_FS] = 0xfffff000; /* base + offset wraps at 4 GiB */
	cpu.gpr[1] = 0x1200;
	memcpy(toy + 0x200, "\x01\x02\x03\x84", 4);
	assert_int_equal(RUN(&cpu, "\x64\x8b\x01"), INSN_OK); /* mov eax, fs:[ecx] */
	assert_int_equal(cpu.gpr[0], 0x84030201);
	assert_int_equal(cpu.rip, 1);
	cpu.gpr[3] = 0xfffffff0;
	cpu.gpr[2] = 0x55;
	assert_int_equal(RUN(&cpu, "\x88\x54\x0b\x10"), INSN_OK); /* mov [ebx+ecx+16], dl */
	assert_int_equal(toy[0x1200], 0x55);
	assert_int_equal(RUN(&cpu, "\x67\x88\x36\x00\x03"), INSN_OK); /* mov [0x300], dh */
	assert_int_equal(toy[0x300], 0);
}

/* Whichever access fails, nothing has changed. */
static void test_faults(void **state)
{
	(void)state;
	static const struct {
		const char *code;
		size_t length;
		unsigned accesses;
	} cases[] = {
		{"\x8b\x03",     2, 1}, /* mov eax, [rbx] */
		{"\x89\x03",     2, 1}, /* mov [rbx], eax */
		{"\x01\x03",     2, 2}, /* add [rbx], eax */
		{"\x03\x03",     2, 1}, /* add eax, [rbx] */
		{"\x87\x03",     2, 2}, /* xchg */
		{"\x0f\xb1\x0b", 3, 2}, /* cmpxchg [rbx], ecx */
		{"\x0f\xab\x0b", 3, 2}, /* bts [rbx], ecx */
		{"\xf7\x1b",     2, 2}, /* neg dword [rbx] */
		{"\xa5",	 1, 2}, /* movsd */
		{"\xab",	 1, 1}, /* stosd */
		{"\xad",	 1, 1}, /* lodsd */
	};
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (fail_at = 1; fail_at <= cases[i].accesses + 1; fail_at++) {
			struct insn_cpu cpu = {.mode = INSN_MODE_64, .rip = 0x1000, .rflags = 0x8d7}, before;
			for (unsigned reg = 0; reg < 16; reg++)
				cpu.gpr[reg] = 0x100 * reg + 8;
			memset(toy, 0x5a, sizeof(toy));
			before = cpu;
			enum insn_result result = run(&cpu, cases[i].code, cases[i].length);
			if (fail_at > cases[i].accesses) {
				assert_int_equal(result, INSN_OK);
				continue;
			}
			assert_int_equal(result, INSN_FAULT);
			assert_memory_equal(cpu.gpr, before.gpr, sizeof(cpu.gpr));
			assert_int_equal(cpu.rflags, before.rflags);
			assert_int_equal(cpu.rip, before.rip);
			for (unsigned at = 0; at < sizeof(toy); at++)
				assert_int_equal(toy[at], 0x5a);
		}
}

static void test_repeat_fault_and_slice(void **state)
{
	(void)state;
	struct insn_cpu cpu = {.mode = INSN_MODE_64, .rip = 0x1000};
	fail_at = 6; /* the third iteration's store */
	cpu.gpr[1] = 10;
	cpu.gpr[6] = 0x100;
	cpu.gpr[7] = 0x800;
	assert_int_equal(RUN(&cpu, "\xf3\x48\xa5"), INSN_FAULT);
	assert_int_equal(cpu.gpr[1], 8);
	assert_int_equal(cpu.gpr[6], 0x110);
	assert_int_equal(cpu.gpr[7], 0x810);
	assert_int_equal(cpu.rip, 0x1000);

	fail_at = 0;
	cpu.gpr[0] = 0x77;
	cpu.gpr[1] = 2 * INSN_REP_SLICE + 1;
	cpu.gpr[7] = 0x2000;
	assert_int_equal(RUN(&cpu, "\xf3\xaa"), INSN_AGAIN);
	assert_int_equal(cpu.rip, 0x1000);
	assert_int_equal(cpu.gpr[1], INSN_REP_SLICE + 1);
	assert_int_equal(RUN(&cpu, "\xf3\xaa"), INSN_AGAIN);
	assert_int_equal(RUN(&cpu, "\xf3\xaa"), INSN_OK);
	assert_int_equal(cpu.rip, 0x1002);
	assert_int_equal(cpu.gpr[7], 0x2000 + 2 * INSN_REP_SLICE + 1);
	assert_int_equal(toy[0x2000 + 2 * INSN_REP_SLICE], 0x77);
	cpu.gpr[1] = INSN_REP_SLICE; /* exactly one slice needs no second run */
	assert_int_equal(RUN(&cpu, "\xf3\xaa"), INSN_OK);
}

static void test_vector_refused(void **state)
{
	(void)state;
	struct insn_cpu cpu = {.mode = INSN_MODE_64};
	assert_int_equal(RUN(&cpu, "\x66\x0f\x6f\x00"), INSN_UNSUPPORTED);
	assert_int_equal(accesses, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_16_bit),
		cmocka_unit_test(test_32_bit),
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_repeat_fault_and_slice),
		cmocka_unit_test(test_vector_refused),
		cmocka_unit_test(test_against_processor),
	};
	return cmocka_run_group_tests(tests, make_arena, drop_arena);
}
