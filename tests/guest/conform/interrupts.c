/* SPDX-License-Identifier: Apache-2.0 */
/* Interrupts between CPUs in every shorthand and destination mode; NMIs, and what holds them back. */
#include "tests/guest/conform/conform.h"

#define VECTOR_TEST 0x62
#define VECTOR_LOW  0x31
#define SETTLE_US   2000
#define ARRIVE_US   1000000

static volatile uint32_t listening, stop;

/* Every CPU but the first waits with interrupts on. */
static void listen(void *argument)
{
	(void)argument;
	__atomic_add_fetch(&listening, 1, __ATOMIC_SEQ_CST);
	__asm__ volatile("sti");
	while (!stop)
		cpu_pause();
	__asm__ volatile("cli");
}

static void listen_halted(void *argument)
{
	(void)argument;
	__atomic_add_fetch(&listening, 1, __ATOMIC_SEQ_CST);
	while (!stop)
		__asm__ volatile("sti; hlt; cli");
}

static bool take(struct trap_frame *frame)
{
	(void)frame;
	lapic_write(LAPIC_EOI, 0);
	return true;
}

static bool take_nmi(struct trap_frame *frame)
{
	(void)frame;
	return true;
}

static uint64_t counts(uint64_t vector)
{
	uint64_t all = 0;

	for (uint32_t i = 0; i < machine.cpus; i++)
		all = all << 8 | (cpus[i]->count[vector] & 0xff);
	return all;
}

static uint64_t total(uint64_t vector)
{
	uint64_t all = 0;

	for (uint32_t i = 0; i < machine.cpus; i++)
		all += cpus[i]->count[vector];
	return all;
}

/* A digit pair a CPU: how often the vector came. */
static void send(const char *name, uint32_t destination, uint32_t low, uint64_t vector, uint32_t expected)
{
	for (uint32_t i = 0; i < machine.cpus; i++)
		cpus[i]->count[vector] = 0;
	lapic_send(destination, low | ICR_ASSERT);
	__asm__ volatile("sti");
	WAIT_UNTIL(total(vector) >= expected, ARRIVE_US);
	wait_us(SETTLE_US); /* for those that should not come */
	__asm__ volatile("cli");
	fact("%s = %lx", name, counts(vector));
	fact("%s, icr = %x", name, lapic_read(LAPIC_ICR) & ~ICR_BUSY);
}

static void set_logical(void *argument)
{
	(void)argument;
	lapic_write(LAPIC_DFR, 0xffffffff);
	lapic_write(LAPIC_LDR, 1u << (24 + this_cpu()->index));
}

static void start_listening(void (*how)(void *))
{
	listening = stop = 0;
	for (uint32_t i = 1; i < machine.cpus; i++) {
		cpu_run(cpus[i], set_logical, NULL);
		cpu_wait(cpus[i], 1000000);
		cpu_run(cpus[i], how, NULL);
	}
	if (!WAIT_UNTIL(listening == machine.cpus - 1, 1000000))
		guest_fail("not every cpu listens");
}

static void stop_listening(void)
{
	stop = 1;
	for (uint32_t i = 1; i < machine.cpus; i++) {
		lapic_send(cpus[i]->apic_id, ICR_ASSERT | ICR_FIXED | VECTOR_WAKE);
		if (!cpu_wait(cpus[i], 1000000))
			guest_fail("cpu %u listens on", i);
	}
}

static void shorthands(const char *state, uint32_t mode, uint64_t vector)
{
	const uint32_t low = mode | (mode == ICR_NMI ? 0 : (uint32_t)vector);
	uint32_t last = cpus[machine.cpus - 1]->apic_id;

	send(text("%s %x self", state, low), 0, low | ICR_SELF, vector, 1);
	send(text("%s %x all", state, low), 0, low | ICR_ALL, vector, machine.cpus);
	send(text("%s %x others", state, low), 0, low | ICR_OTHERS, vector, machine.cpus - 1);
	send(text("%s %x physical own", state, low), cpus[0]->apic_id, low, vector, 1);
	send(text("%s %x physical last", state, low), last, low, vector, 1);
	send(text("%s %x physical nobody", state, low), 0x77, low, vector, 0);
	send(text("%s %x broadcast", state, low), 0xff, low, vector, machine.cpus);
	send(text("%s %x logical first", state, low), 1, low | ICR_LOGICAL, vector, 1);
	send(text("%s %x logical others", state, low), 0xfe, low | ICR_LOGICAL, vector, machine.cpus - 1);
	send(text("%s %x logical all", state, low), 0xff, low | ICR_LOGICAL, vector, machine.cpus);
	send(text("%s %x logical nobody", state, low), 0, low | ICR_LOGICAL, vector, 0);
	send(text("%s %x level", state, low), last, low | ICR_LEVEL, vector, 1);
}

/* ---- NMIs: one in service holds the next back until IRET ---- */

static volatile uint32_t inside, nested, depth;

