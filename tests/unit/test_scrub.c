/* SPDX-License-Identifier: Apache-2.0 */
/* What was typed is found in memory in each form firmware keeps it, and nothing else is touched. */
#include "hv/boot/scrub.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define BYTES 4096

static const uint16_t text[] = u"Grün&42 Bäume\r";
#define TYPED (sizeof(text) / 2 - 1)
static uint32_t typed[TYPED];

static uint8_t *memory, before[BYTES];

static int begin(void **state)
{
	(void)state;
	memory = malloc(BYTES); /* so that the sanitizer sees a byte too far */
	memset(memory, 0xaa, BYTES);
	for (size_t i = 0; i < TYPED; i++)
		typed[i] = SCRUB_KEY(0, text[i]);
	return 0;
}

static int end(void **state)
{
	(void)state;
	free(memory);
	return 0;
}

/* Keys [first, first + count) as a queue has them; `width` bytes of each. */
static void put(size_t at, size_t stride, size_t width, size_t first, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		uint8_t key[4];

		memcpy(key, &typed[first + i], 4);
		memcpy(memory + at + i * stride, width == 4 ? key : key + 2, width);
	}
}

static void expect_gone(size_t at, size_t stride, size_t width, size_t count)
{
	for (size_t i = 0; i < count; i++)
		memset(before + at + i * stride, 0, width);
	assert_memory_equal(memory, before, BYTES);
}

static void scrub_all(size_t expected)
{
	memcpy(before, memory, BYTES);
	assert_int_equal(scrub(memory, BYTES, typed, TYPED), expected);
}

static const size_t forms[][2] = {{1, 1}, {2, 2}, {4, 4}, {12, 4}, {16, 4}};
#define FORMS (sizeof(forms) / sizeof(forms[0]))

static void whole_in_each_form_and_place(void **state)
{
	(void)state;
	for (size_t form = 0; form < FORMS; form++) {
		size_t stride = forms[form][0], width = forms[form][1], last = BYTES - (TYPED - 1) * stride - width;

		for (size_t at = 0; at <= last; at += at == 16 ? last - 32 : 1) {
			memset(memory, 0xaa, BYTES);
			put(at, stride, width, 0, TYPED);
			scrub_all(TYPED);
			expect_gone(at, stride, width, TYPED);
		}
	}
}

/* Of what lies at the ring's end nobody can tell that it is part of an answer. */
static void a_ring_that_has_begun_anew(void **state)
{
	(void)state;
	for (size_t form = 0; form < FORMS; form++) {
		size_t stride = forms[form][0], width = forms[form][1], ring = 0x200 + form * 0x200;

		put(ring, stride, width, 8, TYPED - 8);
		put(ring + 20 * stride, stride, width, 0, 8);
	}
	scrub_all(FORMS * (TYPED - 8));
	for (size_t form = 0; form < FORMS; form++)
		for (size_t i = 0; i < TYPED - 8; i++)
			memset(before + 0x200 + form * 0x200 + i * forms[form][0], 0, forms[form][1]);
	assert_memory_equal(memory, before, BYTES);
}

static void less_than_that_in_a_row_stays(void **state)
{
	(void)state;
	for (size_t form = 0; form < FORMS; form++)
		put(0x100 + form * 0x200, forms[form][0], forms[form][1], TYPED - SCRUB_KEYS + 1, SCRUB_KEYS - 1);
	scrub_all(0);
	assert_memory_equal(memory, before, BYTES);
}

/* "12345" as characters is what a FAT holds of a file's clusters. */
static void without_the_last_key_it_is_something_else(void **state)
{
	(void)state;
	for (size_t form = 0; form < FORMS; form++)
		put(0x100 + form * 0x200, forms[form][0], forms[form][1], 0, TYPED - 1);
	scrub_all(0);
	assert_memory_equal(memory, before, BYTES);
}

/* Esc and F2 have no character in a key's structure; a terminal sends an escape sequence for each. */
static void keys_that_have_no_character(void **state)
{
	(void)state;
	typed[TYPED - 1] = SCRUB_KEY(0x17, 0);
	put(0x100, 12, 4, 0, TYPED);
	put(0x200, 1, 1, 0, TYPED - 1);
	memory[0x200 + TYPED - 1] = 27;
	scrub_all(2 * TYPED);
	memset(before + 0x200, 0, TYPED);
	expect_gone(0x100, 12, 4, TYPED);
}

static void nothing_typed(void **state)
{
	(void)state;
	memcpy(before, memory, BYTES);
	assert_int_equal(scrub(memory, BYTES, typed, 0), 0);
	assert_int_equal(scrub(memory, 0, typed, TYPED), 0);
	assert_memory_equal(memory, before, BYTES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(whole_in_each_form_and_place, begin, end),
		cmocka_unit_test_setup_teardown(a_ring_that_has_begun_anew, begin, end),
		cmocka_unit_test_setup_teardown(less_than_that_in_a_row_stays, begin, end),
		cmocka_unit_test_setup_teardown(without_the_last_key_it_is_something_else, begin, end),
		cmocka_unit_test_setup_teardown(keys_that_have_no_character, begin, end),
		cmocka_unit_test_setup_teardown(nothing_typed, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
