/* SPDX-License-Identifier: Apache-2.0 */
#include "hv/core/counters.h"

const char counter_names[COUNTERS][COUNTER_NAME_BYTES] = {
	[EXIT_CPUID] = "cpuid",
	[EXIT_MSR_READ] = "msr-read",
	[EXIT_MSR_WRITE] = "msr-write",
	[EXIT_IO] = "io-port",
	[EXIT_NESTED_FAULT] = "nested-page-fault",
	[EXIT_HYPERCALL] = "hypercall",
	[EXIT_INTERRUPT] = "interrupt",
	[EXIT_NMI] = "nmi",
	[EXIT_SMI] = "smi",
	[EXIT_INIT] = "init",
	[EXIT_WINDOW] = "window",
	[EXIT_HALT] = "halt",
	[EXIT_TASK_SWITCH] = "task-switch",
	[EXIT_EXCEPTION] = "exception",
	[EXIT_UNDEFINED] = "undefined-instruction",
	[EXIT_INVALIDATE] = "invd",
	[EXIT_XSETBV] = "xsetbv",
	[EXIT_CONTROL_REGISTER] = "control-register",
	[EXIT_SHUTDOWN] = "triple-fault",
	[EXIT_INVALID] = "invalid-state",
	[EXIT_OTHER] = "other",
	[EXIT_REASONS + EXTRA_RUN_AHEAD] = "run-ahead",
	[EXIT_REASONS + EXTRA_RUN_AHEAD_MISSED] = "run-ahead-missed",
};
