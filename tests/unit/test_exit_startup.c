/* SPDX-License-Identifier: Apache-2.0 */
/* Starts of CPUs: a SIPI that follows an INIT starts the CPU, however far that has come with the INIT. */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>
#include <cmocka.h>

#include "tests/core/machine.h"

#define ICR_LOW	 0x300u
#define ICR_HIGH 0x310u
#define INIT	 0x4500u
#define SIPI	 0x4600u
#define TARGET	 1u
#define ROUNDS	 60000u
#define LONGEST	 400u /* turns of a loop between INIT and SIPI: some times what the target needs */
#define PATIENCE 10   /* seconds for one start */

static bool stop;

static void start(void)
{
	const struct machine machine = {.cpus = 2};

	assert_int_equal(machine_start(&machine), 0);
}

/* At the same place each time: the guest's page of code is short. */
static void command(uint32_t low)
{
	uint64_t rip = cpus[0].vcpu->rip;

	assert_true(guest_write(0, LAPIC_REGISTERS + ICR_HIGH, 4, (uint64_t)cpus[TARGET].apic_id << 24));
	assert_true(guest_write(0, LAPIC_REGISTERS + ICR_LOW, 4, low));
	cpus[0].vcpu->rip = rip;
}

static void *drive_target(void *cpu)
{
	while (!__atomic_load_n(&stop, __ATOMIC_SEQ_CST)) {
		if (!__atomic_load_n(&cpus[TARGET].nmi_pending, __ATOMIC_SEQ_CST))
			sched_yield();
		else if (cpus[TARGET].state == CPU_IN_GUEST)
			cpu_exit(cpu, VMEXIT_NMI, 0, 0);
		else
			cpu_wake(cpu);
	}
	return NULL;
}

static bool starts_at(uint32_t vector)
{
	time_t end = time(NULL) + PATIENCE;

	while (__atomic_load_n(&cpus[TARGET].state, __ATOMIC_SEQ_CST) != CPU_IN_GUEST ||
	       __atomic_load_n(&cpus[TARGET].vmcb->cs.base, __ATOMIC_SEQ_CST) != (uint64_t)vector << 12) {
		if (time(NULL) > end)
			return false;
		sched_yield();
	}
	return true;
}

MACHINE_TEST(sipi_in_the_midst_of_init)
{
	pthread_t thread;
	bool started = true;
	uint32_t i = 0;

	start();
	cpus_threaded = true;
	assert_int_equal(pthread_create(&thread, NULL, drive_target, &cpus[TARGET]), 0);
	for (; i < ROUNDS && started; i++) {
		uint32_t vector = 1 + i % 2;

		command(INIT);
		for (volatile uint32_t turn = 0; turn < i % LONGEST; turn++)
			;
		command(SIPI | vector);
		started = starts_at(vector);
	}
	__atomic_store_n(&stop, true, __ATOMIC_SEQ_CST);
	pthread_join(thread, NULL);
	if (!started)
		fail_msg("the start of round %u was lost", i);
}

/* One that comes without an INIT before it is nothing: neither now nor at the next INIT. */
MACHINE_TEST(sipi_alone)
{
	start();
	command(SIPI | 1);
	cpus_take_nmis();
	assert_int_equal(cpus[TARGET].state, CPU_IN_GUEST);
	command(INIT);
	cpus_take_nmis();
	assert_int_equal(cpus[TARGET].state, CPU_WAITING);
	command(SIPI | 2);
	cpus_take_nmis();
	assert_int_equal(cpus[TARGET].state, CPU_IN_GUEST);
	assert_int_equal(cpus[TARGET].vmcb->cs.base, 0x2000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sipi_in_the_midst_of_init),
		cmocka_unit_test(sipi_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
