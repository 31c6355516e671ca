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

static void vmmcall(struct hypercall *answer, enum hypercall_function function, uint64_t rcx, uint64_t rdx)
{
	uint64_t rax = HYPERCALL_MAGIC, rbx = function, rsi = 0;

	__asm__ volatile("vmmcall" : "+a"(rax), "+b"(rbx), "+c"(rcx), "+d"(rdx), "+S"(rsi) : : "memory");
	*answer = (struct hypercall){rax, rbx, rcx, rdx, rsi};
}

int hypercall(struct hypercall *answer, enum hypercall_function function, uint64_t rcx, uint64_t rdx)
{
	struct sigaction catch = {.sa_handler = on_refusal}, illegal, fault;
	int err = -1;

	sigaction(SIGILL, &catch, &illegal);
	sigaction(SIGSEGV, &catch, &fault);
	if (!sigsetjmp(refused, 1)) {
		vmmcall(answer, function, rcx, rdx);
		err = 0;
	}
	sigaction(SIGILL, &illegal, NULL);
	sigaction(SIGSEGV, &fault, NULL);
	return err;
}
