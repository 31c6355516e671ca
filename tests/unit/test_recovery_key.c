/* SPDX-License-Identifier: Apache-2.0 */
/* Recovery keys: the text of known bytes, and all the ways in which a person types one. */
#include "keymgmt/recovery_key.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

/* systemd's modhex of the bytes 00 11 .. ff 01 23 45 67 89 ab cd ef fe dc ba 98 76 54 32 10. */
static const char known[] = "ccbbddee-ffgghhii-jjkkllnn-rrttuuvv-cbdefghi-jklnrtuv-vutrnlkj-ihgfedbc";

static void text_of_known_bytes(void **state)
{
	uint8_t key[RECOVERY_KEY_BYTES];
	char text[RECOVERY_KEY_TEXT];

	(void)state;
	for (unsigned i = 0; i < 16; i++)
		key[i] = (uint8_t)(i * 0x11);
	for (unsigned i = 0; i < 8; i++) {
		key[16 + i] = (uint8_t)(0x01 + i * 0x22);
		key[24 + i] = (uint8_t)(0xfe - i * 0x22);
	}
	recovery_key_text(key, text);
	assert_int_equal(sizeof(known) - 1, RECOVERY_KEY_TEXT);
	assert_memory_equal(text, known, RECOVERY_KEY_TEXT);
}

static void assert_read(const char *typed)
{
	char text[RECOVERY_KEY_TEXT];

	assert_true(recovery_key_read(typed, strlen(typed), text));
	assert_memory_equal(text, known, RECOVERY_KEY_TEXT);
}

static void typed_in_every_way(void **state)
{
	(void)state;
	assert_read(known);
	assert_read("ccbbddeeffgghhiijjkkllnnrrttuuvvcbdefghijklnrtuvvutrnlkjihgfedbc");
	assert_read("CCBBDDEE-FFGGHHII-JJKKLLNN-RRTTUUVV-CBDEFGHI-JKLNRTUV-VUTRNLKJ-IHGFEDBC");
	assert_read(" ccbb ddee ffgg hhii jjkk llnn rrtt uuvv cbde fghi jkln rtuv vutr nlkj ihgf edbc ");
	assert_read("-ccbbddeeffgghhiijjkkllnn--rrttuuvvcbdefghijklnrtuvvutrnlkjihgfedBC-");
}

static void assert_none(const char *typed, size_t bytes)
{
	char text[RECOVERY_KEY_TEXT];
	char wiped[RECOVERY_KEY_TEXT] = {0};

	assert_false(recovery_key_read(typed, bytes, text));
	assert_memory_equal(text, wiped, sizeof(text));
}

static void other_passphrases(void **state)
{
	char typed[128];

	(void)state;
	assert_none("", 0);
	assert_none("correct horse", 13);
	assert_none(known, RECOVERY_KEY_TEXT - 1);
	snprintf(typed, sizeof(typed), "%sc", known);
	assert_none(typed, strlen(typed));
	snprintf(typed, sizeof(typed), "%s", known);
	typed[5] = 'a';
	assert_none(typed, RECOVERY_KEY_TEXT);
	typed[5] = 0;
	assert_none(typed, RECOVERY_KEY_TEXT);
	memset(typed, '-', sizeof(typed));
	assert_none(typed, sizeof(typed));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_of_known_bytes),
		cmocka_unit_test(typed_in_every_way),
		cmocka_unit_test(other_passphrases),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
