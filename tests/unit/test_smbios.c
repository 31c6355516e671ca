/* SPDX-License-Identifier: Apache-2.0 */
/* The machine's name in SMBIOS tables, whole ones and ones that are not. */
#include "hv/boot/smbios.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* A BIOS structure of 6 bytes with a string, then one of system information: maker 1, product 2, version 0, serial 3. */
#define BIOS   "\x00\x06\x00\x00\x01\x00" "firmware\0"
#define SYSTEM "\x01\x08\x00\x01\x01\x02\x00\x03" "Maker\0" "Product 9\0" "  S\x01N 7  \0"
#define END    "\x7f\x04\x00\x02\0"

/* In memory of exactly that size, so that the sanitizer sees a byte too far. */
static bool find(struct smbios_system *system, const char *table, size_t bytes)
{
	uint8_t *copy = malloc(bytes ? bytes : 1);
	bool found;

	memcpy(copy, table, bytes);
	found = smbios_system(system, copy, bytes);
	free(copy);
	return found;
}

#define FIND(system, text) find(system, text, sizeof(text))

static void a_whole_table(void **state)
{
	struct smbios_system system;

	(void)state;
	assert_true(FIND(&system, BIOS "\0" SYSTEM "\0" END));
	assert_string_equal(system.maker, "Maker");
	assert_string_equal(system.product, "Product 9");
	assert_string_equal(system.serial, "  S?N 7");
}

static void strings_that_are_missing(void **state)
{
	struct smbios_system system;

	(void)state;
	assert_true(FIND(&system, "\x01\x08\x00\x01\x00\x05\x00\x02" "only\0"));
	assert_string_equal(system.maker, "");
	assert_string_equal(system.product, "");
	assert_string_equal(system.serial, "");
	/* An older form, which ends before the serial number. */
	assert_true(FIND(&system, "\x01\x06\x00\x01\x01\x02" "Maker\0" "Product\0"));
	assert_string_equal(system.product, "Product");
	assert_string_equal(system.serial, "");
}

static void long_strings_are_cut(void **state)
{
	struct smbios_system system;
	char table[256] = "\x01\x06\x00\x01\x01\x01";

	(void)state;
	memset(table + 6, 'x', 200);
	assert_true(find(&system, table, sizeof(table)));
	assert_int_equal(strlen(system.maker), SMBIOS_TEXT - 1);
}

static void no_system_information(void **state)
{
	struct smbios_system system;

	(void)state;
	assert_false(FIND(&system, BIOS "\0" END "\0" SYSTEM));
	assert_false(FIND(&system, BIOS));
	assert_false(find(&system, "", 0));
	assert_string_equal(system.product, "");
}

static void cut_and_damaged_tables_end_the_search(void **state)
{
	static const char table[] = BIOS "\0" SYSTEM "\0" END;
	struct smbios_system system;

	(void)state;
	for (size_t bytes = 0; bytes < sizeof(table); bytes++)
		find(&system, table, bytes);
	for (size_t at = 0; at < sizeof(table); at++)
		for (int value = 0; value < 256; value++) {
			char damaged[sizeof(table)];

			memcpy(damaged, table, sizeof(table));
			damaged[at] = (char)value;
			find(&system, damaged, sizeof(damaged));
			assert_non_null(memchr(system.product, 0, SMBIOS_TEXT));
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_whole_table),
		cmocka_unit_test(strings_that_are_missing),
		cmocka_unit_test(long_strings_are_cut),
		cmocka_unit_test(no_system_information),
		cmocka_unit_test(cut_and_damaged_tables_end_the_search),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
