/* SPDX-License-Identifier: Apache-2.0 */
/* Partition tables made by sgdisk: whole, with either copy damaged, and with every bit of the header flipped.
 */
#include "hv/boot/gpt.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#define DISK_BYTES (4u << 20)

static uint8_t *disk, *scratch;
static bool failing;

static int read_disk(void *context, uint64_t offset, void *buffer, size_t bytes)
{
	(void)context;
	assert_true(offset <= DISK_BYTES && bytes <= DISK_BYTES - offset);
	memcpy(buffer, disk + offset, bytes);
	return failing ? -1 : 0;
}

static const struct luks2_source source = {.read = read_disk, .bytes = DISK_BYTES};

static int make_disk(void **state)
{
	char path[] = "/tmp/underseal-gpt-XXXXXX", command[600];
	int file = mkstemp(path);

	(void)state;
	assert_true(file >= 0 && ftruncate(file, DISK_BYTES) == 0);
	snprintf(command, sizeof(command),
		"sgdisk -a 1 -U a1234567-89ab-cdef-0011-223344556677 "
		"-n 1:34:2081 -t 1:1d5d394a-edf1-4960-8ec5-fe12396a73c0 -c 1:header "
		"-n 5:2082:4095 -c 5:'gr\xc3\xbc\xc3\x9f' -u 5:01234567-89ab-cdef-0011-223344556677 %s "
		">/dev/null",
		path);
	assert_int_equal(system(command), 0);
	disk = malloc(DISK_BYTES);
	scratch = malloc(GPT_SCRATCH_BYTES);
	assert_int_equal(pread(file, disk, DISK_BYTES, 0), DISK_BYTES);
	close(file);
	unlink(path);
	return 0;
}

static int drop_disk(void **state)
{
	(void)state;
	free(disk);
	free(scratch);
	return 0;
}

static void assert_whole(const struct gpt *gpt)
{
	struct gpt_partition partition;
	uint8_t guid[16];
	uint32_t index;

	luks2_parse_guid("a1234567-89ab-cdef-0011-223344556677", 36, guid);
	assert_memory_equal(gpt->disk_guid, guid, 16);
	assert_int_equal(gpt->entries, 128);
	assert_true(gpt_partition(gpt, 0, &partition));
	luks2_parse_guid("1d5d394a-edf1-4960-8ec5-fe12396a73c0", 36, guid);
	assert_memory_equal(partition.type, guid, 16);
	assert_int_equal(partition.first_lba, 34);
	assert_int_equal(partition.last_lba, 2081);
	assert_string_equal(partition.name, "header");
	assert_false(gpt_partition(gpt, 1, &partition));
	luks2_parse_guid("01234567-89ab-cdef-0011-223344556677", 36, guid);
	assert_true(gpt_find(gpt, guid, &partition, &index));
	assert_int_equal(index, 4);
	assert_int_equal(partition.first_lba, 2082);
	assert_int_equal(partition.last_lba, 4095);
	assert_string_equal(partition.name, "gr??");
	guid[0] ^= 1;
	assert_false(gpt_find(gpt, guid, &partition, &index));
}

static void primary_is_read(void **state)
{
	struct gpt gpt;

	(void)state;
	assert_int_equal(gpt_read(&gpt, &source, 512, scratch), 0);
	assert_false(gpt.backup);
	assert_whole(&gpt);
}

/* Every bit of the header and some of the entries: the backup serves. */
static void backup_serves(void **state)
{
	struct gpt gpt;

	(void)state;
	for (uint32_t bit = 0; bit < 92 * 8; bit++) {
		disk[512 + bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_equal(gpt_read(&gpt, &source, 512, scratch), 0);
		if (!gpt.backup)
			fail_msg("bit %u of the primary header was not noticed", bit);
		disk[512 + bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	for (uint32_t at = 1024; at < 1024 + 128 * 128; at += 117) {
		disk[at] ^= 0x40;
		assert_int_equal(gpt_read(&gpt, &source, 512, scratch), 0);
		assert_true(gpt.backup);
		assert_whole(&gpt);
		disk[at] ^= 0x40;
	}
}

static void both_damaged(void **state)
{
	struct gpt gpt;

	(void)state;
	disk[512] ^= 1;
	disk[DISK_BYTES - 512 + 60] ^= 1;
	assert_int_equal(gpt_read(&gpt, &source, 512, scratch), -1);
	disk[512] ^= 1;
	disk[DISK_BYTES - 512 + 60] ^= 1;
	failing = true;
	assert_int_equal(gpt_read(&gpt, &source, 512, scratch), -1);
	failing = false;
	assert_int_equal(gpt_read(&gpt, &source, 513, scratch), -1);
	assert_int_equal(gpt_read(&gpt, &source, 2048, scratch), -1);
}

static void seal(uint8_t *header)
{
	uint32_t crc = ~0u;

	memset(header + 16, 0, 4);
	for (unsigned i = 0; i < 92; i++) {
		crc ^= header[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
	}
	crc = ~crc;
	memcpy(header + 16, &crc, 4);
}

/* Headers whose sum is right and whose numbers are not. */
static void absurd_numbers_are_refused(void **state)
{
	static const struct {
		unsigned at, bytes;
		uint64_t value;
	} absurd[] = {
		{12, 4, 91		  },
		{12, 4, 513		   },
		{24, 8, 2			 },
		{72, 8, UINT64_MAX	  },
		{72, 8, DISK_BYTES / 512 - 1},
		{80, 4, 0			 },
		{80, 4, UINT32_MAX	  },
		{84, 4, 0			 },
		{84, 4, 64		  },
		{84, 4, 129		   },
		{84, 4, UINT32_MAX	  },
	};
	struct gpt gpt;
	uint8_t saved[512];

	(void)state;
	memcpy(saved, disk + 512, 512);
	for (size_t i = 0; i < sizeof(absurd) / sizeof(absurd[0]); i++) {
		memcpy(disk + 512 + absurd[i].at, &absurd[i].value, absurd[i].bytes);
		seal(disk + 512);
		assert_int_equal(gpt_read(&gpt, &source, 512, scratch), 0);
		assert_true(gpt.backup);
		memcpy(disk + 512, saved, 512);
	}
	seal(disk + 512);
	assert_memory_equal(disk + 512, saved, 512);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(primary_is_read),
		cmocka_unit_test(backup_serves),
		cmocka_unit_test(both_damaged),
		cmocka_unit_test(absurd_numbers_are_refused),
	};

	return cmocka_run_group_tests(tests, make_disk, drop_disk);
}
