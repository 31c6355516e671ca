/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hostile guest: lists, tables and buffers where it has no memory, lengths that
 * cannot be, accesses of every width. The device never touches what it must not
 * (the bus tells), the guest gets an error, and the port works again afterwards.
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
	uint64_t buffer;
};

#define BUFFER (256u * 1024)
#define COUNT  8

static void start(struct fixture *f)
{
	const struct machine_options options = {.cipher_a = 4096};

	machine_init(&f->m, &options);
	assert_non_null(f->m.ahci);
	guest_start(&f->g, &f->m, 0, 16);
	f->buffer = machine_ram(&f->m, BUFFER, 4096);
}

static void stop(struct fixture *f)
{
	assert_int_equal(f->m.bus.faults, 0);
	assert_int_equal(f->m.disk[0].dangerous, 0);
	machine_free(&f->m);
}

/* Where no guest memory is: the mediator's, beyond RAM, across its end, MMIO below it, the end of the space.
 */
static unsigned bad_addresses(struct fixture *f, uint64_t *out)
{
	uint64_t end = f->m.bus.ram_base + f->m.bus.ram_bytes;
	unsigned n = 0;

	out[n++] = f->m.bus.arena_base + 0x10000;
	out[n++] = f->m.bus.arena_base + f->m.bus.arena_bytes - 0x2000;
	out[n++] = f->m.bus.arena_base - 0x10000;
	out[n++] = end;
	out[n++] = end - 0x80;
	out[n++] = f->m.bus.ram_base - 0x400;
	out[n++] = 0;
	out[n++] = UINT64_MAX & ~0x3ffull;
	out[n++] = 1ull << 63;
	return n;
}

static void expect_works(struct fixture *f)
{
	uint8_t expected[512];

	for (int ncq = 0; ncq < 2; ncq++) {
		memset(machine_pointer(&f->m, f->buffer), 0, 512);
		assert_true(guest_read(&f->g, ncq, 99, 1, f->buffer));
		machine_pattern(&f->m, 0, 99, expected);
		assert_memory_equal(machine_pointer(&f->m, f->buffer), expected, 512);
	}
}

static void expect_error_and_recovery(struct fixture *f)
{
	guest_finish_all(&f->g);
	assert_int_equal(f->g.done, 0);
	assert_int_not_equal(f->g.errors, 0);
	assert_true(guest_comreset(&f->g));
	expect_works(f);
}

static struct guest_command good(struct fixture *f, bool write, bool ncq, struct guest_piece *piece)
{
	*piece = (struct guest_piece){f->buffer, COUNT * 512};
	return guest_transfer(write, ncq, 0, 96, COUNT, piece, 1);
}

static uint32_t *header(struct fixture *f)
{
	return machine_pointer(&f->m, f->g.list);
}

static uint8_t *table(struct fixture *f)
{
	return machine_pointer(&f->m, f->g.table[0]);
}

/* The command list or the received-FIS area is elsewhere: the engine does not run, and no memory is touched.
 */
static void lists(void **state)
{
	uint64_t bad[16];
	struct fixture f;
	unsigned count;

	(void)state;
	start(&f);
	count = bad_addresses(&f, bad);
	for (unsigned i = 0; i < count; i++)
		for (int fis = 0; fis < 2; fis++) {
			struct guest_piece piece;
			struct guest_command c = good(&f, false, true, &piece);

			/* Its alignment may bring an address back into RAM. */
			if (bus_guest(&f.m.bus, bad[i] & (fis ? ~0xffull : ~0x3ffull), fis ? 256 : 1024))
				continue;
			bus_name(&f.m.bus, bad[i]);
			assert_true(guest_stop(&f.g));
			guest_set_register(&f.g, PX_CMD, PXCMD_SUD);
			guest_set_register(&f.g, fis ? PX_FB : PX_CLB, (uint32_t)bad[i]);
			guest_set_register(&f.g, fis ? PX_FBU : PX_CLBU, (uint32_t)(bad[i] >> 32));
			guest_begin(&f.g);
			guest_build(&f.g, 0, &c);
			guest_issue(&f.g, 0, 1);
			guest_finish_all(&f.g);
			assert_int_equal(f.g.done, 0);
			/* What was written is what is read. */
			assert_int_equal(guest_register(&f.g, fis ? PX_FB : PX_CLB),
				bad[i] & (fis ? ~0xffu : ~0x3ffu));
			assert_true(guest_hba_reset(&f.g));
			expect_works(&f);
		}
	stop(&f);
}

