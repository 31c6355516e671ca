/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two real CPUs at once in the mediator, each driving its own protected port, with
 * bounce memory that is too small for both: no deadlock, no lost command, no page
 * used twice. The model device is behind a lock of its own.
 */
#include "tests/model/guest_ahci.h"
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#define ROUNDS	 150
#define COMMANDS 8
#define SECTORS	 500u /* of each: two queues want four times the bounce memory */
#define PATIENCE_SECONDS 60

struct cpu {
	struct guest g;
	unsigned number;
	uint64_t memory[COMMANDS];
	pthread_t thread;
	const char *wrong;
};

static struct machine m;
static pthread_mutex_t device = PTHREAD_MUTEX_INITIALIZER;

static uint32_t reg_read(void *context, uint32_t offset)
{
	uint32_t value;

	(void)context;
	pthread_mutex_lock(&device);
	value = hba_read(&m.hba, offset);
	pthread_mutex_unlock(&device);
	return value;
}

static void reg_write(void *context, uint32_t offset, uint32_t value)
{
	(void)context;
	pthread_mutex_lock(&device);
	hba_write(&m.hba, offset, value);
	pthread_mutex_unlock(&device);
}

static void device_goes_on(void)
{
	pthread_mutex_lock(&device);
	hba_run(&m.hba);
	pthread_mutex_unlock(&device);
}

static void submit(struct cpu *cpu, int round, bool write)
{
	for (unsigned i = 0; i < COMMANDS; i++) {
		/* Odd starts: the ends of each are parts of cipher sectors, shared with a neighbour. */
		uint64_t lba = 67 + i * SECTORS;
		struct guest_piece piece = {cpu->memory[i], SECTORS * 512};
		struct guest_command c = guest_transfer(write, true, i, lba, SECTORS, &piece, 1);
		uint8_t *data = machine_pointer(&m, cpu->memory[i]);

		memset(data, write ? (int)(round + i * 16 + cpu->number) & 0xff : 0, SECTORS * 512);
		guest_build(&cpu->g, i, &c);
	}
	guest_issue(&cpu->g, cpu->number, (1u << COMMANDS) - 1);
}

/* The other one has memory that this one waits for, and is to get at the device as well: locks are not fair. */
static bool wait_for_all(struct cpu *cpu)
{
	time_t end = time(NULL) + PATIENCE_SECONDS;

	while (cpu->g.active && time(NULL) < end) {
		device_goes_on();
		guest_poll(&cpu->g, cpu->number);
		sched_yield();
	}
	return !cpu->g.active && !cpu->g.errors;
}

static bool data_is_right(struct cpu *cpu, int round)
{
	for (unsigned i = 0; i < COMMANDS; i++) {
		const uint8_t *data = machine_pointer(&m, cpu->memory[i]);

		for (unsigned at = 0; at < SECTORS * 512; at++)
			if (data[at] != (uint8_t)(round + i * 16 + cpu->number))
				return false;
	}
	return true;
}

static void *run(void *context)
{
	struct cpu *cpu = context;

	for (int round = 0; round < ROUNDS && !cpu->wrong; round++) {
		submit(cpu, round, true);
		if (!wait_for_all(cpu))
			cpu->wrong = "writes do not end";
		submit(cpu, round, false);
		if (!wait_for_all(cpu))
			cpu->wrong = "reads do not end";
		else if (!data_is_right(cpu, round))
			cpu->wrong = "what was read is not what was written";
	}
	return NULL;
}

static void test_two_cpus(void **state)
{
	static struct cpu cpu[2];
	const struct machine_options options = {
		.cipher_a = 4096, .sectors = 16384, .arena_bytes = ahci_arena_bytes(2), .never_armed = true};
	struct ahci_statistics s;

	(void)state;
	machine_init(&m, &options);
	assert_non_null(m.ahci);
	m.env.reg_read = reg_read;
	m.env.reg_write = reg_write;
	for (unsigned i = 0; i < 2; i++) {
		cpu[i].number = i;
		guest_start(&cpu[i].g, &m, i ? 3 : 0, 4);
		for (unsigned n = 0; n < COMMANDS; n++)
			cpu[i].memory[n] = machine_ram(&m, SECTORS * 512, 512);
	}
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&cpu[i].thread, NULL, run, &cpu[i]), 0);
	for (unsigned i = 0; i < 2; i++) {
		pthread_join(cpu[i].thread, NULL);
		if (cpu[i].wrong)
			fail_msg("CPU %u: %s", i, cpu[i].wrong);
	}
	ahci_statistics(m.ahci, &s);
	assert_true(s.waits > 0);
	assert_true(s.read_modify_writes > 0);
	assert_int_equal(m.bus.faults, 0);
	machine_free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_two_cpus),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
