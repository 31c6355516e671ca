/* SPDX-License-Identifier: Apache-2.0 */
/* The strict JSON reader: what RFC 8259 allows is read, everything else is refused. */
#include "storage/volume/json.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define NODES 64

static struct json_node nodes[NODES];
static struct json_error error;
static char *text; /* exactly as long as the input, so that the sanitizer sees a byte too far */

static const struct json_node *parse_bytes(const char *input, size_t bytes)
{
	free(text);
	text = malloc(bytes ? bytes : 1);
	memcpy(text, input, bytes);
	return json_parse(text, bytes, nodes, NODES, &error);
}

static const struct json_node *parse(const char *input)
{
	return parse_bytes(input, strlen(input));
}

static void values_are_read(void **state)
{
	const struct json_node *root, *list;
	uint32_t number;
	uint64_t large;

	(void)state;
	root = parse(
		" {\"a\": [1, \"two\", true, null, {}], \"b\\u0063\" : \"18446744073709551615\"}\r\n\t ");
	assert_non_null(root);
	assert_int_equal(root->type, JSON_OBJECT);
	list = json_first(json_member(root, "a"), JSON_ARRAY);
	assert_true(json_u32(list, &number));
	assert_int_equal(number, 1);
	assert_true(json_is(list->next, "two"));
	assert_int_equal(list->next->next->type, JSON_BOOLEAN);
	assert_int_equal(list->next->next->next->type, JSON_NULL);
	assert_null(json_first(list->next->next->next->next, JSON_OBJECT));
	assert_null(list->next->next->next->next->next);
	assert_true(json_u64_string(json_member(root, "bc"), &large));
	assert_true(large == UINT64_MAX);
	assert_null(json_member(root, "c"));
	assert_null(json_member(list, "a"));
	assert_null(json_member(NULL, "a"));
}

static void strings_are_unescaped(void **state)
{
	const struct json_node *root =
		parse("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\u20AC\\ud83d\\uDE00\xc3\xa9\"");
	static const char expected[] = "\"\\/\b\f\n\r\t\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xc3\xa9";

	(void)state;
	assert_non_null(root);
	assert_true(json_is(root, expected));
}

static void accepted(void **state)
{
	static const char *const good[] = {"0", "-0", "-1", "10", "1.5", "1e5", "1E+5", "2.0e-10", "\"\"",
		"[]", "{}", "[[]]", "null", "true", "false", " 1 ", "{\"a\":{\"a\":1}}",
		"[[[[[[[[[[[1]]]]]]]]]]]", "\"\xf4\x8f\xbf\xbf\""};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		if (!parse(good[i]))
			fail_msg("refused: %s (%s)", good[i], error.text);
}

static void refused(void **state)
{
	static const char *const bad[] = {"", " ", "01", "-", "+1", "1.", ".5", "1e", "1e+", "0x1", "nul",
		"True", "[", "]", "[1", "[1,", "[1,]", "[,1]", "[1 2]", "{", "{}}", "{\"a\"}", "{\"a\":}",
		"{\"a\":1,}", "{a:1}", "{'a':1}", "{\"a\":1 \"b\":2}", "{1:1}", "\"", "\"a", "\"\\",
		"\"\\x\"", "\"\\u12\"", "\"\\u12g4\"", "\"\n\"", "\"\t\"", "\"\\u0000\"", "\"\\ud800\"",
		"\"\\udc00\"", "\"\\ud800\\n\"", "\"\\ud800\\u0041\"", "1 1", "{} x", "/*c*/1", "1//", "NaN",
		"Infinity", "\xef\xbb\xbf{}", "\"\x80\"", "\"\xc0\x80\"", "\"\xc1\xbf\"", "\"\xe0\x80\x80\"",
		"\"\xed\xa0\x80\"", "\"\xf0\x80\x80\x80\"", "\"\xf4\x90\x80\x80\"", "\"\xf5\x80\x80\x80\"",
		"\"\xc3\"", "\"\xe2\x82\"", "\"\xff\"", "[[[[[[[[[[[[[1]]]]]]]]]]]]]", "{\"a\":1,\"a\":2}",
		"{\"a\":1,\"\\u0061\":2}", "{\"\":1,\"\":2}"};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		error.text = NULL;
		if (parse(bad[i]))
			fail_msg("accepted: %s", bad[i]);
		assert_non_null(error.text);
		assert_true(error.at <= strlen(bad[i]));
	}
	assert_null(parse_bytes("1\0", 2));
	assert_null(parse_bytes("\"a\0b\"", 5));
}

