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

static void call(struct hypercall *answer, enum hypercall_function function, uint64_t rcx, uint64_t rdx)
{
	struct hypercall_gpr gpr = {HYPERCALL_MAGIC, function, rcx, rdx, 0};

	hypercall_instruction(&gpr);
	*answer = (struct hypercall){(int64_t)gpr.rax, gpr.rbx, gpr.rcx, gpr.rdx, gpr.rsi};
}

int hypercall(struct hypercall *answer, enum hypercall_function function, uint64_t rcx, uint64_t rdx)
{
	struct sigaction catch = {.sa_handler = on_refusal}, illegal, fault;
	int err = -1;

	sigaction(SIGILL, &catch, &illegal);
	sigaction(SIGSEGV, &catch, &fault);
	if (!sigsetjmp(refused, 1)) {
		call(answer, function, rcx, rdx);
		err = 0;
	}
	sigaction(SIGILL, &illegal, NULL);
	sigaction(SIGSEGV, &fault, NULL);
	return err;
}
