/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/guest/lib/traps.h"
#include "hv/core/hypercall.h"

/* The two instructions that call a hypervisor, by vendor; a processor knows one of them. */
static const uint8_t calls[2][3] = {{0x0f, 0x01, 0xd9}, {0x0f, 0x01, 0xc1}};

bool hypercall(struct hypercall_registers *registers)
{
	for (unsigned i = 0; i < 2; i++) {
		struct run r;

		run_prepare(&r, NULL);
		r.gpr[0] = registers->rax;
		r.gpr[3] = registers->rbx;
		r.gpr[1] = registers->rcx;
		r.gpr[2] = registers->rdx;
		r.gpr[6] = registers->rsi;
		run_bytes(&r, calls[i], sizeof(calls[i]));
		if (r.vector != VECTOR_RUN_DONE)
			continue;
		*registers = (struct hypercall_registers){r.gpr[0], r.gpr[3], r.gpr[1], r.gpr[2], r.gpr[6]};
		return true;
	}
	return false;
}

bool beneath(void)
{
	struct hypercall_registers r = {.rax = HYPERCALL_MAGIC, .rbx = HYPERCALL_INFO};

	return hypercall(&r) && r.rax == HYPERCALL_OK;
}