static void tables(void **state)
{
	uint64_t bad[16];
	struct fixture f;
	unsigned count;

	(void)state;
	start(&f);
	count = bad_addresses(&f, bad);
	for (unsigned i = 0; i < count; i++)
		for (int ncq = 0; ncq < 2; ncq++) {
			struct guest_piece piece;
			struct guest_command c = good(&f, false, ncq, &piece);

			bus_name(&f.m.bus, bad[i]);
			guest_build(&f.g, 0, &c);
			header(&f)[2] = (uint32_t)bad[i];
			header(&f)[3] = (uint32_t)(bad[i] >> 32);
			guest_issue(&f.g, 0, 1);
			expect_error_and_recovery(&f);
		}
	stop(&f);
}

/* A PRD that lies elsewhere, alone or after a good one; nothing of the arena is changed or read. */
static void buffers(void **state)
{
	uint64_t bad[16];
	struct fixture f;
	unsigned count;

	(void)state;
	start(&f);
	count = bad_addresses(&f, bad);
	for (unsigned i = 0; i < count; i++)
		for (int mode = 0; mode < 8; mode++) {
			bool write = mode & 1, ncq = mode & 2, second = mode & 4;
			struct guest_piece piece[2] = {{f.buffer, 2048}, {f.buffer + 8192, 2048}};
			struct guest_command c = guest_transfer(write, ncq, 0, 96, COUNT, piece, 2);

			bus_name(&f.m.bus, bad[i]);
			piece[second].address = bad[i];
			guest_build(&f.g, 0, &c);
			guest_issue(&f.g, 0, 1);
			expect_error_and_recovery(&f);
		}
	stop(&f);
}

/* Commands that carry no data of the medium may not reach elsewhere either. */
static void buffers_of_other_commands(void **state)
{
	static const uint8_t opcodes[] = {0xec, 0x2f, 0x47, 0x06, 0xb0};
	uint64_t bad[16];
	struct fixture f;
	unsigned count;

	(void)state;
	start(&f);
	count = bad_addresses(&f, bad);
	for (unsigned i = 0; i < count; i++)
		for (unsigned o = 0; o < sizeof(opcodes); o++) {
			struct guest_piece piece = {bad[i], 512};
			struct guest_command c = {
				.opcode = opcodes[o], .count = 1, .piece = &piece, .pieces = 1};

			c.features = opcodes[o] == 0x06 ? 1 : opcodes[o] == 0xb0 ? 0xd0 : 0;
			c.write = opcodes[o] == 0x06;
			c.lba = opcodes[o] == 0xb0 ? 0xc24f00 : 0x30;
			bus_name(&f.m.bus, bad[i]);
			guest_build(&f.g, 0, &c);
			guest_issue(&f.g, 0, 1);
			expect_error_and_recovery(&f);
		}
	stop(&f);
}

/* Too short, odd, none, at an odd address, or one entry of 4 MiB that leaves RAM. */
static void lengths(void **state)
{
	struct fixture f;

	(void)state;
	start(&f);
	for (int ncq = 0; ncq < 2; ncq++)
		for (int write = 0; write < 2; write++)
			for (int kind = 0; kind < 7; kind++) {
				struct guest_piece piece;
				struct guest_command c = good(&f, write, ncq, &piece);

				switch (kind) {
				case 0:
					c.pieces = 0;
					break;
				case 1:
					piece.bytes = COUNT * 512 - 2;
					break;
				case 2:
					piece.bytes = COUNT * 512 - 1;
					break;
				case 3:
					piece.bytes = 1;
					break;
				case 4:
					piece.address++;
					break;
				case 5:
					piece.bytes = COUNT * 512 + 1;
					break;
				case 6:
					piece.bytes = 0x400000;
					piece.address = f.m.bus.ram_base + f.m.bus.ram_bytes - 4096;
					break;
				}
				guest_build(&f.g, 0, &c);
				guest_issue(&f.g, 0, 1);
				expect_error_and_recovery(&f);
			}
	stop(&f);
}

