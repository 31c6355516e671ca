/* SPDX-License-Identifier: Apache-2.0 */
/* What the mediator costs in trapped accesses, and that its register copy never holds a driver up. */
#include "storage/ahci/internal.h"
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
	uint64_t buffer; /* 256 KiB */
};

static void start(struct fixture *f, bool never_armed)
{
	const struct machine_options options = {.cipher_a = 4096, .never_armed = never_armed};

	machine_init(&f->m, &options);
	assert_non_null(f->m.ahci);
	guest_start(&f->g, &f->m, 0, 16);
	f->buffer = machine_ram(&f->m, 256 * 1024, 4096);
	f->m.exits[0] = f->m.exits[1] = 0;
}

static void stop(struct fixture *f)
{
	assert_int_equal(f->m.bus.faults, 0);
	machine_free(&f->m);
}

static void build(struct fixture *f, unsigned slots, bool write, bool ncq)
{
	for (unsigned i = 0; i < slots; i++) {
		struct guest_piece piece = {f->buffer + i * 4096, 4096};
		struct guest_command c = guest_transfer(write, ncq, i, 64 + i * 8, 8, &piece, 1);

		guest_build(&f->g, i, &c);
	}
}

static uint64_t total(const struct fixture *f)
{
	return f->m.exits[0] + f->m.exits[1];
}

static void one_at_a_time(void **state)
{
	(void)state;
	for (int mode = 0; mode < 4; mode++) {
		bool write = mode & 1, ncq = mode & 2;
		struct fixture f;

		start(&f, false);
		build(&f, 1, write, ncq);
		for (int i = 0; i < 100; i++) {
			guest_issue(&f.g, 0, 1);
			guest_finish_all(&f.g);
			assert_int_equal(f.g.done, 1);
		}
		printf("%s %s, one at a time: %.2f exits per command\n", ncq ? "queued" : "plain",
			write ? "write" : "read", (double)total(&f) / 100);
		assert_true(total(&f) <= 500);
		stop(&f);
	}
}

/* A batch of 32 that ends together: one interrupt. */
static void a_batch(void **state)
{
	struct fixture f;

	(void)state;
	start(&f, false);
	build(&f, 32, false, true);
	for (int i = 0; i < 10; i++) {
		guest_issue(&f.g, 0, UINT32_MAX);
		guest_finish_all(&f.g);
		assert_int_equal(f.g.done, UINT32_MAX);
	}
	printf("32 queued reads that end together: %.2f exits per command\n", (double)total(&f) / 320);
	assert_true(total(&f) <= 50);
	stop(&f);
}

/*
 * Depth 32 as Linux keeps it: each completion is an interrupt of its own, and the
 * command that takes its place is issued from the handler's CPU.
 */
static void depth_32_one_by_one(void **state)
{
	struct fixture f;

	(void)state;
	start(&f, false);
	build(&f, 32, false, true);
	for (unsigned i = 0; i < 32; i++)
		guest_issue(&f.g, 0, 1u << i);
	for (unsigned i = 0; i < 320; i++) {
		while (hba_fetch(&f.m.hba, 0) >= 0)
			;
		hba_finish(&f.m.hba, 0, i % 32);
		assert_true(hba_take_interrupt(&f.m.hba));
		assert_int_equal(guest_handler(&f.g, 0), 1u << i % 32);
		guest_issue(&f.g, 0, 1u << i % 32);
	}
	printf("depth 32, an interrupt each: %.2f exits per command\n", (double)total(&f) / 320);
	assert_true(total(&f) <= 320 * 5 + 64);
	stop(&f);
}

/* Polling drivers: each look at the registers is bounded by the device alone, whatever happened before. */
static void polled(struct fixture *f, uint32_t reg, bool ncq)
{
	build(f, 1, false, ncq);
	guest_issue(&f->g, 0, 1);
	for (int i = 0; i < 5; i++)
		assert_int_equal(guest_register(&f->g, reg) & 1, 1); /* not yet */
	hba_fetch(&f->m.hba, 0);
	hba_move(&f->m.hba, 0, 0);
	for (int i = 0; i < 5; i++)
		guest_register(&f->g, reg);
	hba_finish(&f->m.hba, 0, 0);
	assert_int_equal(guest_register(&f->g, reg) & 1, 0);
	f->g.active = 0;
}

