/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The instruction decoder and executor for guest instructions that touch trapped
 * memory. It covers what compilers and drivers use on MMIO; anything else is
 * refused (INSN_UNSUPPORTED) and the caller injects #UD with a log line. Refused too:
 * F2/F3 before what is not a string instruction (lock elision), 66 before MOVSXD,
 * vector moves outside 64-bit mode. AMD64 APM volumes 3 and 4.
 */
#ifndef HV_X86_DECODE_H
#define HV_X86_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INSN_MAX_BYTES 15

enum insn_mode { INSN_MODE_16, INSN_MODE_32, INSN_MODE_64 };

enum insn_segment { SEG_ES, SEG_CS, SEG_SS, SEG_DS, SEG_FS, SEG_GS };

/* Register numbers are those of the encoding: rax rcx rdx rbx rsp rbp rsi rdi r8..r15. */
#define INSN_NO_REGISTER 0xff

enum insn_operation {
	INSN_MOV_LOAD,	/* register <- memory (also MOVZX, MOVSX, MOVSXD: the sizes and sign_extend) */
	INSN_MOV_STORE, /* memory <- register or immediate */
	INSN_ALU_LOAD,	/* register op= memory: ADD OR ADC SBB AND SUB XOR CMP */
	INSN_ALU_STORE, /* memory op= register or immediate (CMP and TEST only read; TEST is always here) */
	INSN_XCHG,
	INSN_CMPXCHG,
	INSN_BIT,   /* BT BTS BTR BTC, register or immediate index */
	INSN_UNARY, /* INC DEC NOT NEG */
	INSN_MOVS,
	INSN_STOS,
	INSN_LODS,
	/* MOVDQA/U MOVAPS/UPS MOVD/MOVQ of XMM and YMM: length and address known, registers not touched */
	INSN_VECTOR_LOAD,
	INSN_VECTOR_STORE,
	/* Only insn_step (hv/x86/step.h) decodes these: */
	INSN_LEA,
	INSN_SHIFT, /* SHL SHR SAR by CL or an immediate */
	INSN_NOP,
	INSN_JUMP, /* to the displacement from the instruction's end, or to what the register `rm` holds */
	INSN_CALL, /* as INSN_JUMP */
	INSN_RETURN,
	INSN_PUSH, /* the register `rm` */
	INSN_POP,
};

struct insn {
	uint8_t length; /* bytes of the whole instruction */
	uint8_t operation;
	/* ALU: the encoding's /digit 0..7, 8 TEST; BIT: 0 BT 1 BTS 2 BTR 3 BTC; UNARY: 0 INC 1 DEC 2 NOT 3
	 * NEG; SHIFT: the /digit, 4 SHL 5 SHR 7 SAR; JUMP: the condition 0..15, 16 always */
	uint8_t sub;
	uint8_t operand_size;  /* bytes at the memory operand: 1 2 4 8 (16, 32 for vector) */
	uint8_t register_size; /* bytes of the register operand: 1 2 4 8 (vector: as operand_size) */
	bool sign_extend;
	bool has_immediate;
	bool high_byte; /* register is AH CH DH BH, and `reg` 0..3 */
	bool repeat;	/* REP or REPNE prefix on a string instruction */
	uint16_t slice; /* iterations of it in one execution: INSN_REP_SLICE, or fewer if the caller says so */
	bool locked;
	uint8_t address_size;	    /* 2 4 8 */
	uint8_t segment;	    /* enum insn_segment, overrides applied */
	uint8_t base, index, scale; /* register numbers or INSN_NO_REGISTER; scale 1 2 4 8 */
	bool rip_relative;
	uint8_t reg; /* the register operand, or INSN_NO_REGISTER */
	uint8_t rm;  /* insn_step only: a register in the place of the memory operand, or INSN_NO_REGISTER */
	bool rm_high_byte;
	int64_t displacement;
	uint64_t immediate; /* sign-extended to 64 bits */
};

enum insn_result {
	INSN_OK,
	INSN_UNSUPPORTED, /* outside the covered set, or not a legal encoding */
	INSN_TRUNCATED,	  /* `available` bytes end inside the instruction */
	INSN_FAULT,	  /* a callback failed, and has arranged for the fault */
	INSN_AGAIN, /* REP stopped after `slice` iterations; run the guest again at the same RIP */
};

/* Pure: decodes the instruction at `bytes`. */
enum insn_result insn_decode(const uint8_t *bytes, size_t available, enum insn_mode mode, struct insn *out);

/* The state an execution reads and writes. */
struct insn_cpu {
	uint64_t gpr[16];
	uint64_t rip;
	uint64_t rflags;
	uint64_t segment_base[6]; /* in 64-bit mode only FS and GS are used */
	enum insn_mode mode;
};

struct insn_memory {
	void *context;
	/* Linear address, `size` 1 2 4 8; 0 on success, anything else stops the instruction with INSN_FAULT.
	 */
	int (*load)(void *context, uint64_t linear, unsigned size, uint64_t *value);
	int (*store)(void *context, uint64_t linear, unsigned size, uint64_t value);
};

#define INSN_REP_SLICE 256

/*
 * Executes one decoded instruction and advances rip (for a finished instruction).
 * Loads happen before stores; registers and flags change only when every access
 * has succeeded; after INSN_FAULT or INSN_AGAIN whole iterations of a REP are
 * committed, and rip is still at it. A vector instruction is INSN_UNSUPPORTED here.
 */
enum insn_result insn_execute(
	const struct insn *insn, struct insn_cpu *cpu, const struct insn_memory *memory);

/* The linear address of the memory operand of a non-string instruction. */
uint64_t insn_linear_address(const struct insn *insn, const struct insn_cpu *cpu);

#endif