/* Longer than the transfer is legal: the rest is not touched. */
static void spare_room(void **state)
{
	struct guest_piece piece[2];
	struct guest_command c;
	struct fixture f;

	(void)state;
	start(&f);
	piece[0] = (struct guest_piece){f.buffer, 8192};
	piece[1] = (struct guest_piece){f.buffer + 16384, 8192};
	memset(machine_pointer(&f.m, f.buffer), 0x99, 32768);
	c = guest_transfer(false, true, 0, 96, COUNT, piece, 2);
	assert_true(guest_do(&f.g, 0, &c));
	for (int i = COUNT * 512; i < 32768; i++)
		assert_int_equal(((uint8_t *)machine_pointer(&f.m, f.buffer))[i], 0x99);
	expect_works(&f);
	stop(&f);
}

static void headers(void **state)
{
	struct fixture f;

	(void)state;
	start(&f);
	for (uint32_t cfl = 0; cfl < 32; cfl++) {
		struct guest_piece piece;
		struct guest_command c = good(&f, false, true, &piece);

		guest_build(&f.g, 0, &c);
		header(&f)[0] = (header(&f)[0] & ~0x1fu) | cfl;
		guest_issue(&f.g, 0, 1);
		if (cfl < 5 || cfl > 16) {
			expect_error_and_recovery(&f);
			continue;
		}
		guest_finish_all(&f.g);
		assert_int_equal(f.g.done, 1);
	}
	/* ATAPI, BIST, port multiplier. */
	for (int bit = 0; bit < 3; bit++) {
		static const uint32_t bits[] = {1u << 5, 1u << 9, 0xf000};
		struct guest_piece piece;
		struct guest_command c = good(&f, false, false, &piece);

		guest_build(&f.g, 0, &c);
		header(&f)[0] |= bits[bit];
		guest_issue(&f.g, 0, 1);
		expect_error_and_recovery(&f);
	}
	/* A FIS of another type, with bits of a port multiplier, with another tag than its slot. */
	for (int kind = 0; kind < 3; kind++) {
		struct guest_piece piece;
		struct guest_command c = good(&f, false, true, &piece);

		guest_build(&f.g, 0, &c);
		if (kind == 0)
			table(&f)[0] = 0x34;
		else if (kind == 1)
			table(&f)[1] |= 3;
		else
			table(&f)[12] = 9 << 3;
		guest_issue(&f.g, 0, 1);
		guest_finish_all(&f.g);
		if (kind != 1)
			assert_int_not_equal(f.g.errors, 0);
		assert_true(guest_comreset(&f.g));
		expect_works(&f);
	}
	stop(&f);
}

/* The W bit against the command's direction: the data never goes the wrong way. */
static void wrong_direction(void **state)
{
	struct fixture f;
	uint8_t before[4096];

	(void)state;
	start(&f);
	memcpy(before, f.m.disk[0].medium + 96 * 512, 4096);
	for (int ncq = 0; ncq < 2; ncq++) {
		struct guest_piece piece;
		struct guest_command c = good(&f, false, ncq, &piece);

		c.write = true;
		guest_build(&f.g, 0, &c);
		guest_issue(&f.g, 0, 1);
		guest_finish_all(&f.g);
		assert_memory_equal(before, f.m.disk[0].medium + 96 * 512, 4096);
		assert_true(guest_comreset(&f.g));
		expect_works(&f);
	}
	stop(&f);
}

