/* SPDX-License-Identifier: Apache-2.0 */
/* What is refused, how the guest learns it, and that it recovers; resets with commands in flight. */
#include "storage/ata_commands/commands.h"
#include "tests/model/ata_table.h"
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
	uint8_t *medium; /* as it was at the start */
	struct disk_pin pin;
};

#define BUFFER (256u * 1024)
#define CIPHER_LBAS 8u /* in a sector of the cipher */
/* Some bytes of a clear sector before the first volume. */
#define PINNED_LBA    20u
#define PINNED_OFFSET 100u
#define PINNED_BYTES  17u

static void start(struct fixture *f)
{
	const struct machine_options options = {.cipher_a = 4096};
	struct ata_disk *disk = &f->m.disk[0];

	machine_init(&f->m, &options);
	assert_non_null(f->m.ahci);
	guest_start(&f->g, &f->m, 0, 16);
	f->buffer = machine_ram(&f->m, BUFFER, 4096);
	f->medium = malloc(disk->sectors * disk->lba_size);
	memcpy(f->medium, disk->medium, disk->sectors * disk->lba_size);
	f->pin = (struct disk_pin){.lba = PINNED_LBA, .offset = PINNED_OFFSET, .bytes = PINNED_BYTES};
	memcpy(f->pin.value, f->medium + PINNED_LBA * 512 + PINNED_OFFSET, PINNED_BYTES);
	assert_int_equal(disk_map_pin(&f->m.map[0], &f->pin), 0);
}

static void stop(struct fixture *f)
{
	assert_int_equal(f->m.bus.faults, 0);
	assert_int_equal(f->m.disk[0].dangerous, 0);
	free(f->medium);
	machine_free(&f->m);
}

static void expect_medium_unchanged(struct fixture *f)
{
	assert_int_equal(memcmp(f->medium, f->m.disk[0].medium, 4096 * 512), 0);
}

static void expect_works(struct fixture *f, bool ncq)
{
	uint8_t expected[512];

	memset(machine_pointer(&f->m, f->buffer), 0, 512);
	assert_true(guest_read(&f->g, ncq, 99, 1, f->buffer));
	machine_pattern(&f->m, 0, 99, expected);
	assert_memory_equal(machine_pointer(&f->m, f->buffer), expected, 512);
}

/* Log 10h as a driver reads it after a queued command failed. Returns the tag. */
static unsigned read_error_log(struct fixture *f)
{
	struct guest_piece piece = {f->buffer, 512};
	struct guest_command c = {.opcode = 0x2f, .lba = 0x10, .count = 1, .piece = &piece, .pieces = 1};
	const uint8_t *log = machine_pointer(&f->m, f->buffer);

	assert_true(guest_do(&f->g, 0, &c));
	assert_int_equal(log[0] & 0x80, 0); /* it was a queued command */
	assert_int_equal(log[2] & 1, 1);
	return log[0] & 31;
}

/* Whether the mediator lets the opcode through, for some features at least. */
static bool in_table(uint8_t opcode)
{
	for (unsigned i = 0; i < command_rule_count; i++)
		if (command_rules[i].opcode == opcode && command_rules[i].class != COMMAND_REFUSE)
			return true;
	return false;
}

/* The command ends with the device's own error, and the disk has not seen it. */
static void expect_refused(struct fixture *f, unsigned slot, const struct guest_command *c)
{
	unsigned seen = f->m.disk[0].seen[c->opcode];
	bool ncq = ata_is_ncq(c->opcode);

	assert_false(guest_do(&f->g, slot, c));
	assert_int_equal(f->g.errors & PXIS_TFES, PXIS_TFES);
	assert_int_equal(f->g.tfd & PXTFD_ERR, PXTFD_ERR);
	assert_int_not_equal(f->g.tfd >> 8 & (ATA_ABRT | ATA_IDNF), 0);
	/* 0x01 is what the mediator itself lets the disk abort. */
	if (c->opcode != 0x01 && !(ata_row(c->opcode)->unit == ATA_SECTORS && in_table(c->opcode)))
		assert_int_equal(f->m.disk[0].seen[c->opcode], seen);
	assert_true(guest_recover(&f->g));
	if (ncq)
		assert_int_equal(read_error_log(f), slot);
	expect_works(f, ncq);
}

