/* SPDX-License-Identifier: Apache-2.0 */
/* The ways to end or to suspend the machine: what is let through, after a wipe, and what is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/core/machine.h"

#define SLEEP_ENABLE (1u << 13)

static void start(void)
{
	const struct machine machine = {.cpus = 2};

	assert_int_equal(machine_start(&machine), 0);
}

/* Every CPU has stopped, the keys have gone, and this write was the last but for `behind`. */
static void ended_before(unsigned behind, uint16_t port, unsigned size, uint32_t value)
{
	const struct port_write *last = &platform.written[(platform.writes - 1 - behind) % PORT_WRITES_KEPT];

	cpus_take_nmis();
	assert_int_equal(cpus[0].state, CPU_STOPPED);
	assert_int_equal(cpus[1].state, CPU_STOPPED);
	assert_non_null(strstr(machine_log(), "keys are wiped"));
	assert_int_equal(last->port, port);
	assert_int_equal(last->size, size);
	assert_int_equal(last->value, value);
}

static void ended(uint16_t port, unsigned size, uint32_t value)
{
	ended_before(0, port, size, value);
}

/* The machine of the model goes on, as one does whose reset was an INIT: a full reset follows. */
static void reset_by(uint16_t port, unsigned size, uint32_t value)
{
	ended_before(2, port, size, value);
	ended_before(1, 0xcf9, 1, 0x02);
	ended(0xcf9, 1, 0x06);
}

static void goes_on(void)
{
	struct cpuid_result ignored;

	assert_int_equal(cpus[0].state, CPU_IN_GUEST);
	assert_true(guest_cpuid(0, 0, 0, &ignored));
	assert_null(strstr(machine_log(), "keys are wiped"));
}

MACHINE_TEST(test_power_off)
{
	start();
	guest_out(0, PM1_CONTROL, 2, SLEEP_ENABLE | 7u << 10 | 1);
	ended(PM1_CONTROL, 2, SLEEP_ENABLE | 7u << 10 | 1);
}

MACHINE_TEST(test_power_off_by_byte)
{
	start();
	guest_out(1, PM1_CONTROL, 1, 0xff);
	guest_out(1, PM1_CONTROL + 1, 1, SLEEP_ENABLE >> 8);
	ended(PM1_CONTROL + 1, 1, SLEEP_ENABLE >> 8);
}

/* The write goes nowhere; a guest that repeats it does not fill the log. */
MACHINE_TEST(test_suspend)
{
	unsigned lines = 0;

	start();
	unsigned writes = platform.writes;

	for (unsigned i = 0; i < 100; i++)
		guest_out(0, PM1_CONTROL, 2, SLEEP_ENABLE | 5u << 10);
	goes_on();
	assert_int_equal(platform.writes, writes);
	for (const char *at = machine_log(); (at = strstr(at, "sleep type 5 is refused")) != NULL; at++)
		lines++;
	assert_int_equal(lines, 16);
	guest_out(0, PM1_CONTROL, 2, 5u << 10);
	assert_int_equal(platform_port_writes(PM1_CONTROL, 2, 5u << 10), 1);
}

MACHINE_TEST(test_no_reset)
{
	static const struct {
		uint16_t port;
		uint32_t value;
	} harmless[] = {{0xcf9, 0x02}, {0x64, 0xff}, {0x64, 0x60}, {0x92, 2}, {NAMED_RESET, 0}, {0x60, 0xfe}, {0x64, 0xd1}, {0x60, 1},
		{0x60, 0}, {0x64, 0xd1}, {0x64, 0xd0}, {0x60, 0}};

	start();
	for (unsigned i = 0; i < sizeof(harmless) / sizeof(harmless[0]); i++) {
		guest_out(i & 1, harmless[i].port, 1, harmless[i].value);
		assert_int_equal(platform.written[(platform.writes - 1) % PORT_WRITES_KEPT].value, harmless[i].value);
	}
	goes_on();
}

/* By the keyboard controller's output port: a command, then the port's value. */
MACHINE_TEST(test_output_port)
{
	start();
	guest_out(0, 0x64, 1, 0xd1);
	guest_out(1, 0x60, 1, 0xde);
	reset_by(0x60, 1, 0xde);
}

MACHINE_TEST(test_pulse)
{
	start();
	guest_out(0, 0x64, 1, 0xfe);
	reset_by(0x64, 1, 0xfe);
}

MACHINE_TEST(test_named)
{
	start();
	guest_out(0, NAMED_RESET, 1, NAMED_VALUE);
	reset_by(NAMED_RESET, 1, NAMED_VALUE);
}

MACHINE_TEST(test_fast)
{
	start();
	guest_out(0, 0x92, 1, 3);
	reset_by(0x92, 1, 3);
}

/* No write of the guest's: a full reset by CF9h. */
static void reset_by_exit(uint64_t code)
{
	start();
	cpu_exit(&cpus[0], code, 0, 0);
	assert_int_equal(platform_port_writes(0xcf9, 1, 0x02), 1);
	ended(0xcf9, 1, 0x06);
}

MACHINE_TEST(test_triple_fault)
{
	reset_by_exit(VMEXIT_SHUTDOWN);
	assert_non_null(strstr(machine_log(), "triple fault"));
}

MACHINE_TEST(test_refused_state)
{
	reset_by_exit(UINT64_MAX);
	assert_non_null(strstr(machine_log(), "guest state refused"));
}

/* As some emulators give it. */
MACHINE_TEST(test_refused_state_short)
{
	reset_by_exit(UINT32_MAX);
}

MACHINE_TEST(test_init_of_boot_cpu)
{
	start();
	assert_true(guest_write(1, LAPIC_REGISTERS + 0x310, 4, cpus[0].apic_id << 24));
	assert_true(guest_write(1, LAPIC_REGISTERS + 0x300, 4, 0x4500));
	cpus_take_nmis();
	ended(0xcf9, 1, 0x06);
}

/* A start that meets the end of the machine: the keys are gone, the CPU does not run again. */
MACHINE_TEST(test_start_meanwhile)
{
	start();
	assert_true(guest_write(0, LAPIC_REGISTERS + 0x310, 4, cpus[1].apic_id << 24));
	assert_true(guest_write(0, LAPIC_REGISTERS + 0x300, 4, 0x4500));
	cpus_take_nmis();
	assert_int_equal(cpus[1].state, CPU_WAITING);
	assert_true(guest_write(0, LAPIC_REGISTERS + 0x300, 4, 0x4601));
	guest_out(0, PM1_CONTROL, 2, SLEEP_ENABLE | 7u << 10);
	cpu_wake(&cpus[1]);
	ended(PM1_CONTROL, 2, SLEEP_ENABLE | 7u << 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_power_off),
		cmocka_unit_test(test_power_off_by_byte),
		cmocka_unit_test(test_suspend),
		cmocka_unit_test(test_no_reset),
		cmocka_unit_test(test_output_port),
		cmocka_unit_test(test_pulse),
		cmocka_unit_test(test_named),
		cmocka_unit_test(test_fast),
		cmocka_unit_test(test_triple_fault),
		cmocka_unit_test(test_refused_state),
		cmocka_unit_test(test_refused_state_short),
		cmocka_unit_test(test_init_of_boot_cpu),
		cmocka_unit_test(test_start_meanwhile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
