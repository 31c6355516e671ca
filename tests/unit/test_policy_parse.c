/* SPDX-License-Identifier: Apache-2.0 */
/* The policy file: every key, every slip, and that a slip costs its own line only. */
#include "hv/boot/policy.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct policy policy;
static unsigned last_line, told;
static const char *last_text;

static void complain(void *context, unsigned line, const char *text)
{
	assert_ptr_equal(context, &policy);
	last_line = line;
	last_text = text;
	told++;
}

/* Parses a copy of exactly the text's length, so that the sanitizer sees a byte too far. */
static unsigned parse_bytes(const char *text, size_t bytes)
{
	char *copy = malloc(bytes ? bytes : 1);
	unsigned complaints;

	memcpy(copy, text, bytes);
	told = 0;
	complaints = policy_parse(&policy, copy, bytes, complain, &policy);
	free(copy);
	assert_int_equal(complaints, told);
	return complaints;
}

static unsigned parse(const char *text)
{
	return parse_bytes(text, strlen(text));
}

static void assert_defaults(void)
{
	assert_string_equal(policy.next, "");
	assert_int_equal(policy.icr, BOOT_ICR_KEEP);
	assert_false(policy.debug);
	assert_int_equal(policy.tries, 3);
	assert_int_equal(policy.keyboard, LAYOUT_US);
	assert_false(policy.allow_weak_tokens);
	assert_false(policy.escrow_required);
}

static void empty_means_defaults(void **state)
{
	(void)state;
	assert_int_equal(parse(""), 0);
	assert_defaults();
	assert_int_equal(parse("# a comment\n\n   \t\r\n  # another"), 0);
	assert_defaults();
}

static void every_key_is_read(void **state)
{
	(void)state;
	assert_int_equal(parse("next=\\EFI\\debian\\shimx64.efi\r\n icr = fast \ndebug=1\ntries=10\n"), 0);
	assert_string_equal(policy.next, "\\EFI\\debian\\shimx64.efi");
	assert_int_equal(policy.icr, BOOT_ICR_FAST);
	assert_true(policy.debug);
	assert_int_equal(policy.tries, 10);
	assert_int_equal(parse("icr=keep\ndebug=0\npanic=reset\ntries=1"), 0);
	assert_int_equal(policy.panic, BOOT_PANIC_RESET);
	assert_int_equal(parse("panic=halt"), 0);
	assert_int_equal(policy.panic, BOOT_PANIC_HALT);
	assert_int_equal(parse("icr=keep\ndebug=0\ntries=1"), 0);
	assert_int_equal(policy.icr, BOOT_ICR_KEEP);
	assert_int_equal(policy.tries, 1);
	assert_int_equal(parse("allow_weak_tokens=1"), 0);
	assert_true(policy.allow_weak_tokens);
	assert_int_equal(parse("allow_weak_tokens=0"), 0);
	assert_false(policy.allow_weak_tokens);
	assert_int_equal(parse("keyboard=jp"), 0);
	assert_int_equal(policy.keyboard, LAYOUT_JP);
	assert_int_equal(parse("keyboard=de"), 0);
	assert_int_equal(policy.keyboard, LAYOUT_DE);
	assert_int_equal(parse("escrow = required"), 0);
	assert_true(policy.escrow_required);
	assert_int_equal(parse("escrow=none"), 0);
	assert_false(policy.escrow_required);
}

static void slips_cost_their_line_only(void **state)
{
	static const char *const bad[] = {"panic=stop", "panic=", "icr=slow", "icr=", "icr", "ICR=fast", "icr=fast keep", "icr==fast",
		"debug=2", "debug=yes", "debug=01", "tries=0", "tries=11", "tries=03", "tries=-1",
		"tries=1.5", "tries=ten", "=", "=1", "unknown=1", "next", "next=", "next=EFI\\x.efi",
		"next=/EFI/x.efi", "next=\\x.exe", "next=\\.efi", "next=\\a\\\\b.efi", "next=\\..\\b.efi",
		"next=\\a?.efi", "next=\\a:b.efi", "next=\"\\a b.efi\"", "next=\\a\tb.efi",
		"next=\\\xc3\xa9.efi", "\xef\xbb\xbftries=1", "icr=fast # why", "allow_weak_tokens=yes",
		"allow_weak_tokens=", "allow_weak_tokens=11", "allow_weak_token=1", "keyboard=",
		"keyboard=german", "keyboard=d", "keyboard=DE", "escrow=", "escrow=yes", "escrow=require", "escrow=Required"};
	char text[200];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (parse(bad[i]) != 1)
			fail_msg("accepted: %s", bad[i]);
		assert_int_equal(last_line, 1);
		assert_defaults();
		snprintf(text, sizeof(text), "# first\n%s\n", bad[i]);
		assert_int_equal(parse(text), 1);
		assert_int_equal(last_line, 2);
	}
	assert_int_equal(parse("icr=slow\ndebug=1"), 1);
	assert_true(policy.debug);
	assert_int_equal(parse_bytes("debug=\0", 7), 1);
	assert_int_equal(parse_bytes("next=\\a\0.efi", 12), 1);
}

static void first_of_two_counts(void **state)
{
	(void)state;
	assert_int_equal(parse("tries=5\ntries=7"), 1);
	assert_int_equal(last_line, 2);
	assert_int_equal(policy.tries, 5);
	assert_int_equal(parse("tries=99\ntries=7"), 2);
	assert_int_equal(policy.tries, 3);
}

static void sizes_are_bounded(void **state)
{
	char text[POLICY_MAX_BYTES + 2];

	(void)state;
	memset(text, '\n', sizeof(text));
	memcpy(text, "tries=5\n", 8);
	assert_int_equal(parse_bytes(text, POLICY_MAX_BYTES), 0);
	assert_int_equal(policy.tries, 5);
	assert_int_equal(parse_bytes(text, POLICY_MAX_BYTES + 1), 1);
	assert_int_equal(last_line, 0);
	assert_defaults();

	memset(text, 'a', sizeof(text));
	memcpy(text, "next=\\", 6);
	memcpy(text + 5 + POLICY_MAX_PATH - 4, ".efi", 4);
	assert_int_equal(parse_bytes(text, 5 + POLICY_MAX_PATH), 0);
	assert_int_equal(strlen(policy.next), POLICY_MAX_PATH);
	memmove(text + 7, text + 6, POLICY_MAX_PATH - 1);
	assert_int_equal(parse_bytes(text, 5 + POLICY_MAX_PATH + 1), 1);
	assert_string_equal(last_text, "next must be a path such as \\EFI\\systemd\\systemd-bootx64.efi");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(empty_means_defaults),
		cmocka_unit_test(every_key_is_read),
		cmocka_unit_test(slips_cost_their_line_only),
		cmocka_unit_test(first_of_two_counts),
		cmocka_unit_test(sizes_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
