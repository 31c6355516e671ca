/* SPDX-License-Identifier: Apache-2.0 */
/* What commands on ports cost: exits, and accesses of the device's own. */
#include "tests/model/ata_fixture.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void start(struct ata_fixture *f)
{
	assert_true(ata_fixture_start(f, &(struct ata_machine_options){.cipher_a = 4096}, false));
}

/* By PIO each access of a port is one exit, and none is added: a string is one access, whatever its length. */
static void test_pio(void **state)
{
	struct guest_ata_command set = {.opcode = 0xc6, .count = 16};
	struct ata_fixture f;

	(void)state;
	start(&f);
	assert_true(guest_ata_plain(&f.g, &set));
	for (int write = 0; write < 2; write++) {
		struct guest_ata_command c = {
			.opcode = write ? 0xc5 : 0xc4, .lba = 100, .count = 64};
		uint64_t before = f.m.exits;

		assert_true(write ? guest_ata_pio_out(&f.g, &c, f.memory, 64 * 512, 16 * 512)
				  : guest_ata_pio_in(&f.g, &c, f.memory, 64 * 512, 16 * 512));
		/* 7 for registers and command; 2 for each of 4 blocks, its status and its data; some at the end. */
		printf("%s of 64 sectors in 4 blocks: %lu exits\n", write ? "write" : "read", f.m.exits - before);
		assert_true(f.m.exits - before <= 7 + 4 * 2 + 4);
	}
	assert_null(ata_fixture_stop(&f));
}

/* Beside the data, a block costs the device a look at its status for each sector. */
static void test_device_accesses(void **state)
{
	struct ata_fixture f;

	(void)state;
	start(&f);
	uint64_t before = f.m.channel.reads;

	assert_true(guest_ata_read(&f.g, false, false, 100, 64, f.buffer));
	assert_true(f.m.channel.reads - before <= 64 * 4);
	before = f.m.channel.writes;
	assert_true(guest_ata_read(&f.g, true, false, 100, 64, f.buffer));
	/* Twice the registers, for they are written as they were checked; the bus master's. */
	assert_true(f.m.channel.writes - before <= 2 * 7 + 8);
	assert_null(ata_fixture_stop(&f));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pio),
		cmocka_unit_test(test_device_accesses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
