/* SPDX-License-Identifier: Apache-2.0 */
/* Keyboard layouts: what people of each country type is what they get, key by key. */
#include "hv/boot/layout.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* What the fingers do, by the characters of a US keyboard, gives `wanted`. */
static void assert_typed(enum layout layout, const char *keys, const uint16_t *wanted)
{
	for (size_t i = 0; i < strlen(keys); i++)
		assert_int_equal(layout_character(layout, (uint16_t)keys[i], false), wanted[i]);
}

static void the_keys_of_each_country(void **state)
{
	(void)state;
	assert_typed(LAYOUT_US, "zY-/\\`~\"", u"zY-/\\`~\"");
	assert_typed(LAYOUT_UK, "@\"\\|#~3Z", u"\"@#~£¬3Z");
	assert_typed(LAYOUT_DE, "zy[;'-=+{:\"/?<>_", u"yzüöäß´`ÜÖÄ-_;:?");
	assert_typed(LAYOUT_FR, "qwaz1234567890!@m;M<,.", u"azqw&é\"'(-è_çà12,m?.;:");
	assert_typed(LAYOUT_JP, "@^&*()_+=[]\\:'\"{}|", u"\"&'()" u"\0" u"=~^@[]+:*`{}");
}

static void the_last_key_of_each_row_is_in_its_place(void **state)
{
	static const uint16_t last[LAYOUT_COUNT][8] = {
		[LAYOUT_US] = u"=+\\|'\"/?", [LAYOUT_UK] = u"=+#~'@/?", [LAYOUT_DE] = u"´`#'äÄ-_",
		[LAYOUT_FR] = u"=+*µù%!§", [LAYOUT_JP] = u"^~]}:*/?"};

	(void)state;
	for (enum layout layout = 0; layout < LAYOUT_COUNT; layout++)
		for (int i = 0; i < 8; i++)
			assert_int_equal(layout_character(layout, (uint16_t)"=+\\|'\"/?"[i], false), last[layout][i]);
}

/* Every key gives what no other key gives: none was forgotten or written twice. */
static void no_key_gives_the_same_as_another(void **state)
{
	(void)state;
	for (enum layout layout = 0; layout < LAYOUT_COUNT; layout++)
		for (uint16_t one = '!'; one <= '~'; one++)
			for (uint16_t other = '!'; other < one; other++) {
				uint16_t c = layout_character(layout, one, false);

				assert_true(!c || c != layout_character(layout, other, false));
			}
}

static void the_right_alt_key(void **state)
{
	(void)state;
	assert_int_equal(layout_character(LAYOUT_DE, 'q', true), '@');
	assert_int_equal(layout_character(LAYOUT_DE, '-', true), '\\');
	assert_int_equal(layout_character(LAYOUT_DE, 'x', true), 0);
	assert_int_equal(layout_character(LAYOUT_FR, '0', true), '@');
	assert_int_equal(layout_character(LAYOUT_FR, 'e', true), u'€');
	assert_int_equal(layout_character(LAYOUT_UK, '4', true), u'€');
	/* On these it is one more Alt key. */
	assert_int_equal(layout_character(LAYOUT_US, 'q', true), 'q');
}

static void what_is_no_key_stays(void **state)
{
	(void)state;
	for (enum layout layout = 0; layout < LAYOUT_COUNT; layout++) {
		assert_int_equal(layout_character(layout, ' ', false), ' ');
		assert_int_equal(layout_character(layout, u'ü', false), u'ü');
		assert_int_equal(layout_character(layout, 0, false), 0);
	}
}

static void every_layout_has_its_names(void **state)
{
	(void)state;
	assert_string_equal(layout_word(LAYOUT_FR), "fr");
	for (enum layout layout = 0; layout < LAYOUT_COUNT; layout++) {
		assert_int_equal(strlen(layout_word(layout)), 2);
		assert_true(strlen(layout_name(layout)) >= 2);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_keys_of_each_country),
		cmocka_unit_test(the_last_key_of_each_row_is_in_its_place),
		cmocka_unit_test(no_key_gives_the_same_as_another),
		cmocka_unit_test(the_right_alt_key),
		cmocka_unit_test(what_is_no_key_stays),
		cmocka_unit_test(every_layout_has_its_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