static void slots_that_are_not(void **state)
{
	const struct machine_options options = {.slots = 4};
	struct guest_piece piece;
	struct guest_command c;
	struct fixture f;

	(void)state;
	machine_init(&f.m, &options);
	assert_non_null(f.m.ahci);
	assert_int_equal(machine_read(&f.m, 0, ABAR_CAP) >> 8 & 31, 3);
	guest_start(&f.g, &f.m, 0, 16);
	f.buffer = machine_ram(&f.m, BUFFER, 4096);
	c = good(&f, false, true, &piece);
	c.count = 9 << 3;
	guest_build(&f.g, 9, &c);
	guest_issue(&f.g, 0, 1u << 9);
	guest_finish_all(&f.g);
	assert_true(guest_comreset(&f.g));
	expect_works(&f);
	stop(&f);
}

/* Slots given twice, issued while stopped, SACT alone, queued and other commands mixed. */
static void protocol(void **state)
{
	struct guest_piece piece;
	struct guest_command c;
	struct fixture f;

	(void)state;
	start(&f);
	c = good(&f, false, true, &piece);
	guest_build(&f.g, 0, &c);
	guest_issue(&f.g, 0, 1);
	hba_fetch(&f.m.hba, 0);
	guest_set_register(&f.g, PX_SACT, 1);
	guest_set_register(&f.g, PX_CI, 1); /* again, while it runs */
	guest_finish_all(&f.g);
	assert_int_equal(f.g.done, 1);
	guest_set_register(&f.g, PX_SACT, 0xff00); /* without commands */
	guest_finish_all(&f.g);
	assert_true(guest_comreset(&f.g));
	expect_works(&f);
	assert_true(guest_stop(&f.g));
	guest_issue(&f.g, 0, 1); /* while stopped: nothing happens */
	guest_finish_all(&f.g);
	assert_int_equal(f.g.done, 0);
	assert_true(guest_begin(&f.g));
	expect_works(&f);
	/* Queued and not queued together: the disk gives up, the guest recovers. */
	for (unsigned i = 0; i < 6; i++) {
		c = guest_transfer(i & 1, i % 3 == 0, i, 96, COUNT, &piece, 1);
		guest_build(&f.g, i, &c);
	}
	guest_issue(&f.g, 0, 0x3f);
	guest_finish_all(&f.g);
	assert_true(guest_comreset(&f.g));
	expect_works(&f);
	/* COMRESET under a running engine. */
	c = good(&f, false, true, &piece);
	guest_build(&f.g, 0, &c);
	guest_issue(&f.g, 0, 1);
	f.m.hba.port[0].strict = false; /* the guest may do that; the mediator lets it */
	guest_set_register(&f.g, PX_SCTL, 0x301);
	guest_set_register(&f.g, PX_SCTL, 0x300);
	guest_finish_all(&f.g);
	f.m.hba.port[0].strict = true;
	assert_true(guest_comreset(&f.g));
	expect_works(&f);
	stop(&f);
}

