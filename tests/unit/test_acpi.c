/* SPDX-License-Identifier: Apache-2.0 */
/* The firmware's tables: what is read of them, and what a guest finds after acpi_hide(). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "hv/core/acpi.h"
#include "hv/core/acpi_hide.h"
#include "hv/core/acpi_table.h"

#define MOST 6

static uint8_t tables[MOST][512];
static uint64_t xsdt[16]; /* its header takes the first 36 bytes */
static uint8_t rsdp[36];
static unsigned count;

static struct acpi_header *begin(const char *signature, uint32_t length)
{
	struct acpi_header *table = (struct acpi_header *)tables[count++];

	memset(table, 0, sizeof(tables[0]));
	memcpy(table->signature, signature, 4);
	table->length = length;
	return table;
}

static void put(struct acpi_header *table, uint32_t at, uint64_t value, unsigned bytes)
{
	memcpy((uint8_t *)table + at, &value, bytes);
}

/* Root tables for the first `listed` of the tables; revision 2. */
static uint64_t root(unsigned listed)
{
	struct acpi_header *header = (struct acpi_header *)xsdt;

	memset(xsdt, 0, sizeof(xsdt));
	header->length = (uint32_t)(sizeof(*header) + 8 * listed);
	for (unsigned i = 0; i < listed; i++)
		put(header, (uint32_t)(sizeof(*header) + 8 * i), (uint64_t)tables[i], 8);
	memset(rsdp, 0, sizeof(rsdp));
	memcpy(rsdp, "RSD PTR ", 8);
	rsdp[15] = 2;
	memcpy(rsdp + 24, &(uint64_t){(uint64_t)header}, 8);
	return (uint64_t)rsdp;
}

static bool sums_to_zero(const struct acpi_header *table)
{
	uint8_t sum = 0;

	for (uint32_t i = 0; i < table->length; i++)
		sum = (uint8_t)(sum + ((const uint8_t *)table)[i]);
	return sum == 0;
}

static const uint8_t sleep_states[] = {
	0x08, '_', 'S', '1', '_', 0x12, 0x06, 0x04, 0x01, 0x00, 0x00, 0x00,	   /* OneOp */
	0x08, '_', 'S', '3', '_', 0x12, 0x08, 0x04, 0x0a, 0x05, 0x0a, 0x05, 0, 0,  /* BytePrefix */
	0x08, '_', 'S', '4', '_', 0x12, 0x08, 0x04, 0x0a, 0x06, 0x0a, 0x06, 0, 0,
	0x08, '_', 'S', '5', '_', 0x12, 0x46, 0x00, 0x04, 0x00, 0x00, 0x00, 0x00, /* two bytes of length; ZeroOp */
	'_',  'S', '3', '_', 0x70, 0,	 0,    0,    0,	   0,	 0,    0,	   /* a use of the name */
};

static struct acpi_header *dsdt(void)
{
	struct acpi_header *table = begin("DSDT", sizeof(*table) + sizeof(sleep_states));

	memcpy(table + 1, sleep_states, sizeof(sleep_states));
	acpi_seal(table);
	return table;
}

static bool has(const struct acpi_header *table, const char *text)
{
	return memmem(table, table->length, text, strlen(text)) != NULL;
}

