/* SPDX-License-Identifier: Apache-2.0 */
/* The log's memory from start to start: kept, lost, and full of noise. */
#include "hv/core/log_area.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct log_area area;

static void say(const char *text)
{
	for (; *text; text++)
		area.current.text[area.current.written++ % LOG_TEXT_BYTES] = *text;
}

static void expect_text(const struct log_ring *ring, uint64_t from, const char *expected)
{
	char text[64] = "";
	uint64_t at = from;

	assert_int_equal(log_ring_read(ring, &at, text, sizeof(text) - 1), strlen(expected));
	assert_int_equal(at, from);
	assert_string_equal(text, expected);
}

static void from_start_to_start(void **state)
{
	(void)state;
	memset(&area, 0, sizeof(area));
	log_area_rotate(&area);
	assert_true(log_ring_exists(&area.current));
	assert_false(log_ring_exists(&area.previous));
	say("first\n");
	area.current.end = LOG_END_PANIC;
	area.current.panic = 2;
	log_area_rotate(&area);
	assert_true(log_ring_exists(&area.previous));
	expect_text(&area.previous, 0, "first\n");
	expect_text(&area.previous, 3, "st\n");
	expect_text(&area.previous, 6, "");
	assert_int_equal(area.previous.end, LOG_END_PANIC);
	assert_int_equal(area.previous.panic, 2);
	assert_int_equal(area.current.written | area.current.end | area.current.panic, 0);
	expect_text(&area.current, 0, "");
	log_area_rotate(&area);
	expect_text(&area.previous, 0, "");
	assert_int_equal(area.previous.end, LOG_END_UNSEEN);
}

static void memory_without_a_log(void **state)
{
	(void)state;
	srand(1);
	for (unsigned i = 0; i < sizeof(area); i++)
		((uint8_t *)&area)[i] = (uint8_t)rand();
	log_area_rotate(&area);
	assert_false(log_ring_exists(&area.previous));
	for (unsigned i = 0; i < sizeof(area.previous); i++)
		assert_int_equal(((uint8_t *)&area.previous)[i], 0);
}

static void flipped_bits_stay_inside(void **state)
{
	(void)state;
	memset(&area, 0, sizeof(area));
	log_area_rotate(&area);
	say("a\x1b[2Jb\tc\xff\n");
	area.current.end = 77;
	log_area_rotate(&area);
	expect_text(&area.previous, 0, "a?[2Jb?c?\n");
	assert_int_equal(area.previous.end, LOG_END_UNSEEN);
	/* Any count of what was written can be read with, and any place asked for. */
	const uint64_t counts[] = {0, 1, LOG_TEXT_BYTES, LOG_TEXT_BYTES + 1, UINT64_MAX, UINT64_MAX - LOG_TEXT_BYTES};

	for (unsigned i = 0; i < 6; i++)
		for (unsigned j = 0; j < 6; j++) {
			char text[16];
			uint64_t at = counts[j];
			uint32_t got;

			area.previous.written = counts[i];
			got = log_ring_read(&area.previous, &at, text, sizeof(text));
			assert_true(got <= sizeof(text));
			assert_true(!got || at + got <= counts[i]);
		}
}

static void the_ring_turns(void **state)
{
	char all[16];
	uint64_t at = 5;

	(void)state;
	memset(&area, 0, sizeof(area));
	log_area_rotate(&area);
	for (unsigned i = 0; i < LOG_TEXT_BYTES; i++)
		say("x");
	say("end");
	assert_int_equal(log_ring_read(&area.current, &at, all, 1), 1);
	assert_int_equal(at, 5); /* still held */
	at = 2;
	assert_int_equal(log_ring_read(&area.current, &at, all, 1), 1);
	assert_int_equal(at, 3); /* the oldest */
	expect_text(&area.current, LOG_TEXT_BYTES - 1, "xend");
	at = UINT64_MAX;
	assert_int_equal(log_ring_read(&area.current, &at, all, 1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(from_start_to_start),
		cmocka_unit_test(memory_without_a_log),
		cmocka_unit_test(flipped_bits_stay_inside),
		cmocka_unit_test(the_ring_turns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
