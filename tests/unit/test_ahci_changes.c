/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What changes under the mediator's hands: scatter lists that the guest rewrites
 * while a command runs, slots given again too early, a device that does not stop.
 */
#include "tests/model/guest_ahci.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

struct fixture {
	struct machine m;
	struct guest g;
	uint64_t buffer; /* 4 MiB */
};

static void start(struct fixture *f)
{
	const struct machine_options options = {.cipher_a = 4096, .sectors = 16384, .one_port = true};

	machine_init(&f->m, &options);
	assert_non_null(f->m.ahci);
	guest_start(&f->g, &f->m, 0, 16);
	f->buffer = machine_ram(&f->m, 4u << 20, 4096);
}

static void stop(struct fixture *f)
{
	assert_int_equal(f->m.bus.faults, 0);
	machine_free(&f->m);
}

static void expect_works(struct fixture *f)
{
	uint8_t expected[512];

	machine_plain(&f->m, 0, 99, 1, expected);
	for (int ncq = 0; ncq < 2; ncq++) {
		memset(machine_pointer(&f->m, f->buffer), 0, 512);
		assert_true(guest_read(&f->g, ncq, 99, 1, f->buffer));
		assert_memory_equal(machine_pointer(&f->m, f->buffer), expected, 512);
	}
}

/* Overwrites the first PRD of slot 0: an address, or a length that is too short. */
static void spoil(struct fixture *f, uint64_t address, uint32_t bytes)
{
	uint8_t *prd = machine_pointer(&f->m, f->g.table[0] + 0x80);
	uint32_t count = bytes - 1;

	memcpy(prd, &address, 8);
	memcpy(prd + 12, &count, 4);
}

/*
 * Reads and writes of one chunk, of several, in parts of cipher sectors; the list
 * is rewritten after the first, second or third completion of the device. The device reaches
 * nothing it must not, the arena's contents go nowhere, and the port works on.
 */
static void lists_rewritten(void **state)
{
	static const struct {
		uint64_t lba;
		uint32_t count;
	} shape[] = {{96, 8}, {97, 1}, {97, 30}, {64, 6000}, {65, 6001}, {60, 4100}};
	struct fixture f;

	(void)state;
	start(&f);
	for (unsigned i = 0; i < sizeof(shape) / sizeof(shape[0]); i++)
		for (int mode = 0; mode < 4; mode++)
			for (int when = 0; when < 4; when++)
				for (int how = 0; how < 4; how++) {
					const uint64_t bad[] = {f.m.bus.arena_base + 0x6006,
						f.m.bus.ram_base - 0x1000, f.buffer, f.buffer + 1};
					bool write = mode & 1, ncq = mode & 2;
					struct guest_piece piece = {f.buffer, shape[i].count * 512};
					struct guest_command c = guest_transfer(
						write, ncq, 0, shape[i].lba, shape[i].count, &piece, 1);

					bus_name(&f.m.bus, f.m.bus.arena_base + 0x6006);
					guest_build(&f.g, 0, &c);
					guest_issue(&f.g, 0, 1);
					for (int n = 0; n < when; n++) {
						hba_run(&f.m.hba);
						guest_poll(&f.g, 0);
					}
					spoil(&f, bad[how], how == 2 ? 2 : piece.bytes);
					hba_run(&f.m.hba);
					guest_finish_all(&f.g);
					assert_true(guest_comreset(&f.g));
					expect_works(&f);
				}
	stop(&f);
}

/* A queued command that the disk has taken is still in its slot, though its PxCI bit is clear. */
static void a_slot_given_again(void **state)
{
	struct guest_piece piece;
	struct guest_command c;
	struct fixture f;
	uint8_t expected[4096];

	(void)state;
	start(&f);
	piece = (struct guest_piece){f.buffer, 4096};
	c = guest_transfer(false, true, 0, 96, 8, &piece, 1);
	guest_build(&f.g, 0, &c);
	guest_issue(&f.g, 0, 1);
	assert_int_equal(guest_register(&f.g, PX_CI), 1);
	hba_fetch(&f.m.hba, 0);
	assert_int_equal(guest_register(&f.g, PX_CI), 0);
	assert_int_equal(guest_register(&f.g, PX_SACT), 1);
	c = guest_transfer(false, true, 0, 200, 8, &piece, 1);
	guest_build(&f.g, 0, &c);
	guest_set_register(&f.g, PX_CI, 1);
	guest_finish_all(&f.g);
	assert_int_equal(f.g.done, 1);
	machine_plain(&f.m, 0, 96, 8, expected);
	assert_memory_equal(machine_pointer(&f.m, f.buffer), expected, 4096);
	expect_works(&f);
	stop(&f);
}

/* Cylinders, heads and sectors name places that the map does not know: refused. */
static void without_lba(void **state)
{
	static const uint8_t opcodes[] = {0xc8, 0xca, 0x20, 0x30, 0x25, 0x60};
	struct guest_piece piece;
	struct fixture f;

	(void)state;
	start(&f);
	piece = (struct guest_piece){f.buffer, 4096};
	for (unsigned i = 0; i < sizeof(opcodes); i++) {
		struct guest_command c = guest_transfer(
			opcodes[i] == 0xca || opcodes[i] == 0x30, opcodes[i] == 0x60, 0, 96, 8, &piece, 1);

		c.opcode = opcodes[i];
		c.device = 0xa0;
		assert_false(guest_do(&f.g, 0, &c));
		assert_int_not_equal(f.g.errors, 0);
		assert_true(guest_comreset(&f.g));
		expect_works(&f);
	}
	stop(&f);
}

/* The take-over fails and says so; nothing of the mediator's is in the device's hands. */
static void the_firmwares_engine_does_not_stop(void **state)
{
	const struct machine_options options = {.stuck = true, .one_port = true};
	struct machine m;

	(void)state;
	machine_init(&m, &options);
	assert_null(m.ahci);
	assert_int_equal(m.hba.port[0].clb, 0);
	assert_int_equal(m.hba.port[0].fb, 0);
	machine_free(&m);
}

/* Later it must not hang the guest's CPU; bounce memory is not given to others while the device may use it.
 */
static void the_device_stops_no_more(void **state)
{
	struct guest_piece piece;
	struct guest_command c;
	struct fixture f;

	(void)state;
	start(&f);
	piece = (struct guest_piece){f.buffer, 65536};
	c = guest_transfer(true, true, 0, 96, 128, &piece, 1);
	memset(machine_pointer(&f.m, f.buffer), 0x77, 65536);
	guest_build(&f.g, 0, &c);
	guest_issue(&f.g, 0, 1);
	hba_fetch(&f.m.hba, 0);
	f.m.hba.stuck = true;
	assert_false(guest_stop(&f.g));
	/* Given again while the first may still be read by the device: nothing is issued. */
	guest_set_register(&f.g, PX_CMD, PXCMD_SUD | PXCMD_FRE | PXCMD_ST);
	guest_issue(&f.g, 0, 1);
	assert_int_equal(f.m.hba.port[0].ci, 0);
	f.m.hba.stuck = false;
	assert_true(guest_comreset(&f.g));
	expect_works(&f);
	f.m.hba.stuck = true;
	ahci_quiesce(f.m.ahci); /* gives up after a while */
	stop(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_rewritten),
		cmocka_unit_test(a_slot_given_again),
		cmocka_unit_test(without_lba),
		cmocka_unit_test(the_firmwares_engine_does_not_stop),
		cmocka_unit_test(the_device_stops_no_more),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