/* Every cut of a good text is refused, none is read beyond its end. */
static void truncations_are_refused(void **state)
{
	static const char good[] = "{\"a\":[1,-2.5e+3,\"\\u00e9\\ud83d\\ude00\xe2\x82\xac\",true,false,null],"
				   "\"b\":{\"c\":\"d\"}}";

	(void)state;
	assert_non_null(parse(good));
	for (size_t bytes = 0; bytes < sizeof(good) - 1; bytes++)
		assert_null(parse_bytes(good, bytes));
}

static void too_many_values(void **state)
{
	char many[2 * NODES + 2] = "[";

	(void)state;
	for (int i = 0; i < NODES - 1; i++)
		strcat(many, i ? ",1" : "1");
	strcat(many, "]");
	assert_non_null(parse(many));
	many[strlen(many) - 1] = 0;
	strcat(many, ",1]");
	assert_null(parse(many));
	assert_string_equal(error.text, "too many values");
}

static void numbers_are_checked(void **state)
{
	static const char *const not_u32[] = {
		"4294967296", "-1", "1.0", "1e3", "\"1\"", "null", "99999999999999999999"};
	static const char *const not_u64[] = {"1", "\"\"", "\"01\"", "\"-1\"", "\"18446744073709551616\"",
		"\"1 \"", "\"0x1\"", "\"99999999999999999999\""};
	uint32_t number;
	uint64_t large;

	(void)state;
	assert_true(json_u32(parse("4294967295"), &number));
	assert_true(number == UINT32_MAX);
	assert_true(json_u64_string(parse("\"0\""), &large));
	assert_true(large == 0);
	for (size_t i = 0; i < sizeof(not_u32) / sizeof(not_u32[0]); i++)
		assert_false(json_u32(parse(not_u32[i]), &number));
	for (size_t i = 0; i < sizeof(not_u64) / sizeof(not_u64[0]); i++)
		assert_false(json_u64_string(parse(not_u64[i]), &large));
	assert_false(json_u32(NULL, &number));
	assert_false(json_u64_string(NULL, &large));
}

static void base64_is_strict(void **state)
{
	static const char *const bad[] = {"\"\"", "\"TQ\"", "\"TQ=\"", "\"T===\"", "\"TR==\"", "\"TWF\"",
		"\"TW=u\"", "\"TW u\"", "\"TWFu=\"", "\"====\"", "1", "\"TW-_\""};
	uint8_t out[8];
	size_t bytes;

	(void)state;
	assert_true(json_base64(parse("\"TWFu\""), out, sizeof(out), &bytes));
	assert_int_equal(bytes, 3);
	assert_memory_equal(out, "Man", 3);
	assert_true(json_base64(parse("\"TWE=\""), out, sizeof(out), &bytes));
	assert_int_equal(bytes, 2);
	assert_true(json_base64(parse("\"+/8=\""), out, sizeof(out), &bytes));
	assert_memory_equal(out, "\xfb\xff", 2);
	assert_true(json_base64(parse("\"AAECAwQFBgc=\""), out, 8, &bytes));
	assert_false(json_base64(parse("\"AAECAwQFBgc=\""), out, 7, &bytes));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (json_base64(parse(bad[i]), out, sizeof(out), &bytes))
			fail_msg("accepted: %s", bad[i]);
}

static void copies_fit_or_are_refused(void **state)
{
	char out[4];

	(void)state;
	assert_true(json_copy(parse("\"abc\""), out, sizeof(out)));
	assert_string_equal(out, "abc");
	assert_false(json_copy(parse("\"abcd\""), out, sizeof(out)));
	assert_false(json_copy(parse("1"), out, sizeof(out)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_are_read),
		cmocka_unit_test(strings_are_unescaped),
		cmocka_unit_test(accepted),
		cmocka_unit_test(refused),
		cmocka_unit_test(truncations_are_refused),
		cmocka_unit_test(too_many_values),
		cmocka_unit_test(numbers_are_checked),
		cmocka_unit_test(base64_is_strict),
		cmocka_unit_test(copies_fit_or_are_refused),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	free(text);
	return failed;
}
