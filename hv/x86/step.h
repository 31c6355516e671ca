/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One instruction of the small set that stands between a driver's accesses to a
 * device: moves, address and integer arithmetic, shifts, jumps, loads and stores,
 * near calls and returns, registers pushed and popped. 64-bit mode only; not where
 * CR4.CET is set, for no shadow stack is kept. What reads and writes memory in one instruction is left out,
 * so that an instruction which stops has done nothing at all.
 */
#ifndef HV_X86_STEP_H
#define HV_X86_STEP_H

#include "hv/x86/decode.h"

/* Pure: decodes one instruction of the set at `bytes`. */
enum insn_result insn_step_decode(const uint8_t *bytes, size_t available, struct insn *out);

/*
 * Decodes and executes the instruction whose bytes, `available` of them, stand at
 * cpu->rip. It makes at most one memory access. Anything but INSN_OK has changed
 * nothing in `cpu`. INSN_UNSUPPORTED also where the next rip would not be canonical.
 * Flags that are left undefined: AF cleared, CF and OF as wider shifts give them.
 */
enum insn_result insn_step(
	const uint8_t *bytes, size_t available, struct insn_cpu *cpu, const struct insn_memory *memory);

/* Whether a 64-bit address is one with four-level paging; the few more that five levels have are not. */
static inline bool insn_canonical(uint64_t linear)
{
	return (uint64_t)((int64_t)(linear << 16) >> 16) == linear;
}

#endif