static void test_facts(void **state)
{
	struct acpi_facts facts;
	struct acpi_header *fadt, *mcfg;

	(void)state;
	count = 0;
	fadt = begin("FACP", 148);
	mcfg = begin("MCFG", 44 + 32);
	put(fadt, 64, 0x604, 4);
	put(fadt, 68, 0x704, 4);
	put(fadt, 112, 1u << 10, 4);
	put(fadt, 116, 1, 1);
	put(fadt, 120, 0xcf9, 8);
	put(fadt, 128, 6, 1);
	put(fadt, 140, (uint64_t)dsdt(), 8);
	put(mcfg, 44, 0xe0000000, 8);
	put(mcfg, 52, 1, 2); /* of segment 1: not ours */
	put(mcfg, 60, 0xb0000000, 8);
	put(mcfg, 71, 0xff, 1);
	assert_int_equal(acpi_read(root(2), &facts), 0);
	assert_int_equal(facts.pm1a_control, 0x604);
	assert_int_equal(facts.pm1b_control, 0x704);
	assert_int_equal(facts.reset_port, 0xcf9);
	assert_int_equal(facts.reset_value, 6);
	assert_int_equal(facts.ecam_base, 0xb0000000);
	assert_int_equal(facts.ecam_last_bus, 0xff);
	assert_int_equal(facts.off_types, 1u << 6 | 1u << 0); /* S4 and S5, not S1 and S3 */
}

/* Nothing follows the package, or not all of it. */
static void test_end_of_table(void **state)
{
	static const uint8_t last[] = {'_', 'S', '5', '_', 0x12, 0x06, 0x04, 0x0a, 0x05};
	struct acpi_header *table;
	uint32_t element;

	(void)state;
	for (uint32_t bytes = 5; bytes <= sizeof(last); bytes++) {
		count = 0;
		table = begin("SSDT", (uint32_t)sizeof(*table) + bytes);
		memcpy(table + 1, last, bytes);
		assert_int_equal(acpi_sleep_package(table, '5', 0, &element), bytes < 6 ? 0 : sizeof(*table));
		assert_int_equal(acpi_field(table, sizeof(*table) + 8, 1), bytes < 9 ? 0 : 5);
	}
	assert_int_equal(element, sizeof(*table) + 7);
}

static void test_hidden(void **state)
{
	struct acpi_header *fadt, *dmar, *ivrs, *ssdt, *other;

	(void)state;
	count = 0;
	fadt = begin("FACP", 148);
	dmar = begin("DMAR", 100);
	ivrs = begin("IVRS", 80);
	ssdt = begin("SSDT", 60);
	put(fadt, 40, 0, 4);
	memset(dmar + 1, 0x5a, 64);
	memset(ivrs + 1, 0x5a, 44);
	acpi_seal(ssdt);
	other = dsdt();
	put(fadt, 140, (uint64_t)other, 8);
	acpi_hide(root(4));
	assert_false(acpi_is(dmar, "DMAR"));
	assert_false(acpi_is(ivrs, "IVRS"));
	assert_int_equal(dmar->length, 100);
	for (uint32_t i = sizeof(*dmar); i < dmar->length; i++)
		assert_int_equal(((uint8_t *)dmar)[i], 0);
	assert_true(sums_to_zero(dmar));
	assert_true(sums_to_zero(ivrs));
	assert_true(sums_to_zero(ssdt));
	assert_true(acpi_is(ssdt, "SSDT"));
	assert_true(sums_to_zero(other));
	assert_false(has(other, "_S1_"));
	assert_true(has(other, "XS3_\x12"));
	assert_true(has(other, "_S3_\x70"));
	assert_true(has(other, "_S4_"));
	assert_true(has(other, "_S5_"));
}

static void test_nonsense(void **state)
{
	struct acpi_facts facts;
	uint64_t address;

	(void)state;
	assert_int_equal(acpi_read(0, &facts), -1);
	count = 0;
	begin("FACP", 148);
	address = root(1);
	rsdp[0] = 'X';
	assert_int_equal(acpi_read(address, &facts), -1);
	rsdp[0] = 'R';
	((struct acpi_header *)xsdt)->length = 10;
	assert_int_equal(acpi_read(address, &facts), -1);
	/* A table that is no longer than nothing, and a DSDT nobody gave: both are left out. */
	count = 0;
	begin("FACP", 20);
	assert_int_equal(acpi_read(root(1), &facts), 0);
	assert_int_equal(facts.pm1a_control, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_facts),
		cmocka_unit_test(test_end_of_table),
		cmocka_unit_test(test_hidden),
		cmocka_unit_test(test_nonsense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
