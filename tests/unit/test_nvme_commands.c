/* SPDX-License-Identifier: Apache-2.0 */
/* Which NVMe commands pass, with which status the others fail, and that nobody is told of those. */
#include "storage/nvme/commands.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static bool listed(const struct nvme_rule *rules, unsigned count, uint8_t opcode, uint8_t detail)
{
	for (unsigned i = 0; i < count; i++)
		if (rules[i].opcode == opcode && rules[i].class != NVME_REFUSE &&
			(rules[i].detail == NVME_ANY || rules[i].detail == detail))
			return true;
	return false;
}

/* Every row is reached and says why; no two rows speak of the same command. */
static void rows_are_sound(const struct nvme_rule *rules, unsigned count,
	enum nvme_class (*class_of)(const struct nvme_command *, uint16_t *))
{
	for (unsigned i = 0; i < count; i++) {
		struct nvme_command command = {.opcode = rules[i].opcode};
		uint16_t status;

		assert_true(strlen(rules[i].reason) > 3);
		command.cdw10 = rules[i].detail < 0 ? 0 : (uint32_t)rules[i].detail;
		assert_int_equal(class_of(&command, &status), rules[i].class);
		assert_int_equal(!status, rules[i].class != NVME_REFUSE);
		for (unsigned j = 0; j < i; j++)
			if (rules[j].opcode == rules[i].opcode && rules[j].class != NVME_REFUSE &&
				rules[i].class != NVME_REFUSE &&
				(rules[j].detail < 0 || rules[i].detail < 0 || rules[j].detail == rules[i].detail))
				fail_msg("two rows for %x, %d", rules[i].opcode, rules[i].detail);
	}
}

static void every_row(void **state)
{
	(void)state;
	rows_are_sound(nvme_admin_rules, nvme_admin_rule_count, nvme_admin_class);
	rows_are_sound(nvme_io_rules, nvme_io_rule_count, nvme_io_class);
}

static void every_other_command(void **state)
{
	uint16_t status;

	(void)state;
	for (unsigned opcode = 0; opcode < 256; opcode++)
		for (unsigned detail = 0; detail < 256; detail++) {
			struct nvme_command command = {.opcode = (uint8_t)opcode, .cdw10 = detail | 0xabcd00};

			assert_int_equal(nvme_admin_class(&command, &status) != NVME_REFUSE,
				listed(nvme_admin_rules, nvme_admin_rule_count, command.opcode, (uint8_t)detail));
			assert_int_equal(nvme_io_class(&command, &status) != NVME_REFUSE,
				listed(nvme_io_rules, nvme_io_rule_count, command.opcode, (uint8_t)detail));
		}
}

static void expect(uint16_t status, const struct nvme_command *command, bool admin)
{
	uint16_t got;

	assert_int_equal((admin ? nvme_admin_class : nvme_io_class)(command, &got), NVME_REFUSE);
	assert_int_equal(got, status | NVME_DO_NOT_RETRY);
}

static void statuses(void **state)
{
	const struct nvme_command format = {.opcode = 0x80}, write_zeroes = {.opcode = 8}, vendor = {.opcode = 0xc1};
	const struct nvme_command log = {.opcode = 2, .cdw10 = 7}, feature = {.opcode = 9, .cdw10 = 0x0d};
	const struct nvme_command fused = {.opcode = 1, .flags = 1}, sgl = {.opcode = 2, .flags = 0x40};
	const struct nvme_command identify = {.opcode = 6, .cdw10 = 0x10};

	(void)state;
	expect(NVME_INVALID_OPCODE, &format, true);
	expect(NVME_INVALID_OPCODE, &vendor, true);
	expect(NVME_INVALID_OPCODE, &vendor, false);
	expect(NVME_INVALID_OPCODE, &write_zeroes, false);
	expect(NVME_INVALID_LOG_PAGE, &log, true);
	expect(NVME_INVALID_FIELD, &feature, true);
	expect(NVME_INVALID_FIELD, &identify, true);
	expect(NVME_INVALID_FIELD, &fused, false);
	expect(NVME_INVALID_FIELD, &sgl, false);
	expect(NVME_INVALID_FIELD, &sgl, true);
}

