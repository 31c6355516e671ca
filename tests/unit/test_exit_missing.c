/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses above what is mapped at the start: mapped when they are touched, up to a point, and where there are any. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "hv/core/mmio.h"
#include "tests/core/machine.h"

#define BUFFER (RAM + 0x20000)
#define GIB   (1ull << 30)
#define TIB   (1ull << 40)
#define TABLE (GIB << 9) /* what a table of 1 GiB pages maps */

static void start(unsigned physical_bits)
{
	const struct machine machine = {.cpus = 2, .physical_bits = physical_bits};

	assert_int_equal(machine_start(&machine), 0);
}

static bool is_mapped(unsigned cpu, uint64_t address)
{
	return npt_lookup(&vcpus[cpu]->npt, address).access == NPT_ALL;
}

/* The access exits, and is made again when that has mapped something: whether it has. */
static bool touch(unsigned cpu, uint64_t address)
{
	uint64_t value;

	return !guest_read(cpu, address, 4, &value) && guest_exception(cpu) == -1 && is_mapped(cpu, address);
}

/* Reads give all ones, and writes go nowhere: without an exception, and without the bus. */
static void expect_nobody(unsigned cpu, uint64_t address)
{
	unsigned before = platform.nowhere;
	uint64_t value = 0;

	assert_true(guest_read(cpu, address, 4, &value));
	assert_int_equal(value, UINT32_MAX);
	assert_true(guest_write(cpu, address, 4, 0x12345678));
	assert_int_equal(guest_exception(cpu), -1);
	assert_int_equal(platform.nowhere, before);
	assert_int_equal(npt_lookup(&vcpus[cpu]->npt, address).access, 0);
}

MACHINE_TEST(test_many_places)
{
	start(48);
	const struct npt_pool *pool = vcpus[0]->npt.pool;
	uint32_t used = pool->used;

	for (unsigned i = 0; i < MMIO_MISSING_TABLES; i++)
		assert_true(touch(0, TIB + i * TABLE));
	assert_int_equal(pool->used, used + MMIO_MISSING_TABLES);
	for (unsigned i = 0; i < 40; i++)
		expect_nobody(0, TIB + (MMIO_MISSING_TABLES + i) * TABLE + 0xffc);
	assert_int_equal(pool->used, used + MMIO_MISSING_TABLES);
	assert_non_null(strstr(machine_log(), "nobody answers at 50000000ffc"));
	/* What takes no table is mapped all the same. */
	assert_true(touch(0, TIB + 3 * TABLE + 7 * GIB));
	assert_false(is_mapped(0, TIB + 3 * TABLE + 8 * GIB));
	/* Each CPU has its own. */
	assert_false(is_mapped(1, TIB));
	for (unsigned i = 0; i < MMIO_MISSING_TABLES; i++)
		assert_true(touch(1, TIB + (100 + i) * TABLE));
	expect_nobody(1, TIB);
	assert_int_equal(pool->used, used + 2 * MMIO_MISSING_TABLES);
}

/* The tables have 48 bits: what is above stands nowhere in them, and is no alias. */
MACHINE_TEST(test_above_the_format)
{
	start(52);
	*(uint32_t *)BUFFER = 0x11111111;
	expect_nobody(0, 1ull << 48 | BUFFER);
	expect_nobody(0, 0xfull << 48 | OWN_MEMORY);
	assert_int_equal(*(uint32_t *)BUFFER, 0x11111111);
	assert_null(strstr(machine_log(), "nobody answers"));
	assert_true(touch(0, (1ull << 48) - 4));
}

MACHINE_TEST(test_above_physical)
{
	start(41);
	uint32_t used = vcpus[0]->npt.pool->used;

	expect_nobody(0, 2 * TIB);
	assert_int_equal(vcpus[0]->npt.pool->used, used);
	assert_true(touch(0, 2 * TIB - 4));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_many_places),
		cmocka_unit_test(test_above_the_format),
		cmocka_unit_test(test_above_physical),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