/* A command that is as its row in the table wants it. */
static struct guest_command typical(
	uint8_t opcode, uint16_t features, struct guest_piece *piece, uint64_t buffer)
{
	const struct ata_row *row = ata_row(opcode);
	struct guest_command c = {.opcode = opcode, .features = features, .count = 1, .lba = 80};

	*piece = (struct guest_piece){buffer, 512};
	c.write = row->direction == ATA_OUT;
	c.piece = piece;
	c.pieces = row->direction != ATA_NO_DATA || opcode == 0xb0 ? 1 : 0;
	if (opcode == 0xb0)
		c.lba = 0xc24f00;
	if (row->unit == ATA_LOG)
		c.lba = 0x30;
	if (opcode == 0xc6)
		c.count = 8;
	if (ata_is_ncq(opcode)) {
		c.features = 1;
		c.count = 0;
	}
	return c;
}

static void every_row(void **state)
{
	struct guest_piece piece;
	struct fixture f;

	(void)state;
	start(&f);
	for (unsigned i = 0; i < command_rule_count; i++) {
		const struct command_rule *rule = &command_rules[i];
		uint16_t features = rule->feature < 0 ? 0 : (uint16_t)rule->feature;
		struct guest_command c = typical(rule->opcode, features, &piece, f.buffer);
		unsigned seen = f.m.disk[0].seen[rule->opcode];

		memset(machine_pointer(&f.m, f.buffer), 0, 512);
		assert_true(rule->reason && strlen(rule->reason) > 2);
		if (rule->class == COMMAND_REFUSE) {
			expect_refused(&f, 0, &c);
			continue;
		}
		if (!ata_row(rule->opcode)->known) { /* the disk itself knows no such command */
			assert_false(guest_do(&f.g, 0, &c));
			assert_int_equal(f.g.tfd >> 8, ATA_ABRT);
			assert_true(guest_recover(&f.g));
		} else if (!guest_do(&f.g, 0, &c)) {
			fail_msg("%s (%x): TFD %x", rule->reason, rule->opcode, f.g.tfd);
		}
		if (rule->class != COMMAND_WRITE) /* a write of part of a cipher sector is another command */
			assert_int_equal(f.m.disk[0].seen[rule->opcode], seen + 1);
		/* The data of the medium comes in clear, whatever the command. */
		if (rule->class == COMMAND_READ) {
			uint8_t expected[512];

			machine_plain(&f.m, 0, 80, 1, expected);
			assert_memory_equal(machine_pointer(&f.m, f.buffer), expected, 512);
		}
	}
	expect_works(&f, true);
	stop(&f);
}

static void every_other_opcode(void **state)
{
	struct guest_piece piece;
	struct fixture f;

	(void)state;
	start(&f);
	for (unsigned opcode = 0; opcode < 256; opcode++)
		if (!in_table((uint8_t)opcode)) {
			struct guest_command c = typical((uint8_t)opcode, 0, &piece, f.buffer);

			/* A mediator that passed these would leave zeroes on the medium. */
			if (opcode == 0x63 || opcode == 0x64 || opcode == 0x65)
				c.count = 7 << 3;
			expect_refused(&f, ata_is_ncq((uint8_t)opcode) && opcode >= 0x63 ? 7 : 0, &c);
		}
	expect_medium_unchanged(&f);
	stop(&f);
}

/* Subcommands that the table does not name. */
static void other_features(void **state)
{
	static const struct {
		uint8_t opcode, feature;
	} refused[] = {{0xef, 0x5d}, {0xef, 0xf1}, {0xef, 0x06}, {0xb0, 0xd6}, {0xb0, 0x00}, {0x06, 0x00},
		{0x06, 0x02}};
	struct guest_piece piece;
	struct fixture f;

	(void)state;
	start(&f);
	for (unsigned i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		struct guest_command c = typical(refused[i].opcode, refused[i].feature, &piece, f.buffer);
		unsigned seen = f.m.disk[0].seen[refused[i].opcode];

		assert_false(guest_do(&f.g, 0, &c));
		assert_int_equal(f.m.disk[0].seen[refused[i].opcode], seen);
		assert_int_equal(f.g.tfd >> 8 & ATA_ABRT, ATA_ABRT);
		assert_true(guest_recover(&f.g));
	}
	expect_works(&f, false);
	stop(&f);
}

