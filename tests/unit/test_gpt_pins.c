/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sgdisk changes a table; each sector that it would write is held against the
 * pins, as the mediator does. What touches the protected entries is stopped, the
 * rest passes.
 */
#include "hv/boot/gpt.h"
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#define DISK_BYTES (3u << 20)
#define DATA       4 /* entries, from 0 */
#define HEADER     0

static const char *const make_table =
	"-a 1 -U a1234567-89ab-cdef-0011-223344556677 -n 1:34:2081 -c 1:header "
				 "-t 1:1d5d394a-edf1-4960-8ec5-fe12396a73c0 -n 3:2082:3000 -c 3:other "
				 "-n 5:3001:5000 -c 5:data -u 5:01234567-89ab-cdef-0011-223344556677";

struct fixture {
	uint8_t before[DISK_BYTES], after[DISK_BYTES], scratch[GPT_SCRATCH_BYTES];
	struct disk_map map;
	struct disk_pin pins[GPT_PINS];
	struct gpt gpt;
};
static struct fixture f;

static int read_before(void *context, uint64_t offset, void *buffer, size_t bytes)
{
	memcpy(buffer, (const uint8_t *)context + offset, bytes);
	return 0;
}

static int file_of(const char *folder, size_t i, int flags)
{
	char path[80];
	int file;

	snprintf(path, sizeof(path), "%s/%zu", folder, i);
	file = open(path, flags, 0600);
	assert_true(file >= 0);
	return file;
}

/*
 * Copies of the disk in files 0, 1, ... of a new folder, each changed by sgdisk
 * with one of `options`. All at once: sgdisk sleeps a second. Its status is not
 * asked, destroying a table ends as an error; what counts is what is on the disk.
 */
static void sgdisk(const char *const *options, size_t count, char *folder)
{
	static char command[8192];
	size_t used = 0;

	strcpy(folder, "/tmp/underseal-pins-XXXXXX");
	assert_non_null(mkdtemp(folder));
	for (size_t i = 0; i < count; i++) {
		int file = file_of(folder, i, O_CREAT | O_WRONLY);

		assert_int_equal(write(file, f.before, DISK_BYTES), DISK_BYTES);
		close(file);
		used += (size_t)snprintf(command + used, sizeof(command) - used,
			"sgdisk %s %s/%zu >/dev/null 2>&1 & ", options[i], folder, i);
	}
	snprintf(command + used, sizeof(command) - used, "wait");
	assert_int_equal(system(command), 0);
}

/* Reads file `i` to `disk` and removes it. */
static void take_disk(const char *folder, size_t i, uint8_t *disk)
{
	int file = file_of(folder, i, O_RDONLY);
	char path[80];

	assert_int_equal(read(file, disk, DISK_BYTES), DISK_BYTES);
	close(file);
	snprintf(path, sizeof(path), "%s/%zu", folder, i);
	unlink(path);
}

static int start(void **state)
{
	const struct luks2_source source = {.read = read_before, .context = f.before, .bytes = DISK_BYTES};
	struct gpt_place place;
	char folder[40];

	(void)state;
	sgdisk(&make_table, 1, folder);
	take_disk(folder, 0, f.before);
	rmdir(folder);
	f.map.lba_size = 512;
	assert_int_equal(gpt_read(&f.gpt, &source, 512, f.scratch), 0);
	place = gpt_place_of(&f.gpt, DATA, HEADER);
	assert_int_equal(place.protective_record, 0);
	assert_int_equal(place.copy[1].header_lba, DISK_BYTES / 512 - 1);
	return gpt_pin(&f.map, &place, f.pins);
}

/* Whether every sector that differs may be written. */
static bool allowed(void)
{
	for (uint64_t lba = 0; lba < DISK_BYTES / 512; lba++)
		if (memcmp(f.before + lba * 512, f.after + lba * 512, 512) &&
			!disk_map_keeps_pins(&f.map, lba, 1, f.after + lba * 512))
			return false;
	return true;
}

static void changes_of_the_volume_are_stopped(void **state)
{
	static const char *const changes[] = {"-d 5", "-d 1", "-t 5:8300 -t 5:8200", "-c 5:renamed", "-c 1:renamed",
		"-A 5:set:2", "-d 5 -n 5:3001:4000", "-d 5 -n 5:3002:5000", "-u 5:R", "-u 1:R", "-U R", "-G", "-o",
		"-t 1:8300", "-Z", "-z", "-s", "-r 3:5", "-r 1:2"};
	const size_t count = sizeof(changes) / sizeof(changes[0]);
	char folder[40];

	(void)state;
	sgdisk(changes, count, folder);
	for (size_t i = 0; i < count; i++) {
		take_disk(folder, i, f.after);
		if (!memcmp(f.before, f.after, DISK_BYTES))
			fail_msg("sgdisk %s changes nothing", changes[i]);
		if (allowed())
			fail_msg("sgdisk %s would be let through", changes[i]);
	}
	rmdir(folder);
}

