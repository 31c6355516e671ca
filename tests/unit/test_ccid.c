/* SPDX-License-Identifier: Apache-2.0 */
/* Class descriptors of readers, whole and damaged. What readers say and do: test_card.c. */
#include "keymgmt/ccid.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* As QEMU's usb-ccid gives it: one interface, its class descriptor, three endpoints. */
static const uint8_t qemu[] = {0x09, 0x02, 0x5d, 0x00, 0x01, 0x01, 0x00, 0xe0, 0x32, 0x09, 0x04, 0x00, 0x00,
	0x03, 0x0b, 0x00, 0x00, 0x04, 0x36, 0x21, 0x10, 0x01, 0x00, 0x07, 0x01, 0x00, 0x00, 0x00, 0xa0, 0x0f,
	0x00, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x80, 0x25, 0x00, 0x00, 0x00, 0xc2, 0x01, 0x00, 0x00, 0xfe,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xfe, 0x04, 0x01, 0x00, 0x12, 0x00,
	0x01, 0x00, 0xff, 0xff, 0x00, 0x00, 0x01, 0x01, 0x07, 0x05, 0x81, 0x03, 0x40, 0x00, 0xff, 0x07, 0x05,
	0x82, 0x02, 0x40, 0x00, 0x00, 0x07, 0x05, 0x03, 0x02, 0x40, 0x00, 0x00};

enum { AT_INTERFACE = 9, AT_CLASS = 18, AT_FEATURES = AT_CLASS + 40, AT_MAX_MESSAGE = AT_CLASS + 44 };

/* In memory of exactly that size, so that a byte too many is noticed. */
static const char *describe(const uint8_t *data, size_t bytes, uint8_t interface, struct ccid_description *is)
{
	uint8_t *copy = malloc(bytes ? bytes : 1);
	const char *why;

	memcpy(copy, data, bytes);
	why = ccid_describe(copy, bytes, interface, is);
	free(copy);
	return why;
}

static void of_qemu(void **state)
{
	struct ccid_description is;

	(void)state;
	assert_null(describe(qemu, sizeof(qemu), 0, &is));
	assert_int_equal(is.level, CCID_TPDU);
	assert_int_equal(is.protocols, 1);
	assert_int_equal(is.voltages, 7);
	assert_int_equal(is.max_message, 65554);
	assert_true(is.features & CCID_CHOOSES_VOLTAGE && is.features & CCID_SETS_PARAMETERS);
	assert_string_equal(describe(qemu, sizeof(qemu), 1, &is), "it does not describe itself");
}

static void cut_and_changed(void **state)
{
	struct ccid_description is;
	uint8_t changed[sizeof(qemu)];

	(void)state;
	for (size_t bytes = 0; bytes < sizeof(qemu); bytes++) {
		memcpy(changed, qemu, sizeof(qemu));
		assert_string_equal(describe(changed, bytes, 0, &is), "its configuration descriptor is incomplete");
		changed[2] = (uint8_t)bytes;
		if (bytes > 9 && bytes < AT_CLASS + 54)
			assert_non_null(describe(changed, bytes, 0, &is));
		else if (bytes > 9)
			assert_null(describe(changed, bytes, 0, &is));
	}
	for (size_t at = 0; at < sizeof(qemu); at++)
		for (unsigned value = 0; value < 256; value++) {
			memcpy(changed, qemu, sizeof(qemu));
			changed[at] = (uint8_t)value;
			describe(changed, sizeof(qemu), 0, &is);
		}
	memcpy(changed, qemu, sizeof(qemu));
	changed[AT_INTERFACE] = 1;
	assert_string_equal(describe(changed, sizeof(qemu), 0, &is), "its configuration descriptor is malformed");
	memcpy(changed, qemu, sizeof(qemu));
	changed[AT_CLASS] = 53;
	changed[2] = AT_CLASS + 53;
	assert_string_equal(describe(changed, AT_CLASS + 53, 0, &is), "it does not describe itself");
}

static void levels(void **state)
{
	static const struct {
		uint8_t features;
		enum ccid_level level;
	} rows[] = {{0, CCID_CHARACTERS}, {1, CCID_TPDU}, {2, CCID_SHORT_APDU}, {4, CCID_EXTENDED_APDU}, {7, CCID_EXTENDED_APDU}};
	struct ccid_description is;
	uint8_t changed[sizeof(qemu)];

	(void)state;
	memcpy(changed, qemu, sizeof(qemu));
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		changed[AT_FEATURES + 2] = rows[i].features;
		assert_null(describe(changed, sizeof(changed), 0, &is));
		assert_int_equal(is.level, rows[i].level);
	}
	changed[AT_MAX_MESSAGE + 2] = 0;
	changed[AT_MAX_MESSAGE + 1] = 1;
	changed[AT_MAX_MESSAGE] = 14; /* one less than 271 */
	assert_string_equal(describe(changed, sizeof(changed), 0, &is), "its messages are too short");
	changed[AT_MAX_MESSAGE] = 15;
	assert_null(describe(changed, sizeof(changed), 0, &is));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_qemu),
		cmocka_unit_test(cut_and_changed),
		cmocka_unit_test(levels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