static void guarded_writes(void **state)
{
	struct fixture f;
	uint64_t guarded;

	(void)state;
	start(&f);
	guarded = machine_guarded_first(&f.m);
	for (int ncq = 0; ncq < 2; ncq++) {
		const struct {
			uint64_t lba;
			uint32_t count;
		} range[] = {{guarded, 1}, {guarded - 1, 2}, {guarded - 400, 401}, {guarded + 63, 1},
			{guarded + 63, 3}, {guarded - 8, 80}};

		for (unsigned i = 0; i < 6; i++) {
			struct guest_piece piece = {f.buffer, range[i].count * 512};
			unsigned slot = ncq ? 9 : 0;
			struct guest_command c =
				guest_transfer(true, ncq, slot, range[i].lba, range[i].count, &piece, 1);

			memset(machine_pointer(&f.m, f.buffer), 0x11, piece.bytes);
			expect_refused(&f, slot, &c);
			expect_medium_unchanged(&f);
		}
	}
	stop(&f);
}

/* Sector PINNED_LBA with the pinned bytes as they are, but for `flip` at `at`; the rest is new. */
static void fill_around_pin(struct fixture *f, uint32_t bytes, uint32_t in_buffer, unsigned at, uint8_t flip)
{
	uint8_t *memory = machine_pointer(&f->m, f->buffer);

	memset(memory, 0x5e, bytes);
	memcpy(memory + in_buffer + PINNED_OFFSET, f->pin.value, PINNED_BYTES);
	memory[in_buffer + at] ^= flip;
}

static void pinned_writes(void **state)
{
	static const struct {
		uint32_t before, count; /* sectors before the pin's, of the write */
	} shape[] = {{0, 1}, {0, 8}, {7, 8}, {3, 40}, {PINNED_LBA, PINNED_LBA + 1}};
	struct fixture f;

	(void)state;
	start(&f);
	for (unsigned ncq = 0; ncq < 2; ncq++)
		for (unsigned i = 0; i < sizeof(shape) / sizeof(shape[0]); i++) {
			uint32_t bytes = shape[i].count * 512, in = shape[i].before * 512;
			struct guest_piece piece = {f.buffer, bytes};
			unsigned slot = ncq ? 11 : 0;
			struct guest_command c = guest_transfer(true, ncq, slot, PINNED_LBA - shape[i].before,
				shape[i].count, &piece, 1);

			for (unsigned at = PINNED_OFFSET; at < PINNED_OFFSET + PINNED_BYTES; at++) {
				fill_around_pin(&f, bytes, in, at, 0x10);
				expect_refused(&f, slot, &c);
				expect_medium_unchanged(&f);
			}
			/* What keeps them passes, with all that lies around. */
			fill_around_pin(&f, bytes, in, PINNED_OFFSET + PINNED_BYTES, 0x10);
			assert_true(guest_do(&f.g, slot, &c));
			memcpy(f.medium + (PINNED_LBA - shape[i].before) * 512, machine_pointer(&f.m, f.buffer), bytes);
			expect_medium_unchanged(&f);
		}
	stop(&f);
}

/* Another CPU changes the bytes after the command has been taken: what was looked at is what is written. */
static void pinned_bytes_change_in_flight(void **state)
{
	struct guest_piece piece;
	struct guest_command c;
	struct fixture f;

	(void)state;
	start(&f);
	piece = (struct guest_piece){f.buffer, 512};
	c = guest_transfer(true, true, 4, PINNED_LBA, 1, &piece, 1);
	fill_around_pin(&f, 512, 0, 0, 0);
	memcpy(f.medium + PINNED_LBA * 512, machine_pointer(&f.m, f.buffer), 512);
	guest_build(&f.g, 4, &c);
	guest_issue(&f.g, 0, 1 << 4);
	memset(machine_pointer(&f.m, f.buffer), 0xee, 512);
	guest_finish_all(&f.g);
	assert_int_equal(f.g.done, 1 << 4);
	expect_medium_unchanged(&f);
	stop(&f);
}

