/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/guest/hostile/hostile.h"
#include "tests/guest/lib/lapic.h"

#define STEPS	    6000
#define PATIENCE_US 60000000ull /* for one step, on a machine that is busy with others */
#define WATCH_EVERY 16

static const struct {
	void (*doing)(struct fuzzer *f);
	unsigned share;
	const char *name;
} kinds[] = {
	{do_port, 6, "port"},	      {do_string_port, 3, "string"}, {do_sleep_port, 1, "sleep"},
	{do_config, 6, "config"},     {do_index_ports, 1, "index"},  {do_memory, 6, "memory"},
	{do_own_memory, 3, "own"},    {do_hba_register, 6, "hba"},   {do_hba_command, 3, "command"},
	{do_hba_code, 6, "hbacode"},  {do_code, 10, "code"},	     {do_msr, 6, "msr"},
	{do_cpuid, 2, "cpuid"},	      {do_control, 4, "control"},    {do_hypercall, 3, "call"},
	{do_interrupt, 4, "ipi"},
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static struct fuzzer fuzzers[MACHINE_MAX_CPUS];
static uint64_t steps, seed;
static unsigned shares;

static bool interrupt_handler(struct trap_frame *frame)
{
	(void)frame;
	lapic_write(LAPIC_EOI, 0);
	return true;
}

static bool nmi_handler(struct trap_frame *frame)
{
	(void)frame;
	return true;
}

static void one_step(struct fuzzer *f)
{
	const char *only = option("only");
	uint64_t turn = draw_below(f, shares);
	unsigned kind = 0;

	while (turn >= kinds[kind].share)
		turn -= kinds[kind++].share;
	if (only && strcmp(only, kinds[kind].name))
		return;
	kinds[kind].doing(f);
	/* What has been sent to this CPU is taken now and then: a request that waits for good slows an emulator down. */
	if (one_in(f, 4))
		__asm__ volatile("sti; nop; cli" ::: "memory");
}

static void print_failure(const struct fuzzer *f, const char *what)
{
	guest_fail("cpu %u %s: step %lu, seed %lu, doing: %s %lx %lx %lx", f->index, what, f->steps, seed, f->what,
		   f->detail[0], f->detail[1], f->detail[2]);
}

/* A CPU looks at its neighbour: it gets its time for each step. Another CPU may have looked later than `now`. */
static void watch(const struct fuzzer *other)
{
	static uint64_t since[MACHINE_MAX_CPUS], seen[MACHINE_MAX_CPUS];
	uint64_t now = time_us();

	if (seen[other->index] != other->steps || !since[other->index]) {
		seen[other->index] = other->steps;
		since[other->index] = now;
	} else if (other->steps < steps && (int64_t)(now - since[other->index]) > (int64_t)PATIENCE_US) {
		print_failure(other, "stands still");
	}
}

static void fuzz(void *argument)
{
	struct fuzzer *f = argument;

	while (f->steps < steps) {
		one_step(f);
		f->steps++;
		if (f->steps % WATCH_EVERY == 0)
			watch(&fuzzers[(f->index + 1) % machine.cpus]);
	}
}

/* No CPU is in the middle of a configuration access; wherever else it is, it ends there. */
static void start_again(struct cpu *cpu)
{
	struct fuzzer *f = &fuzzers[cpu->index];

	config_lock();
	doing(f, "start", 0, 0, 0);
	if (!cpu_start(cpu, NULL, 0))
		print_failure(f, "does not start again");
	config_unlock();
	cpu_run(cpu, fuzz, f);
}

/* The boot CPU: its own steps, and at times another start of another. */
static void lead(struct fuzzer *f)
{
	uint64_t next = 0;

	while (f->steps < steps) {
		one_step(f);
		f->steps++;
		for (uint32_t i = 1; i < machine.cpus; i++)
			watch(&fuzzers[i]);
		if (machine.cpus > 1 && one_in(f, 256))
			start_again(cpus[1 + draw_below(f, machine.cpus - 1)]);
		if (f->steps >= next) {
			print("step %lu of %lu\n", f->steps, steps);
			next += steps / 8 + 1;
		}
	}
	for (uint32_t i = 1; i < machine.cpus; i++)
		while (!cpu_wait(cpus[i], 100000))
			watch(&fuzzers[i]);
}

static void begin(void)
{
	seed = random_next();
	for (unsigned i = 0; i < KINDS; i++)
		shares += kinds[i].share;
	for (unsigned vector = 32; vector < 256; vector++)
		if (vector != VECTOR_RUN_DONE)
			trap_handlers[vector] = interrupt_handler;
	trap_handlers[VECTOR_SPURIOUS] = nmi_handler;
	trap_handlers[EXCEPTION_NMI] = nmi_handler;
	places_find();
	for (uint32_t i = 0; i < machine.cpus; i++) {
		struct fuzzer *f = &fuzzers[i];

		f->index = i;
		f->what = "nothing yet";
		f->random = seed;
		for (uint32_t turn = 0; turn <= i; turn++)
			f->random = draw(f) | 1;
		f->scratch = take_memory(SCRATCH_BYTES, SCRATCH_BYTES);
		f->tables = take_memory(2 * PAGE, PAGE);
	}
	hba_begin(machine.cpus == 1 || seed >> 8 & 1);
}

void guest_main(void)
{
	print("cpus = %u\nbeneath = %u\n", machine.cpus, beneath());
	random_begin();
	steps = option_number("steps", STEPS);
	tell = option_number("tell", 0);
	begin();
	cpus_start();
	for (uint32_t i = 1; i < machine.cpus; i++)
		cpu_run(cpus[i], fuzz, &fuzzers[i]);
	lead(&fuzzers[0]);
	for (uint32_t i = 0; i < machine.cpus; i++)
		print("cpu %u = %lu steps, %lu NMIs\n", i, fuzzers[i].steps, cpus[i]->count[EXCEPTION_NMI]);
	guest_end(true);
}