/* With GHC.IE clear no CPU is ever given the copy, though IS and PxIS are set and read. */
static void a_polling_guest(void **state)
{
	struct fixture f;

	(void)state;
	start(&f, false);
	machine_write(&f.m, 0, ABAR_GHC, ABAR_GHC_AE);
	for (int round = 0; round < 20; round++) {
		polled(&f, PX_CI, false);
		assert_false(f.m.armed[0]);
		polled(&f, PX_SACT, true);
		assert_false(f.m.armed[0]);
		machine_read(&f.m, 0, ABAR_IS); /* set, and looked at */
		assert_false(f.m.armed[0]);
		if (round % 3 == 0)
			guest_set_register(&f.g, PX_IS, UINT32_MAX);
		if (round % 5 == 0)
			machine_write(&f.m, 0, ABAR_IS, 1);
	}
	stop(&f);
}

/*
 * OVMF's way: no interrupts, waits for the D2H bit (or PIO setup) in PxIS and takes
 * that for the end of the command. Some commands are several of the device: parts
 * of cipher sectors, read-modify-writes.
 */
static void firmware_command(struct fixture *f, uint8_t opcode, uint64_t lba, uint32_t count)
{
	uint8_t *received = machine_pointer(&f->m, f->g.received);
	bool write = opcode == 0x35 || opcode == 0x34, pio_in = opcode == 0x24;
	struct guest_piece piece = {f->buffer, count * 512};
	struct guest_command c = guest_transfer(write, false, 0, lba, count, &piece, 1);
	static uint8_t plain[64 * 512];
	int looks = 0;

	c.opcode = opcode;
	guest_set_register(&f->g, PX_IS, UINT32_MAX);
	memset(received, 0, 256);
	memset(machine_pointer(&f->m, f->buffer), (int)(lba + opcode), count * 512);
	guest_build(&f->g, 0, &c);
	guest_issue(&f->g, 0, 1);
	while (!(guest_register(&f->g, PX_IS) & (pio_in ? PXIS_PSS : PXIS_DHRS))) {
		assert_true(++looks < 20);
		assert_int_equal(received[0x40], 0);
		assert_int_equal(received[0x20], 0);
		hba_run(&f->m.hba);
	}
	assert_int_equal(guest_register(&f->g, PX_TFD) & 0x89, 0);
	assert_int_equal(guest_register(&f->g, PX_CI), 0);
	if (pio_in) {
		assert_int_equal(received[0x20], 0x5f);
	} else {
		assert_int_equal(received[0x40], 0x34); /* the status FIS is there */
		assert_int_equal(received[0x42], 0x50);
	}
	machine_plain(&f->m, 0, lba, count, plain);
	assert_memory_equal(machine_pointer(&f->m, f->buffer), plain, count * 512);
}

static void a_firmware_driver(void **state)
{
	static const uint8_t opcodes[] = {0x25, 0x35, 0x24, 0x34};
	struct fixture f;

	(void)state;
	start(&f, false);
	machine_write(&f.m, 0, ABAR_GHC, ABAR_GHC_AE);
	guest_set_register(&f.g, PX_IE, 0);
	for (unsigned i = 0; i < 4; i++)
		for (uint64_t lba = 60; lba < 75; lba++)
			for (uint32_t count = 1; count < 40; count += 6)
				firmware_command(&f, opcodes[i], lba, count);
	stop(&f);
}

/*
 * With interrupts on, a CPU that has handled one polls on: after its write to IS
 * every read is the device's.
 */
static void polling_after_an_interrupt(void **state)
{
	struct fixture f;

	(void)state;
	start(&f, false);
	for (int round = 0; round < 20; round++) {
		build(&f, 2, false, true);
		guest_issue(&f.g, 0, 3);
		while (hba_fetch(&f.m.hba, 0) >= 0)
			;
		hba_finish(&f.m.hba, 0, 1);
		assert_int_equal(guest_handler(&f.g, 0), 2);
		assert_false(f.m.armed[0]);
		assert_int_equal(guest_register(&f.g, PX_SACT), 1);
		hba_finish(&f.m.hba, 0, 0);
		assert_int_equal(guest_register(&f.g, PX_SACT), 0);
		guest_handler(&f.g, 0);
		/* The other CPU reads too, while the first one is in its handler. */
		guest_issue(&f.g, 1, 1);
		hba_fetch(&f.m.hba, 0);
		hba_finish(&f.m.hba, 0, 0);
		machine_read(&f.m, 0, ABAR_IS);
		assert_int_equal(machine_read(&f.m, 1, HBA_PX(0, PX_SACT)), 0);
		guest_handler(&f.g, 1);
		guest_handler(&f.g, 0);
		assert_false(f.m.armed[0]);
		assert_false(f.m.armed[1]);
	}
	stop(&f);
}

