/* SPDX-License-Identifier: Apache-2.0 */
/* The I/O APIC is the guest's, but for entries that send INIT. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/core/machine.h"

#define WINDOW 0x10u
#define INIT   0x500u

static void start(void)
{
	const struct machine machine = {.cpus = 1};

	assert_int_equal(machine_start(&machine), 0);
}

static void select_register(uint32_t index)
{
	assert_true(guest_write(0, IO_APIC, 4, index));
}

static void write_register(uint32_t index, uint32_t value)
{
	select_register(index);
	assert_true(guest_write(0, IO_APIC + WINDOW, 4, value));
}

MACHINE_TEST(test_entries)
{
	uint64_t value;

	start();
	for (uint32_t mode = 0; mode < 8; mode++) {
		for (uint32_t index = 0x10; index < 0x40; index += 2) {
			write_register(index, 0x10030);
			write_register(index, mode << 8 | 0x31);
			assert_int_equal(platform.io_apic[index], mode == 5 ? 0x10030 : mode << 8 | 0x31);
			/* The upper half is a destination. */
			write_register(index + 1, INIT);
			assert_int_equal(platform.io_apic[index + 1], INIT);
		}
	}
	write_register(0, INIT); /* its id */
	assert_int_equal(platform.io_apic[0], INIT);
	select_register(0x12);
	assert_true(guest_read(0, IO_APIC + WINDOW, 4, &value));
	assert_int_equal(value, platform.io_apic[0x12]);
	assert_non_null(strstr(machine_log(), "an entry that sends INIT is refused"));
}

MACHINE_TEST(test_ways_around)
{
	start();
	select_register(0x10);
	/* The registers repeat themselves in the page: on this machine there is nothing, and INIT goes nowhere either. */
	assert_true(guest_write(0, IO_APIC + 0x110, 4, INIT));
	assert_int_equal(platform.nowhere, 0);
	assert_true(guest_write(0, IO_APIC + 0x110, 4, 0x30));
	assert_int_equal(platform.nowhere, 1);
	/* Other widths, and an access across. */
	assert_true(guest_write(0, IO_APIC + WINDOW, 2, INIT));
	assert_true(guest_write(0, IO_APIC + WINDOW + 1, 1, INIT >> 8));
	assert_true(guest_write(0, IO_APIC + WINDOW, 8, INIT));
	assert_true(guest_write(0, IO_APIC + WINDOW - 4, 8, (uint64_t)INIT << 32));
	assert_int_equal(platform.io_apic[0x10], 0);
	/* An index of more than a byte. */
	write_register(0x510, INIT);
	assert_int_equal(platform.io_apic[0x10], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_entries),
		cmocka_unit_test(test_ways_around),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
