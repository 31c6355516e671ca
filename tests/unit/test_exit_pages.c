/* SPDX-License-Identifier: Apache-2.0 */
/* The host's own page tables and the identity of the nested ones, with pages of 1 GiB and without. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "hv/core/host.h"
#include "tests/core/machine.h"

#define GIB1 (1ull << 30)
#define MIB2 (2ull << 20)

/* APM volume 2, 5.3: the page that an address is in, 0 for none; its size. */
static uint64_t translate(uint64_t address, uint64_t *bytes)
{
	const uint64_t *table = (const uint64_t *)cpus[0].cr3;

	for (unsigned shift = 39; shift >= 12; shift -= 9) {
		uint64_t entry = table[address >> shift & 511];

		*bytes = 1ull << shift;
		if (!(entry & 1))
			return 0;
		assert_int_equal(entry & 3, 3);
		assert_false(entry & 0xfff0000000000f7cull);
		if (entry & 0x80 || shift == 12)
			return (entry & ~0xfffull) + (address & (*bytes - 1));
		table = (const uint64_t *)(entry & ~0xfffull);
	}
	return 0;
}

static void compare(uint64_t end, uint64_t page)
{
	uint64_t bytes;

	for (uint64_t at = 0; at < end; at += GIB1 / 4 + 0x1234) {
		assert_int_equal(translate(at, &bytes), at);
		assert_int_equal(bytes, page);
		assert_true(host_maps(at, 1));
	}
	assert_int_equal(translate(end - 1, &bytes), end - 1);
	assert_true(host_maps(end - 1, 1));
	assert_false(host_maps(end, 1) && !translate(end, &bytes));
	assert_int_equal(npt_lookup(&cpus[0].vcpu->npt, end - 1).hpa, end - 1);
	assert_int_equal(npt_lookup(&cpus[0].vcpu->npt, end - 1).page_bytes, page);
}

MACHINE_TEST(test_huge)
{
	const struct machine machine = {.cpus = 1};

	assert_int_equal(machine_start(&machine), 0);
	compare(512 * GIB1, GIB1);
}

MACHINE_TEST(test_small)
{
	const struct machine machine = {.cpus = 1, .small_pages = true};
	uint64_t bytes;

	assert_int_equal(machine_start(&machine), 0);
	compare(64 * GIB1, MIB2);
	assert_int_equal(translate(64 * GIB1, &bytes), 0);
	assert_false(host_maps(64 * GIB1, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_huge),
		cmocka_unit_test(test_small),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