/* CPU 0 ends its handler while CPU 1 is between its read of IS and the copy: at an access of its own, or at the last moment. */
static void acknowledge(struct machine *m)
{
	m->hba.access = NULL;
	m->arming = NULL;
	m->cpu = 0;
	machine_write(m, 0, ABAR_IS, 1);
	m->cpu = 1;
}

static void acknowledge_after_is(void *context, uint32_t offset)
{
	if (offset != ABAR_IS)
		acknowledge(context);
}

static void nobody_is_shown_what_is_acknowledged(void **state)
{
	struct fixture f;

	(void)state;
	start(&f, false);
	for (int moment = 0; moment < 3; moment++) {
		build(&f, 1, false, true);
		guest_issue(&f.g, 0, 1);
		hba_run(&f.m.hba);
		f.m.hba.access_context = &f.m;
		f.m.hba.access = moment == 1 ? acknowledge_after_is : NULL;
		f.m.arming = moment == 2 ? acknowledge : NULL;
		assert_int_equal(machine_read(&f.m, 1, ABAR_IS), 1);
		assert_null(f.m.hba.access);
		assert_null(f.m.arming);
		assert_int_equal(f.m.armed[1], moment == 0);
		assert_int_equal(f.m.ahci->unacked, moment == 0);
		guest_handler(&f.g, 0);
		assert_false(f.m.armed[1]);
	}
	stop(&f);
}

/* Resets are watched in registers that change by themselves: nobody may be looking at the copy. */
static void resets_are_seen(void **state)
{
	struct fixture f;

	(void)state;
	start(&f, false);
	for (int how = 0; how < 3; how++) {
		build(&f, 1, false, true);
		guest_issue(&f.g, 0, 1);
		hba_run(&f.m.hba);
		assert_int_not_equal(machine_read(&f.m, 0, ABAR_IS), 0); /* armed here, perhaps */
		if (how == 0)
			assert_true(guest_comreset(&f.g));
		else if (how == 1)
			assert_true(guest_software_reset(&f.g));
		else
			assert_true(guest_hba_reset(&f.g));
		assert_true(guest_read(&f.g, true, 64, 8, f.buffer));
	}
	stop(&f);
}

/* Without a way to map the copy everything works, at more exits. */
static void without_the_copy(void **state)
{
	struct fixture f;

	(void)state;
	start(&f, true);
	build(&f, 32, false, true);
	guest_issue(&f.g, 0, UINT32_MAX);
	guest_finish_all(&f.g);
	assert_int_equal(f.g.done, UINT32_MAX);
	stop(&f);
}

/* Interrupts of an unprotected disk beside a protected one. */
static void the_unprotected_neighbour(void **state)
{
	struct fixture f;
	struct guest other;

	(void)state;
	start(&f, false);
	guest_start(&other, &f.m, 1, 16);
	f.m.exits[0] = 0;
	for (int i = 0; i < 50; i++) {
		assert_true(guest_read(&other, true, 64, 8, f.buffer));
		assert_true(guest_read(&f.g, true, 64, 8, f.buffer + 4096));
	}
	printf("a queued read on each of two ports: %.2f exits per command\n", (double)total(&f) / 100);
	assert_true(total(&f) <= 500);
	stop(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_at_a_time),
		cmocka_unit_test(a_batch),
		cmocka_unit_test(depth_32_one_by_one),
		cmocka_unit_test(a_polling_guest),
		cmocka_unit_test(a_firmware_driver),
		cmocka_unit_test(polling_after_an_interrupt),
		cmocka_unit_test(nobody_is_shown_what_is_acknowledged),
		cmocka_unit_test(resets_are_seen),
		cmocka_unit_test(without_the_copy),
		cmocka_unit_test(the_unprotected_neighbour),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
