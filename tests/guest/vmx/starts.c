/* SPDX-License-Identifier: Apache-2.0 */
/* INIT and SIPI that come to a CPU in VMX root operation, in non-root operation, and where that waits for a SIPI. */
#include "tests/guest/vmx/vmx.h"

#define SETTLE_US 5000
#define REST_US   200000 /* what a CPU gets to show that nothing happens */
#define COME_US   2000000

static volatile uint32_t beats;
static volatile bool stop;

static void beat(void)
{
	while (!stop)
		beats++;
	vmx_leave();
}

static void halt(void)
{
	while (!stop)
		__asm__ volatile("hlt");
	vmx_leave();
}

/* Work of the second CPU: both entries, of which the first may never end; then no VMX operation. */
static void enter(void *both)
{
	struct trial *trial = both;

	vmx_on();
	vmx_try(trial);
	vmx_try(trial + 1);
	vmx_off();
}

/* The same with one entry, and in root operation until it is told to go on. */
static void linger(void *both)
{
	vmx_on();
	while (!stop)
		beats++;
	vmx_try(both);
	vmx_off();
}

/* Letters, sent one after the other: I INIT, S SIPI. */
static void send(char step)
{
	const uint32_t id = cpus[1]->apic_id;

	if (step == 'I')
		lapic_send(id, ICR_INIT | ICR_ASSERT);
	else
		lapic_send(id, ICR_SIPI | ICR_ASSERT | cpu_start_vector());
}

static void print_steps(const char *where, const char *steps)
{
	print("%s", where);
	for (const char *step = steps; *step; step++)
		print("%s %s", step == steps ? "," : " and", *step == 'I' ? "INIT" : "SIPI");
	print(" = ");
}

static void print_end(const struct trial *trial)
{
	if (!trial->ended)
		print("no exit, ");
	else if (trial->reason == VMX_EXIT_SIPI)
		print("exit 4 with %s vector, ", trial->qualification == cpu_start_vector() ? "its" : "another");
	else
		print("exit %u, ", trial->reason);
}

/* What a CPU does behind VMXOFF: the work it is given, or none before it has been started again. */
static void print_later(void)
{
	bool works = cpu_wait(cpus[1], COME_US);

	print("then it %s\n", works ? "works" : cpu_start(cpus[1], NULL, 0) ? "has to be started" : "is lost");
}

/* What comes of each step, of the end of the code where none ends it, and of one more entry. */
static void non_root(const char *where, uint32_t activity, void (*code)(void), const char *steps)
{
	static struct trial both[2];

	both[0] = (struct trial){.code = code, .activity = activity};
	both[1] = (struct trial){.code = vmx_leave};
	stop = false;
	cpu_run(cpus[1], enter, both);
	wait_us(SETTLE_US);
	print_steps(where, steps);
	for (const char *step = steps; *step; step++) {
		send(*step);
		WAIT_UNTIL(both[0].ended, REST_US);
		print_end(&both[0]);
	}
	stop = true;
	WAIT_UNTIL(both[1].ended, REST_US);
	print("at the next entry ");
	print_end(&both[1]);
	print_later();
}

static void root(const char *steps)
{
	static struct trial trial;
	uint32_t before;

	trial = (struct trial){.code = beat};
	stop = false;
	cpu_run(cpus[1], linger, &trial);
	wait_us(SETTLE_US);
	for (const char *step = steps; *step; step++)
		send(*step);
	wait_us(SETTLE_US);
	before = beats;
	print_steps("root", steps);
	print("it %s, ", WAIT_UNTIL(beats != before, REST_US) ? "goes on" : "stops");
	stop = true;
	WAIT_UNTIL(trial.ended, REST_US);
	print("at the next entry ");
	print_end(&trial);
	print_later();
}

void theme_starts(void)
{
	if (machine.cpus < 2)
		guest_fail("one CPU");
	root("I");
	root("S");
	non_root("active", ACTIVITY_ACTIVE, beat, "I");
	non_root("active", ACTIVITY_ACTIVE, beat, "S");
	non_root("halted", ACTIVITY_ACTIVE, halt, "I");
	non_root("halted", ACTIVITY_ACTIVE, halt, "SI");
	non_root("waiting", ACTIVITY_WAIT_FOR_SIPI, beat, "S");
	non_root("waiting", ACTIVITY_WAIT_FOR_SIPI, beat, "IS");
}