static void trim(void **state)
{
	struct guest_piece piece;
	struct guest_command c;
	struct fixture f;
	uint64_t *range, guarded;

	(void)state;
	start(&f);
	piece = (struct guest_piece){f.buffer, 512};
	c = (struct guest_command){
		.opcode = 6, .features = 1, .count = 1, .write = true, .piece = &piece, .pieces = 1};
	range = machine_pointer(&f.m, f.buffer);
	guarded = machine_guarded_first(&f.m);
	range[0] = 200 | 8ull << 48;
	range[1] = 0; /* an empty entry */
	range[63] = 400 | 16ull << 48;
	assert_true(guest_do(&f.g, 0, &c));
	memset(f.medium + 200 * 512, 0, 8 * 512);
	memset(f.medium + 400 * 512, 0, 16 * 512);
	expect_medium_unchanged(&f);
	/* One entry that touches the header partition, or pinned bytes, refuses the whole command. */
	range[0] = 600 | 8ull << 48;
	range[63] = 0;
	for (int pinned = 0; pinned < 2; pinned++) {
		range[30] = (pinned ? PINNED_LBA : guarded - 4) | 5ull << 48;
		assert_false(guest_do(&f.g, 0, &c));
		assert_int_equal(f.g.tfd >> 8 & ATA_ABRT, ATA_ABRT);
		assert_true(guest_recover(&f.g));
		expect_medium_unchanged(&f);
	}
	stop(&f);
}

static void identify(void **state)
{
	struct guest_piece piece;
	struct guest_command c;
	struct fixture f;
	const uint16_t *w;
	uint8_t sum = 0;

	(void)state;
	start(&f);
	piece = (struct guest_piece){f.buffer, 512};
	c = (struct guest_command){.opcode = 0xec, .piece = &piece, .pieces = 1};
	assert_true(guest_do(&f.g, 0, &c));
	w = machine_pointer(&f.m, f.buffer);
	for (int i = 0; i < 512; i++)
		sum = (uint8_t)(sum + ((const uint8_t *)w)[i]);
	assert_int_equal(sum, 0);
	assert_memory_equal(w + 10, f.m.disk[0].identify + 10, 74); /* names, up to word 46 */
	assert_int_equal(w[76] & 0x100, 0x100);			    /* NCQ */
	assert_int_equal(w[75], 31);
	assert_memory_equal(w + 100, f.m.disk[0].identify + 100, 8);
	assert_int_equal(w[69] & 0x4020, 0); /* no promise about trimmed sectors */
	assert_int_equal(w[59] & 0x1000, 0); /* sanitize */
	assert_int_equal(w[82] & 0x0002, 0); /* security */
	assert_int_equal(w[85] & 0x0002, 0);
	assert_int_equal(w[128] & 1, 0);
	assert_int_equal(w[82] & 0x0400, 0);  /* HPA */
	assert_int_equal(w[83] & 0x0001, 0);  /* microcode */
	assert_int_equal(w[84] & 0x0010, 0);  /* streaming */
	assert_int_equal(w[77] & 0x0060, 0);  /* NCQ management, send/receive */
	assert_int_equal(w[119] & 0x0004, 0); /* write uncorrectable */
	assert_int_equal(w[48] & 1, 0);	      /* trusted computing */
	assert_int_equal(w[169] & 1, 1);      /* TRIM is passed */
	stop(&f);
}