/* Every width and alignment reads the bytes of the same registers. */
static void widths(void **state)
{
	static const uint32_t registers[] = {ABAR_CAP, ABAR_PI, ABAR_VS, HBA_PX(0, PX_CLB), HBA_PX(0, PX_IE),
		HBA_PX(0, PX_CMD), HBA_PX(0, PX_SSTS), HBA_PX(1, PX_CLB)};
	struct fixture f;

	(void)state;
	start(&f);
	for (unsigned i = 0; i < sizeof(registers) / sizeof(registers[0]); i++) {
		uint32_t at = registers[i];
		uint64_t low = ahci_read(f.m.ahci, at, 4), high = ahci_read(f.m.ahci, at + 4, 4);
		uint64_t both = low | high << 32;

		assert_true(ahci_read(f.m.ahci, at, 8) == both);
		for (unsigned shift = 0; shift < 8; shift++)
			for (unsigned size = 1; size <= 4 && shift + size <= 8; size *= 2)
				assert_int_equal(ahci_read(f.m.ahci, at + shift, size),
					both >> (8 * shift) & (0xffffffffull >> (32 - 8 * size)));
	}
	/* Ports that are not implemented, registers that are none, the end of the page. */
	assert_int_equal(ahci_read(f.m.ahci, HBA_PX(9, PX_CMD), 4), 0);
	assert_int_equal(ahci_read(f.m.ahci, 0x10fe, 4), 0);
	assert_int_equal(ahci_read(f.m.ahci, 0x10ff, 8), 0);
	assert_int_equal(ahci_read(f.m.ahci, 0x1ffc, 8), 0);
	ahci_write(f.m.ahci, HBA_PX(9, PX_CMD), 4, 0x11);
	ahci_write(f.m.ahci, 0x1ffd, 8, UINT64_MAX);
	/* Narrow writes change their bytes alone; in W1C registers the others stay as well. */
	ahci_write(f.m.ahci, HBA_PX(0, PX_IE), 4, 0x12345678);
	ahci_write(f.m.ahci, HBA_PX(0, PX_IE) + 1, 2, 0xabcd);
	assert_int_equal(ahci_read(f.m.ahci, HBA_PX(0, PX_IE), 4), 0x12abcd78);
	ahci_write(f.m.ahci, HBA_PX(0, PX_IE) + 3, 1, 0x7d);
	assert_int_equal(ahci_read(f.m.ahci, HBA_PX(0, PX_IE), 4), 0x7dabcd78);
	guest_set_register(&f.g, PX_IE, 0x7dc0007f);
	f.m.hba.port[0].is = 0x0101;
	ahci_write(f.m.ahci, HBA_PX(0, PX_IS), 1, 1);
	assert_int_equal(f.m.hba.port[0].is, 0x0100);
	/* A 64-bit write of CLB and CLBU, as some drivers make. */
	assert_true(guest_stop(&f.g));
	ahci_write(f.m.ahci, HBA_PX(0, PX_CLB), 8, f.g.list);
	ahci_write(f.m.ahci, HBA_PX(0, PX_FB), 8, f.g.received);
	assert_true(guest_begin(&f.g));
	expect_works(&f);
	stop(&f);
}

/* The mediator's addresses are not shown. */
static void addresses_are_hidden(void **state)
{
	struct fixture f;

	(void)state;
	start(&f);
	assert_int_equal(guest_register(&f.g, PX_CLB), (uint32_t)f.g.list);
	assert_int_equal(guest_register(&f.g, PX_CLBU), f.g.list >> 32);
	assert_int_equal(guest_register(&f.g, PX_FB), (uint32_t)f.g.received);
	/* A reset of the HBA leaves the addresses alone (AHCI 10.4.3): the guest's. */
	machine_write(&f.m, 0, ABAR_GHC, ABAR_GHC_HR);
	assert_int_equal(guest_register(&f.g, PX_CLB), (uint32_t)f.g.list);
	assert_int_equal(guest_register(&f.g, PX_FB), (uint32_t)f.g.received);
	for (uint32_t at = 0; at < 0x1100; at += 4) {
		const uint32_t *copy = (const uint32_t *)ahci_copy(f.m.ahci);

		assert_int_not_equal(copy[at / 4], f.m.bus.arena_base >> 32);
		assert_int_not_equal(ahci_read(f.m.ahci, at, 4), f.m.bus.arena_base >> 32);
	}
	stop(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists),
		cmocka_unit_test(tables),
		cmocka_unit_test(buffers),
		cmocka_unit_test(buffers_of_other_commands),
		cmocka_unit_test(lengths),
		cmocka_unit_test(spare_room),
		cmocka_unit_test(headers),
		cmocka_unit_test(wrong_direction),
		cmocka_unit_test(slots_that_are_not),
		cmocka_unit_test(protocol),
		cmocka_unit_test(widths),
		cmocka_unit_test(addresses_are_hidden),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