static bool nmi_in_nmi(struct trap_frame *frame)
{
	(void)frame;
	nested += depth;
	depth++;
	if (inside++ == 0) {
		lapic_send(this_cpu()->apic_id, ICR_NMI | ICR_ASSERT);
		lapic_send(this_cpu()->apic_id, ICR_NMI | ICR_ASSERT);
		cpuid(0, 0);
		rdmsr(MSR_EFER);
		port_in(0xcf8, 4);
		(void)*(volatile uint32_t *)DEVICE;
	}
	depth--;
	return true;
}

SNIPPET(sends_nmi, "mov %eax, 0x300(%rbp); nop; nop; nop; nop; nop; nop");
static volatile uint32_t sleeping, woken;

static void sleep_closed(void *argument)
{
	(void)argument;
	sleeping = 1;
	__asm__ volatile("cli; hlt" ::: "memory");
	woken = 1;
}

static bool ignore(struct trap_frame *frame)
{
	(void)frame;
	return true;
}

/* HLT with interrupts off is ended by an NMI, not by an interrupt. */
static void nmi_in_halt(void)
{
	sleeping = woken = 0;
	trap_handlers[EXCEPTION_NMI] = ignore;
	cpu_run(cpus[1], sleep_closed, NULL);
	if (!WAIT_UNTIL(sleeping, ARRIVE_US))
		guest_fail("cpu 1 does not sleep");
	wait_us(10 * SETTLE_US);
	lapic_send(cpus[1]->apic_id, ICR_ASSERT | VECTOR_TEST);
	wait_us(10 * SETTLE_US);
	uint32_t early = woken;
	lapic_send(cpus[1]->apic_id, ICR_NMI | ICR_ASSERT);
	fact("nmi in halt = interrupt wakes %u, nmi wakes %u", early, WAIT_UNTIL(woken, ARRIVE_US));
	cpu_wait(cpus[1], ARRIVE_US);
	trap_handlers[EXCEPTION_NMI] = NULL;
}

static void nmis(void)
{
	struct run r;

	inside = nested = depth = 0;
	trap_handlers[EXCEPTION_NMI] = nmi_in_nmi;
	lapic_write(LAPIC_ICR_HIGH, cpus[0]->apic_id << 24);
	snippet_prepare(&r);
	r.gpr[0] = ICR_NMI | ICR_ASSERT;
	r.gpr[5] = STAGE(STAGE_LAPIC);
	snippet_run(&r, &sends_nmi);
	wait_us(SETTLE_US);
	fact("nmi in nmi = %s, %u taken, %u nested", ending(&r), inside, nested);
	trap_handlers[EXCEPTION_NMI] = NULL;
	/* Nobody takes it: it ends the run, as any exception. */
	snippet_prepare(&r);
	r.gpr[0] = ICR_NMI | ICR_ASSERT;
	r.gpr[5] = STAGE(STAGE_LAPIC);
	snippet_run(&r, &sends_nmi);
	fact("nmi = vector %lx", r.vector);
}

/* The priority class in TPR and CR8 holds back; requests stay. */
static void priorities(void)
{
	for (uint32_t tpr = 0x20; tpr <= 0x70; tpr += 0x10) {
		uint64_t cr8;

		cpus[0]->count[VECTOR_TEST] = 0;
		lapic_write(LAPIC_TPR, tpr);
		__asm__ volatile("mov %%cr8, %0" : "=r"(cr8));
		lapic_send(0, ICR_SELF | ICR_ASSERT | VECTOR_TEST);
		__asm__ volatile("sti");
		wait_us(SETTLE_US);
		__asm__ volatile("cli");
		uint64_t held = cpus[0]->count[VECTOR_TEST];
		uint32_t waiting = lapic_read(LAPIC_IRR + (VECTOR_TEST / 32) * 16);
		__asm__ volatile("mov %0, %%cr8" ::"r"(0ull));
		uint32_t now = lapic_read(LAPIC_TPR);
		__asm__ volatile("sti; nop; nop; cli");
		fact("tpr %x = cr8 %lx, %lu taken, irr %x, then tpr %x, %lu taken", tpr, cr8, held, waiting, now,
			cpus[0]->count[VECTOR_TEST]);
	}
}

void theme_interrupts(void)
{
	trap_handlers[VECTOR_TEST] = trap_handlers[VECTOR_LOW] = take;
	set_logical(NULL);
	start_listening(listen);
	shorthands("running", ICR_FIXED, VECTOR_TEST);
	trap_handlers[EXCEPTION_NMI] = take_nmi;
	shorthands("running", ICR_NMI, EXCEPTION_NMI);
	trap_handlers[EXCEPTION_NMI] = NULL;
	stop_listening();
	start_listening(listen_halted);
	shorthands("halted", ICR_FIXED, VECTOR_LOW);
	trap_handlers[EXCEPTION_NMI] = take_nmi;
	shorthands("halted", ICR_NMI, EXCEPTION_NMI);
	trap_handlers[EXCEPTION_NMI] = NULL;
	stop_listening();
	nmis();
	if (machine.cpus > 1)
		nmi_in_halt();
	priorities();
}
