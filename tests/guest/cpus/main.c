/* SPDX-License-Identifier: Apache-2.0 */
/*
 * INITs its CPUs at random moments, whatever they are doing, and starts them again;
 * then each must still be beneath (bare: must just work). At the end an interrupt line does. Options: `seconds`;
 * `firmware` for the firmware's own starts before that; `seed`.
 */
#include "tests/guest/cpus/states.h"
#include "tests/guest/lib/lapic.h"
#include "tests/guest/lib/traps.h"

#define MAX_DELAY_US 600
#define INIT_US      150
#define START_US     5000000

static uint64_t own, own_bytes;
static uint64_t rounds[STATES];

static void send_init(void *target)
{
	lapic_send(((const struct cpu *)target)->apic_id, ICR_INIT | ICR_ASSERT);
}

static void check_inside(void *answer)
{
	*(const char *volatile *)answer = outside(this_cpu()->index, own, own_bytes);
}

static void check_works(void *answer)
{
	*(const char *volatile *)answer = NULL;
}

static void check(struct cpu *cpu, enum state was)
{
	static const char *volatile answer;

	answer = "it does not work";
	cpu_run(cpu, own ? check_inside : check_works, (void *)&answer);
	if (!cpu_wait(cpu, START_US) || answer)
		guest_fail("cpu %u (%s when its INIT came): %s", cpu->index, state_names[was], answer);
}

/* What is no INIT, or no start: an INIT's deassertion, a SIPI to a CPU that does not wait for one. */
static void send_nothing(const struct cpu *cpu)
{
	uint64_t before = progress[cpu->index];

	lapic_send(cpu->apic_id, ICR_INIT | ICR_LEVEL);
	lapic_send(cpu->apic_id, ICR_SIPI | ICR_ASSERT | cpu_start_vector());
	if (!WAIT_UNTIL(progress[cpu->index] > before, START_US))
		guest_fail("cpu %u stopped without an INIT", cpu->index);
}

/* Another CPU than the victim and this one, or NULL; it has no work. */
static struct cpu *helper_for(const struct cpu *victim)
{
	struct cpu *helper = cpus[1 + random_below(machine.cpus - 1)];

	return helper == victim || random_below(2) ? NULL : helper;
}

/* From here, from another CPU, or from both at the same time. */
static void send_inits(struct cpu *victim)
{
	struct cpu *helper = helper_for(victim);

	if (helper)
		cpu_run(helper, send_init, victim);
	if (!helper || random_below(2))
		send_init(victim);
	if (helper && !cpu_wait(helper, START_US))
		guest_fail("cpu %u does not send", helper->index);
}

static void restart(struct cpu *victim, enum state was)
{
	cpu_prepare(victim, NULL, 0);
	send_inits(victim);
	/* About as long as an INIT takes, half of the time: the SIPI meets a CPU that is about to wait for it. */
	wait_us(random_below(2) ? random_below(MAX_DELAY_US) : random_below(INIT_US));
	lapic_send(victim->apic_id, ICR_SIPI | ICR_ASSERT | cpu_start_vector());
	if (!random_below(4))
		lapic_send(victim->apic_id, ICR_SIPI | ICR_ASSERT | cpu_start_vector());
	if (!WAIT_UNTIL(victim->online, START_US))
		guest_fail("cpu %u (%s when its INIT came) does not start again", victim->index, state_names[was]);
}

/*
 * Requests for INIT to forget, of any vector that a local APIC knows: those of exceptions too. But not the one that it has
 * for spurious interrupts: Bochs' APIC takes no EOI for it.
 */
static void leave_requests(const struct cpu *victim)
{
	for (unsigned i = 0; i < 3; i++)
		lapic_send(victim->apic_id, ICR_FIXED | ICR_ASSERT | (uint32_t)(16 + random_below(i ? 16 : VECTOR_SPURIOUS - 16)));
}

static void one_round(void)
{
	struct cpu *victim = cpus[1 + random_below(machine.cpus - 1)];
	enum state state = (enum state)random_below(own ? STATES : STATE_HYPERCALL);
	uint64_t before = progress[victim->index];

	state_enter(victim, state);
	if (state != STATE_HALTS && state != STATE_WAITS && random_below(2) &&
		!WAIT_UNTIL(progress[victim->index] > before, START_US))
		guest_fail("cpu %u does not get to work (%s)", victim->index, state_names[state]);
	if (state == STATE_RUNS)
		send_nothing(victim);
	/* At work it has interrupts off. */
	if (progress[victim->index] > before && random_below(2))
		leave_requests(victim);
	wait_us(random_below(MAX_DELAY_US));
	restart(victim, state);
	check(victim, state);
	rounds[state]++;
}

void guest_main(void)
{
	uint64_t end, total = 0;

	print("cpus = %u\n", machine.cpus);
	random_begin();
	states_begin();
	if (beneath())
		own_memory(&own, &own_bytes);
	cpus_start();
	end = time_us() + option_number("seconds", 10) * 1000000;
	while (time_us() < end)
		one_round();
	for (unsigned i = 0; i < STATES; i++) {
		print("%s = %lu\n", state_names[i], rounds[i]);
		total += rounds[i];
	}
	print("rounds = %lu\n", total);
	print("line = %s\n", line_inits(cpus[1]) ? "stops the cpu" : "does nothing");
	restart(cpus[1], STATE_RUNS);
	check(cpus[1], STATE_RUNS);
	guest_end(true);
}