static void other_changes_pass(void **state)
{
	static const char *const changes[] = {"-n 2:5001:5500", "-d 3", "-c 3:renamed", "-t 3:8200", "-u 3:R", "-r 3:4",
		"-d 3 -n 3:2082:2500", "-n 9:0:0 -c 9:rest", "-A 3:set:2"};
	struct gpt_partition data = {0}, was = {0};
	const size_t count = sizeof(changes) / sizeof(changes[0]);
	char folder[40];
	struct gpt gpt;

	(void)state;
	assert_true(gpt_partition(&f.gpt, DATA, &was));
	sgdisk(changes, count, folder);
	for (size_t i = 0; i < count; i++) {
		const struct luks2_source source = {
			.read = read_before, .context = f.after, .bytes = DISK_BYTES};

		take_disk(folder, i, f.after);
		assert_memory_not_equal(f.before, f.after, DISK_BYTES);
		if (!allowed())
			fail_msg("sgdisk %s would be stopped", changes[i]);
		assert_int_equal(gpt_read(&gpt, &source, 512, f.scratch), 0);
		assert_true(gpt_partition(&gpt, DATA, &data));
		assert_memory_equal(&data, &was, sizeof(data));
	}
	rmdir(folder);
}

/* The pins' bytes, one by one: no more and no less than the header's fixed fields and the two entries. */
static void every_byte(void **state)
{
	static const struct {
		unsigned first, last;
	} free_in_header[] = {{8, 23}, {40, 55}, {88, 511}};
	uint8_t sector[512];

	(void)state;
	for (unsigned copy = 0; copy < 2; copy++) {
		uint64_t lba = copy ? DISK_BYTES / 512 - 1 : 1;

		for (unsigned at = 0; at < 512; at++) {
			bool is_free = false;

			for (unsigned i = 0; i < 3; i++)
				is_free |= at >= free_in_header[i].first && at <= free_in_header[i].last;
			memcpy(sector, f.before + lba * 512, 512);
			sector[at] ^= 1;
			if (disk_map_keeps_pins(&f.map, lba, 1, sector) != is_free)
				fail_msg("byte %u of header %u", at, copy);
		}
		lba = copy ? DISK_BYTES / 512 - 33 : 2;
		for (unsigned at = 0; at < 128 * 128; at++) {
			unsigned entry = at / 128;

			memcpy(sector, f.before + (lba + at / 512) * 512, 512);
			sector[at % 512] ^= 0x80;
			if (disk_map_keeps_pins(&f.map, lba + at / 512, 1, sector) == (entry == DATA || entry == HEADER))
				fail_msg("byte %u of entry %u, copy %u", at % 128, entry, copy);
		}
	}
	assert_false(disk_map_pinned(&f.map, 35, DISK_BYTES / 512 - 33 - 35));
	assert_true(disk_map_pinned(&f.map, 0, 1));
	assert_true(disk_map_pinned(&f.map, 0, UINT64_MAX));
	/* Many sectors in one write: the last one counts as the first does. */
	memcpy(f.after, f.before, DISK_BYTES);
	assert_true(disk_map_keeps_pins(&f.map, 0, DISK_BYTES / 512, f.after));
	f.after[DISK_BYTES - 512] ^= 1;
	assert_false(disk_map_keeps_pins(&f.map, 0, DISK_BYTES / 512, f.after));
}

/* A table whose place a volume covers is not one that can be guarded. */
static void overlaps_are_refused(void **state)
{
	struct gpt_place place = gpt_place_of(&f.gpt, DATA, HEADER);
	const struct disk_range range = {.first_lba = 2, .last_lba = 9, .kind = SECTOR_GUARDED};
	struct disk_map map = {.lba_size = 512};
	struct disk_pin pins[GPT_PINS];

	(void)state;
	assert_int_equal(disk_map_add(&map, &range), 0);
	assert_int_equal(gpt_pin(&map, &place, pins), -1);
}

/* No whole backup, no protective MBR: what is there is pinned. */
static void half_a_table(void **state)
{
	const struct luks2_source source = {.read = read_before, .context = f.after, .bytes = DISK_BYTES};
	struct disk_map map = {.lba_size = 512};
	struct disk_pin pins[GPT_PINS];
	struct gpt_place place;
	struct gpt gpt;

	(void)state;
	memcpy(f.after, f.before, DISK_BYTES);
	memset(f.after, 0, 512);
	f.after[DISK_BYTES - 512 + 40] ^= 1;
	assert_int_equal(gpt_read(&gpt, &source, 512, f.scratch), 0);
	place = gpt_place_of(&gpt, DATA, HEADER);
	assert_int_equal(place.protective_record, GPT_NO_RECORD);
	assert_int_equal(place.copy[1].header_lba, 0);
	assert_int_equal(gpt_pin(&map, &place, pins), 0);
	assert_true(disk_map_pinned(&map, 1, 1));
	assert_false(disk_map_pinned(&map, 0, 1));
	assert_false(disk_map_pinned(&map, 40, DISK_BYTES / 512 - 40));
	f.after[512] ^= 1;
	f.after[DISK_BYTES - 512 + 40] ^= 1;
	assert_int_equal(gpt_read(&gpt, &source, 512, f.scratch), 0);
	assert_true(gpt.backup);
	place = gpt_place_of(&gpt, DATA, HEADER);
	assert_int_equal(place.copy[0].header_lba, 0);
	assert_int_equal(place.copy[1].header_lba, DISK_BYTES / 512 - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(changes_of_the_volume_are_stopped),
		cmocka_unit_test(other_changes_pass),
		cmocka_unit_test(every_byte),
		cmocka_unit_test(overlaps_are_refused),
		cmocka_unit_test(half_a_table),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
