/* SPDX-License-Identifier: Apache-2.0 */
/* The two copies of a LUKS2 header: which one is believed, and in which order they are written. */
#include "storage/convert/pair.h"
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#define COPY PAIR_COPY_MIN

struct disk {
	uint8_t bytes[2 * 0x8000];
	struct convert_port port;
	struct header_pair pair;
	uint8_t image[0x8000];
	int writes_left; /* negative: no end */
};

static int disk_read(void *context, enum convert_part part, uint64_t offset, void *buffer, size_t bytes)
{
	struct disk *d = context;

	assert_int_equal(part, CONVERT_HEADER);
	if (offset > sizeof d->bytes || bytes > sizeof d->bytes - offset)
		return -1;
	memcpy(buffer, d->bytes + offset, bytes);
	return 0;
}

static int disk_write(
	void *context, enum convert_part part, uint64_t offset, const void *buffer, size_t bytes)
{
	struct disk *d = context;

	assert_int_equal(part, CONVERT_HEADER);
	assert_true(offset + bytes <= sizeof d->bytes);
	if (d->writes_left >= 0 && d->writes_left-- == 0)
		return -1;
	memcpy(d->bytes + offset, buffer, bytes);
	return 0;
}

static int disk_sync(void *context, enum convert_part part)
{
	(void)context;
	(void)part;
	return 0;
}

static struct disk *disk_new(size_t copy)
{
	static const uint8_t start[16] = {'L', 'U', 'K', 'S', 0xba, 0xbe, 0, 2};
	struct disk *d = calloc(1, sizeof *d);

	d->port = (struct convert_port){d, disk_read, disk_write, disk_sync, NULL};
	d->writes_left = -1;
	d->pair.image = d->image;
	d->pair.capacity = sizeof d->image;
	memcpy(d->image, start, sizeof start);
	d->image[14] = copy >> 8;
	strcpy((char *)d->image + 72, "sha256");
	d->pair.copy_bytes = copy;
	assert_int_equal(pair_write(&d->pair, &d->port, "one", 3), 0);
	return d;
}

static void expect(struct disk *d, const char *text, uint64_t sequence, int stale)
{
	memset(d->image, 0xaa, sizeof d->image);
	assert_int_equal(pair_read(&d->pair, &d->port), 0);
	assert_string_equal(pair_json(&d->pair), text);
	assert_int_equal(d->pair.sequence, sequence);
	assert_int_equal(d->pair.stale, stale);
}

static void both_copies_agree(void **state)
{
	struct disk *d = disk_new(COPY);

	(void)state;
	expect(d, "one", 1, 0);
	assert_memory_equal(d->bytes + COPY, "SKUL\xba\xbe", 6);
	assert_int_equal(pair_write(&d->pair, &d->port, "two", 3), 0);
	expect(d, "two", 2, 0);
	free(d);
}

static void damaged_copy_is_passed_over(void **state)
{
	/* Magic, version, size, sequence, algorithm, salt, offset, checksum, text, the text's padding. */
	static const size_t places[] = {0, 7, 14, 23, 72, 104, 263, 448, 479, 4096, 5000, COPY - 1};

	(void)state;
	for (size_t copy = COPY; copy <= 0x8000; copy *= 2) {
		for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
			size_t at = places[i];
			struct disk *d = disk_new(copy);

			d->bytes[at] ^= 1;
			expect(d, "one", 1, 1);
			assert_false(d->pair.valid[0]);
			assert_int_equal(d->pair.newest, 1);
			/* Mending writes the damaged copy, and the good one only after it. */
			d->writes_left = 1;
			assert_int_equal(pair_write(&d->pair, &d->port, "two", 3), -1);
			d->writes_left = -1;
			expect(d, "two", 2, 1);
			assert_int_equal(d->pair.newest, 0);
			free(d);

			d = disk_new(copy);
			d->bytes[copy + at] ^= 1;
			expect(d, "one", 1, 1);
			assert_false(d->pair.valid[1]);
			d->bytes[at] ^= 1;
			assert_int_equal(pair_read(&d->pair, &d->port), -1);
			free(d);
		}
	}
}

/* A cut between the two copies: the newer one counts, and the older one is written next. */
static void newer_copy_wins(void **state)
{
	struct disk *d = disk_new(COPY);

	(void)state;
	for (int round = 0; round < 4; round++) {
		uint64_t sequence = d->pair.sequence;
		unsigned older;

		d->writes_left = 1;
		assert_int_equal(pair_write(&d->pair, &d->port, "newer", 5), -1);
		d->writes_left = -1;
		expect(d, "newer", sequence + 1, 1);
		older = !d->pair.newest;
		d->writes_left = 1;
		assert_int_equal(pair_write(&d->pair, &d->port, "newest", 6), -1);
		d->writes_left = -1;
		expect(d, "newest", sequence + 2, 1);
		assert_int_equal(d->pair.newest, older);
		if (round & 1)
			assert_int_equal(pair_write(&d->pair, &d->port, "both", 4), 0);
	}
	free(d);
}

static void too_long_text_is_refused(void **state)
{
	static char text[COPY];
	struct disk *d = disk_new(COPY);
	uint8_t *before = malloc(sizeof d->bytes);

	(void)state;
	memcpy(before, d->bytes, sizeof d->bytes);
	memset(text, ' ', sizeof text);
	assert_int_equal(pair_write(&d->pair, &d->port, text, COPY - PAIR_BINARY_BYTES), -1);
	assert_memory_equal(before, d->bytes, sizeof d->bytes);
	assert_int_equal(pair_write(&d->pair, &d->port, text, COPY - PAIR_BINARY_BYTES - 1), 0);
	free(before);
	free(d);
}

/* A shorter text leaves nothing of the longer one behind. */
static void area_is_padded(void **state)
{
	struct disk *d = disk_new(COPY);

	(void)state;
	assert_int_equal(pair_write(&d->pair, &d->port, "0123456789", 10), 0);
	assert_int_equal(pair_write(&d->pair, &d->port, "ab", 2), 0);
	for (size_t i = PAIR_BINARY_BYTES + 2; i < COPY; i++)
		assert_int_equal(d->bytes[i], 0);
	free(d);
}

static void larger_than_the_buffer_is_refused(void **state)
{
	struct disk *d = disk_new(0x8000);

	(void)state;
	d->pair.capacity = COPY;
	assert_int_equal(pair_read(&d->pair, &d->port), -1);
	free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_copies_agree),
		cmocka_unit_test(damaged_copy_is_passed_over),
		cmocka_unit_test(newer_copy_wins),
		cmocka_unit_test(too_long_text_is_refused),
		cmocka_unit_test(area_is_padded),
		cmocka_unit_test(larger_than_the_buffer_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
