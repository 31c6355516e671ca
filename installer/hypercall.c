/* SPDX-License-Identifier: Apache-2.0 */
#include "installer/hypercall.h"
#include <setjmp.h>
#include <signal.h>

static sigjmp_buf refused;

static void on_refusal(int number)
{
	(void)number;
	siglongjmp(refused, 1);
}

/* Not inlined: what it holds in registers is not set back by siglongjmp(). */
__attribute__((noinline)) static void call(struct hypercall *answer, struct hypercall_gpr gpr)
{
	hypercall_instruction(&gpr);
	*answer = (struct hypercall){(int64_t)gpr.rax, gpr.rbx, gpr.rcx, gpr.rdx, gpr.rsi};
}

int hypercall(struct hypercall *answer, enum hypercall_function function, uint64_t rcx, uint64_t rdx)
{
	const struct hypercall_gpr gpr = {HYPERCALL_MAGIC, function, rcx, rdx, 0};
	struct sigaction catch = {.sa_handler = on_refusal}, illegal, fault;
	int err = -1;

	sigaction(SIGILL, &catch, &illegal);
	sigaction(SIGSEGV, &catch, &fault);
	if (!sigsetjmp(refused, 1)) {
		call(answer, gpr);
		err = 0;
	}
	sigaction(SIGILL, &illegal, NULL);
	sigaction(SIGSEGV, &fault, NULL);
	return err;
}
