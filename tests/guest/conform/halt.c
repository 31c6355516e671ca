/* SPDX-License-Identifier: Apache-2.0 */
/* HLT, MONITOR, MWAIT, PAUSE, and the shadows of STI and MOV SS before them. */
#include "tests/guest/conform/conform.h"

#define VECTOR_TEST   0x61
#define CPUID_MONITOR (1u << 3)
#define TIMER_COUNT   100000u

static volatile uint32_t taken;
static volatile uint64_t taken_at;

static bool note(struct trap_frame *frame)
{
	taken++;
	taken_at = frame->rip - CODE;
	lapic_write(LAPIC_EOI, 0);
	frame->rflags &= ~RFLAGS_IF;
	return true;
}

#define HALTS(X)                                                                                             \
	X(halt, "sti; hlt; nop") X(two, "sti; hlt; sti; nop; nop")           \
	X(after_cpuid, "sti; cpuid; nop; nop") X(after_port, "mov $0xcf8, %edx; sti; in %dx, %eax; nop; nop") \
	X(after_device, "sti; mov (%rdi), %eax; nop; nop") X(after_device_store, "sti; mov %eax, 0x104(%rdi); nop; nop") \
	X(after_lapic_store, "sti; mov %ecx, 0x80(%rbp); nop; nop") X(after_msr, "mov $0xc0000080, %ecx; sti; rdmsr; nop; nop") \
	X(mov_ss, "mov %ss, %eax; sti; mov %eax, %ss; nop; nop") X(popf, "push $0x202; popf; nop; nop")

HALTS(PROBE_CODE)
static const struct probe halts[] = {HALTS(PROBE_ROW)};

/* An interrupt waits already: where does it come in? */
static void pending(void)
{
	for (unsigned i = 0; i < sizeof(halts) / sizeof(halts[0]); i++) {
		struct run r;

		taken = 0;
		snippet_prepare(&r);
		r.gpr[5] = STAGE(STAGE_LAPIC);
		r.gpr[7] = DEVICE;
		lapic_send(0, ICR_SELF | ICR_FIXED | ICR_ASSERT | VECTOR_TEST);
		snippet_run(&r, halts[i].code);
		__asm__ volatile("sti; nop; nop; cli"); /* it must not come later */
		fact("pending %s = %s, %u taken, last at +%lx", halts[i].name, ending(&r), taken, taken_at);
	}
}

SNIPPET(halt_once, "sti; hlt; cli");
SNIPPET(monitor_mwait, "mov %rbx, %rax; xor %ecx, %ecx; xor %edx, %edx; monitor; xor %eax, %eax; mwait");
SNIPPET(monitor_bad, "mov %rbx, %rax; mov $1, %ecx; monitor");
SNIPPET(mwait_bad, "mov $0x10, %ecx; mwait");
SNIPPET(monitor_missing, "xor %ecx, %ecx; mov %rsi, %rax; monitor");
SNIPPET(pauses, "mov $1000, %ecx; 1: pause; dec %ecx; jnz 1b");

static void one(const char *name, const struct snippet *code, bool user)
{
	struct run r;

	if (user)
		snippet_prepare_user(&r);
	else
		snippet_prepare(&r);
	r.gpr[3] = RAM;
	r.gpr[6] = STAGE(STAGE_FREE);
	taken = 0;
	snippet_run(&r, code);
	fact("%s %s = %s, %u taken", name, user ? "user" : "kernel", ending(&r), taken);
}

void theme_halt(void)
{
	stage_set(true);
	trap_handlers[VECTOR_TEST] = note;
	lapic_write(LAPIC_TIMER_DIVIDE, 0xb);
	lapic_write(LAPIC_LVT_TIMER, VECTOR_TEST);
	pending();
	lapic_write(LAPIC_TIMER_INITIAL, TIMER_COUNT);
	one("halt until the timer", &halt_once, false);
	lapic_write(LAPIC_LVT_TIMER, LAPIC_MASKED);
	one("halt", &halt_once, true);
	one("pause", &pauses, true);
	if (cpuid(1, 0).ecx & CPUID_MONITOR) {
		one("monitor of nothing", &monitor_missing, false);
		one("monitor, ecx 1", &monitor_bad, false);
		one("mwait, ecx 10", &mwait_bad, false);
		one("monitor, mwait", &monitor_mwait, true);
	}
	trap_handlers[VECTOR_TEST] = NULL;
}