/* Out of range, and a bad sector: the disk's own error, for reads, writes and read-modify-writes. */
static void errors_of_the_disk(void **state)
{
	struct fixture f;

	(void)state;
	start(&f);
	f.m.disk[0].bad_lba = 300;
	for (int ncq = 0; ncq < 2; ncq++)
		for (int write = 0; write < 2; write++)
			for (uint64_t lba = 296; lba <= 4090; lba += 4090 - 296) {
				struct guest_piece piece = {f.buffer, 8 * 512};
				unsigned slot = ncq ? 30 : 0;
				struct guest_command c =
					guest_transfer(write, ncq, slot, lba + (uint64_t)write, 7, &piece, 1);

				assert_false(guest_do(&f.g, slot, &c));
				assert_int_equal(f.g.errors & PXIS_TFES, PXIS_TFES);
				assert_int_equal(f.g.tfd >> 8, lba == 296 ? ATA_UNC : ATA_IDNF);
				assert_true(guest_recover(&f.g));
				if (ncq)
					assert_int_equal(read_error_log(&f), slot);
				expect_works(&f, ncq);
			}
	expect_medium_unchanged(&f);
	stop(&f);
}

/* Systems take the sectors before the bad one for read: they are plaintext, in direct reads and in bounced ones. */
static void sectors_before_a_bad_one(void **state)
{
	uint8_t expected[512];
	struct fixture f;

	(void)state;
	start(&f);
	f.m.disk[0].bad_lba = 320;
	for (unsigned ncq = 0; ncq < 2; ncq++)
		for (uint64_t lba = 296; lba < 300; lba++) {
			struct guest_piece piece = {f.buffer, 40 * 512};
			unsigned slot = ncq ? 7 : 0;
			struct guest_command c = guest_transfer(false, ncq, slot, lba, 40, &piece, 1);
			const uint8_t *read = machine_pointer(&f.m, f.buffer);

			memset(machine_pointer(&f.m, f.buffer), 0, 40 * 512);
			assert_false(guest_do(&f.g, slot, &c));
			assert_int_equal(f.g.tfd >> 8, ATA_UNC);
			assert_true(guest_recover(&f.g));
			for (uint64_t at = lba; at + CIPHER_LBAS <= f.m.disk[0].bad_lba; at++) {
				machine_pattern(&f.m, 0, at, expected);
				assert_memory_equal(read + (at - lba) * 512, expected, 512);
			}
			if (ncq)
				assert_int_equal(read_error_log(&f), slot);
		}
	stop(&f);
}

/* One of many queued commands fails: the log names it, the rest is done again. */
static void a_queued_command_fails(void **state)
{
	struct guest_piece piece[8];
	struct fixture f;
	uint32_t again;

	(void)state;
	start(&f);
	f.m.disk[0].bad_lba = 64 + 5 * 64 + 3;
	for (unsigned i = 0; i < 8; i++) {
		struct guest_command c;

		piece[i] = (struct guest_piece){f.buffer + i * 4096, 4096};
		c = guest_transfer(false, true, i, 64 + i * 64, 8, &piece[i], 1);
		guest_build(&f.g, i, &c);
	}
	guest_issue(&f.g, 0, 0xff);
	guest_finish_all(&f.g);
	assert_int_equal(f.g.errors & PXIS_TFES, PXIS_TFES);
	again = 0xff & ~f.g.done & ~(1u << 5);
	assert_true(guest_recover(&f.g));
	assert_int_equal(read_error_log(&f), 5);
	f.m.disk[0].bad_lba = UINT64_MAX;
	/* Slot 0's header was used for the log. */
	for (unsigned i = 0; i < 8; i++) {
		struct guest_command c = guest_transfer(false, true, i, 64 + i * 64, 8, &piece[i], 1);

		guest_build(&f.g, i, &c);
	}
	guest_issue(&f.g, 0, again | 1u << 5);
	guest_finish_all(&f.g);
	assert_int_equal(f.g.done & (again | 1u << 5), again | 1u << 5);
	for (unsigned i = 0; i < 8; i++) {
		uint8_t plain[4096];

		if (i == 0)
			continue; /* perhaps done before the log was read into its place */
		machine_plain(&f.m, 0, 64 + i * 64, 8, plain);
		assert_memory_equal(machine_pointer(&f.m, piece[i].address), plain, 4096);
	}
	stop(&f);
}

enum reset { STOP_ONLY, COMRESET, SOFTWARE, HBA };

