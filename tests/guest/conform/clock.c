/* SPDX-License-Identifier: Apache-2.0 */
/* The time-stamp counter on and across CPUs, TSC_AUX, RDTSCP; CR4.TSD. */
#include "tests/guest/conform/conform.h"

#define MSR_TSC     0x10u
#define MSR_TSC_AUX 0xc0000103u
#define CR4_TSD     (1ull << 2)
#define CPUID_RDTSCP (1u << 27)
#define TURNS       200

static volatile uint64_t last;
static volatile uint32_t turn;

/* The counter goes from CPU to CPU and may never be less than what the one before saw. */
struct relay {
	uint32_t cpu, backwards;
};

static void relay(void *argument)
{
	struct relay *mine = argument;
	uint64_t own = 0;

	for (uint32_t i = 0; i < TURNS; i++) {
		while (__atomic_load_n(&turn, __ATOMIC_ACQUIRE) % machine.cpus != mine->cpu)
			cpu_pause();
		uint64_t now = rdtsc();
		mine->backwards += now < last || now < own;
		last = own = now;
		__atomic_add_fetch(&turn, 1, __ATOMIC_RELEASE);
	}
}

static void across_cpus(void)
{
	static struct relay relays[MACHINE_MAX_CPUS];
	uint32_t backwards = 0;

	turn = 0;
	last = 0;
	for (uint32_t i = 0; i < machine.cpus; i++)
		relays[i] = (struct relay){i, 0};
	for (uint32_t i = 1; i < machine.cpus; i++)
		cpu_run(cpus[i], relay, &relays[i]);
	relay(&relays[0]);
	for (uint32_t i = 1; i < machine.cpus; i++)
		if (!cpu_wait(cpus[i], 10000000))
			guest_fail("cpu %u does not end the relay", i);
	for (uint32_t i = 0; i < machine.cpus; i++)
		backwards += relays[i].backwards;
	fact("backwards = %u", backwards);
}

SNIPPET(rdtscp_code, "rdtscp");
SNIPPET(rdtsc_code, "rdtsc");
SNIPPET(ordered, "rdtsc; shl $32, %rdx; or %rdx, %rax; mov %rax, %rbx; cpuid; mov $0xc0000080, %ecx; rdmsr; mov (%rdi), %eax; "
		 "rdtsc; shl $32, %rdx; or %rdx, %rax; cmp %rax, %rbx; sbb %ecx, %ecx; xor %eax, %eax; xor %ebx, %ebx; xor %edx, %edx");

static void one(const char *name, const struct snippet *code, bool user)
{
	struct run r;

	if (user)
		snippet_prepare_user(&r);
	else
		snippet_prepare(&r);
	r.gpr[0] = r.gpr[2] = r.gpr[1] = 0xffffffff00000000;
	r.gpr[7] = DEVICE;
	snippet_run(&r, code);
	fact("%s %s = %s, upper %lx %lx, rcx %lx flags %lx", name, user ? "user" : "kernel", ending(&r), r.gpr[0] >> 32,
		r.gpr[2] >> 32, r.gpr[1], r.rflags & ~FLAGS_COMPUTED);
}

static void aux(void *argument)
{
	uint32_t low, high, found;

	__asm__ volatile("rdtscp" : "=a"(low), "=d"(high), "=c"(found));
	*(uint32_t *)argument = found;
}

static void set_aux(void *argument)
{
	wrmsr(MSR_TSC_AUX, *(uint32_t *)argument);
}

void theme_clock(void)
{
	uint64_t cr4 = read_cr4();

	across_cpus();
	stage_set(true);
	for (unsigned tsd = 0; tsd < 2; tsd++) {
		write_cr4(tsd ? cr4 | CR4_TSD : cr4);
		for (unsigned user = 0; user < 2; user++) {
			one(tsd ? "rdtsc, TSD" : "rdtsc", &rdtsc_code, user);
			one(tsd ? "rdtscp, TSD" : "rdtscp", &rdtscp_code, user);
		}
	}
	write_cr4(cr4);
	one("over exits", &ordered, false);
	if (!(cpuid(0x80000001, 0).edx & CPUID_RDTSCP))
		return;
	for (uint32_t i = 0; i < machine.cpus; i++) {
		uint32_t value = 0x1000 + i, seen = 0;

		if (i) {
			cpu_run(cpus[i], set_aux, &value);
			cpu_wait(cpus[i], 1000000);
			cpu_run(cpus[i], aux, &seen);
			cpu_wait(cpus[i], 1000000);
		} else {
			set_aux(&value);
			aux(&seen);
		}
		fact("cpu %u aux = %x", i, seen);
	}
}