/* An optional command is told of by a bit; the bit is there only when the command passes. */
static void nothing_told_is_refused(void **state)
{
	static const struct {
		uint16_t offset;
		uint8_t bit, opcode;
		bool admin;
	} told[] = {
		{256, 0, 0x81, true}, {256, 1, 0x80, true}, {256, 2, 0x10, true}, {256, 3, 0x0d, true}, {256, 4, 0x14, true},
		{256, 5, 0x19, true}, {256, 6, 0x1d, true}, {256, 7, 0x1c, true}, {257, 0, 0x7c, true},
		{257, 1, 0x86, true}, {520, 0, 0x05, false}, {520, 1, 0x04, false}, {520, 2, 0x09, false},
		{520, 3, 0x08, false}, {520, 5, 0x0d, false}, {520, 7, 0x0c, false}, {521, 0, 0x19, false},
	};
	static const uint16_t kept[] = {78, 128, 259, 263, 265, 320, 322, 512, 513, 516, 525, 526, 528, 768};
	uint8_t data[4096];
	uint16_t status;

	(void)state;
	memset(data, 0xff, sizeof(data));
	nvme_identify_controller_adjust(data);
	for (unsigned i = 0; i < sizeof(told) / sizeof(told[0]); i++) {
		struct nvme_command command = {.opcode = told[i].opcode};
		bool passes = (told[i].admin ? nvme_admin_class : nvme_io_class)(&command, &status) != NVME_REFUSE;

		if ((data[told[i].offset] >> told[i].bit & 1) != passes)
			fail_msg("command %x is told of and fails, or the other way round", told[i].opcode);
	}
	for (unsigned i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		assert_int_equal(data[kept[i]], 0xff);
	/* Transfers of 512 KiB, also where the controller sets no limit. */
	for (unsigned mdts = 0; mdts < 16; mdts++) {
		data[77] = (uint8_t)mdts;
		nvme_identify_controller_adjust(data);
		assert_int_equal(data[77], mdts && mdts < 7 ? mdts : 7);
	}
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(data[536 + i] | data[272 + i] | data[328 + i], 0);
}

static void namespaces(void **state)
{
	uint8_t data[4096] = {0};
	const char *why;

	(void)state;
	data[25] = 2; /* three formats */
	data[128 + 2] = 9;
	data[132 + 2] = 12;
	data[136] = 8;
	data[136 + 2] = 9;
	assert_int_equal(nvme_namespace_lba_bytes(data, &why), 512);
	assert_null(why);
	data[26] = 1;
	assert_int_equal(nvme_namespace_lba_bytes(data, &why), 4096);
	data[29] = 1;
	assert_int_equal(nvme_namespace_lba_bytes(data, &why), 0);
	assert_non_null(strstr(why, "metadata"));
	data[29] = 0;
	data[26] = 2;
	assert_int_equal(nvme_namespace_lba_bytes(data, &why), 0);
	assert_non_null(strstr(why, "metadata"));
	data[26] = 3;
	assert_int_equal(nvme_namespace_lba_bytes(data, &why), 0);
	data[25] = 3;
	data[140 + 2] = 16;
	assert_int_equal(nvme_namespace_lba_bytes(data, &why), 0);
	assert_non_null(strstr(why, "512"));
	memset(data, 0xff, sizeof(data));
	nvme_identify_namespace_adjust(data);
	assert_int_equal(data[31] | (data[33] & 7), 0);
	assert_int_equal(data[24], 0xff);
}

static void capabilities(void **state)
{
	uint64_t cap = nvme_cap_adjust(UINT64_MAX);

	(void)state;
	assert_int_equal(NVME_CAP_MQES(cap), 0xffff);
	assert_int_equal(cap & NVME_CAP_CSS, NVME_CAP_CSS_NVM);
	assert_int_equal(cap & (NVME_CAP_MPSMAX | NVME_CAP_NSSRS | NVME_CAP_BPS | NVME_CAP_PMRS | NVME_CAP_CMBS), 0);
	assert_int_equal(NVME_CAP_DSTRD(cap), 0xf);
	assert_int_equal(nvme_doorbell(0, 0, 0), 0x1000);
	assert_int_equal(nvme_doorbell(1, 1, 0), 0x100c);
	assert_int_equal(nvme_doorbell(2, 1, 3), 0x1000 + 5 * 32);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row),
		cmocka_unit_test(every_other_command),
		cmocka_unit_test(statuses),
		cmocka_unit_test(nothing_told_is_refused),
		cmocka_unit_test(namespaces),
		cmocka_unit_test(capabilities),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