static bool reset_port(struct fixture *f, enum reset how)
{
	switch (how) {
	case STOP_ONLY:
		return guest_recover(&f->g);
	case COMRESET:
		return guest_comreset(&f->g);
	case SOFTWARE:
		return guest_software_reset(&f->g);
	default:
		return guest_hba_reset(&f->g);
	}
}

/*
 * Commands are cut off in every stage. Afterwards their memory is the guest's
 * again: nothing writes to it, and new commands work.
 */
static void resets_in_flight(void **state)
{
	(void)state;
	for (int how = COMRESET; how <= HBA; how++)
		for (int stage = 0; stage < 5; stage++)
			for (int write = 0; write < 2; write++) {
				struct guest_piece piece[4];
				struct fixture f;
				uint8_t *memory;

				start(&f);
				for (unsigned i = 0; i < 4; i++) {
					struct guest_command c;

					piece[i] = (struct guest_piece){f.buffer + i * 8192, 4096 + 512};
					c = guest_transfer(write, true, i, 64 + i * 64, 9, &piece[i], 1);
					guest_build(&f.g, i, &c);
				}
				guest_issue(&f.g, 0, 15);
				if (stage > 0)
					hba_fetch(&f.m.hba, 0);
				if (stage > 1)
					hba_move(&f.m.hba, 0, 0);
				if (stage > 2)
					hba_finish(&f.m.hba, 0, 0);
				if (stage > 3)
					hba_fetch(&f.m.hba, 0);
				assert_true(reset_port(&f, how));
				memory = machine_pointer(&f.m, f.buffer);
				memset(memory, 0xa7, 65536);
				expect_works(&f, true);
				expect_works(&f, false);
				guest_finish_all(&f.g);
				for (int i = 512; i < 65536; i++)
					assert_int_equal(memory[i], 0xa7);
				if (!write || stage < 2)
					expect_medium_unchanged(&f);
				stop(&f);
			}
}

static void quiesced(void **state)
{
	struct guest_piece piece;
	struct guest_command c;
	struct fixture f;

	(void)state;
	start(&f);
	piece = (struct guest_piece){f.buffer, 4096};
	c = guest_transfer(true, true, 3, 64, 8, &piece, 1);
	memset(machine_pointer(&f.m, f.buffer), 0x3c, 4096);
	guest_build(&f.g, 3, &c);
	guest_issue(&f.g, 0, 8);
	hba_fetch(&f.m.hba, 0);
	ahci_quiesce(f.m.ahci);
	assert_int_equal(f.m.hba.port[0].cmd & (PXCMD_CR | PXCMD_FR), 0);
	assert_int_equal(f.m.hba.port[3].cmd & (PXCMD_CR | PXCMD_FR), 0);
	/* No plaintext of the guest is left in the arena. */
	for (uint64_t i = 0; i + 16 <= f.m.bus.arena_bytes; i += 16)
		assert_memory_not_equal(f.m.bus.arena + i,
			"\x3c\x3c\x3c\x3c\x3c\x3c\x3c\x3c\x3c\x3c\x3c\x3c\x3c\x3c\x3c\x3c", 16);
	/* What the guest does now reaches no memory of anybody. */
	guest_issue(&f.g, 0, 1);
	guest_recover(&f.g);
	guest_issue(&f.g, 0, 8);
	hba_run(&f.m.hba);
	expect_medium_unchanged(&f);
	ahci_quiesce(f.m.ahci);
	stop(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row),
		cmocka_unit_test(every_other_opcode),
		cmocka_unit_test(other_features),
		cmocka_unit_test(guarded_writes),
		cmocka_unit_test(pinned_writes),
		cmocka_unit_test(pinned_bytes_change_in_flight),
		cmocka_unit_test(trim),
		cmocka_unit_test(identify),
		cmocka_unit_test(errors_of_the_disk),
		cmocka_unit_test(sectors_before_a_bad_one),
		cmocka_unit_test(a_queued_command_fails),
		cmocka_unit_test(resets_in_flight),
		cmocka_unit_test(quiesced),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
