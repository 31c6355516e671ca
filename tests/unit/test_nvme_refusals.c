/* SPDX-License-Identifier: Apache-2.0 */
/* What the log says of refused NVMe commands: why, and not for ever. */
#include "tests/model/nvme_fixture.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define MANY       100
#define AT_MOST    16
#define DEALLOCATE 4
#define SECTORS    4096 /* of the namespace */

static FILE *terminal;
static char *log_text;
static size_t log_bytes;

/* The host's log goes to stderr. */
static void log_begin(void)
{
	terminal = stderr;
	stderr = open_memstream(&log_text, &log_bytes);
	assert_non_null(stderr);
}

static void log_end(void)
{
	fclose(stderr);
	stderr = terminal;
}

static unsigned said(const char *text)
{
	unsigned count = 0;

	for (const char *at = log_text; (at = strstr(at, text)); at++)
		count++;
	return count;
}

static void start(struct nvme_fixture *f, struct disk_pin *pin)
{
	assert_true(nvme_fixture_start(f, NULL, NULL));
	memcpy(pin->value, f->m.ns[0].medium + pin->lba * 512 + pin->offset, pin->bytes);
	assert_int_equal(disk_map_pin(&f->m.map, pin), 0);
}

static void stop(struct nvme_fixture *f)
{
	const char *wrong = nvme_fixture_stop(f);

	if (wrong)
		fail_msg("%s", wrong);
}

/* Every refusal names its reason; those of one status that have several, each its own. */
static void reasons(void **state)
{
	struct disk_pin pin = {.lba = 2, .offset = 100, .bytes = 8};
	struct nvme_fixture f;
	struct {
		struct nvme_command command;
		unsigned queue;
		const char *line;
	} rows[] = {
		{driver_transfer(true, 1, 2, 1), 1, "nvme: queue 1: command 1 refused, status 4020: a protected entry of the partition table"},
		{driver_transfer(true, 1, layout_a_last(SECTORS) + 1, 1), 1, "command 1 refused, status 4020: the header of a volume"},
		{{.opcode = 9, .nsid = 1, .cdw11 = DEALLOCATE}, 1, "command 9 refused, status 4020: the header of a volume or the partition table"},
		{driver_transfer(false, 99, 2, 1), 1, "command 2 refused, status 400b: the namespace is not there"},
		{{.opcode = 5, .nsid = 1}, 1, "command 5 refused, status 4001: it is hidden"},
		{{.opcode = 0x80}, 0, "nvme: queue 0: command 80 refused, status 4001: it is hidden"},
		{{.opcode = 0}, 0, "command 0 refused, status 4101: the queue is not there"},
		{{.opcode = 2}, 0, "command 2 refused, status 4109: the log page is hidden"},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		start(&f, &pin);
		memset(f.memory, 0, 4096);
		((uint32_t *)f.memory)[1] = 1; /* of ranges the first: one block, */
		((uint64_t *)f.memory)[1] = 2; /* the pinned one */
		rows[i].command.prp1 = f.buffer;
		log_begin();
		driver_do(&f.d, rows[i].queue, &rows[i].command, NULL);
		log_end();
		assert_int_equal(said("refused"), 1);
		if (!said(rows[i].line))
			fail_msg("not \"%s\" but %s", rows[i].line, log_text);
		free(log_text);
		stop(&f);
	}
}

/* Each queue has lines of its own, also after it was made again. */
static void bounds(void **state)
{
	struct disk_pin pin = {.lba = 2, .bytes = 8};
	struct nvme_fixture f;

	(void)state;
	start(&f, &pin);
	log_begin();
	for (unsigned i = 0; i < MANY; i++) {
		struct nvme_command unknown = {.opcode = 0xff}, other = {.opcode = 0xfe};

		if (i == MANY / 2)
			assert_true(driver_begin(&f.d));
		assert_int_not_equal(driver_do(&f.d, 0, &unknown, NULL), 0);
		assert_int_not_equal(driver_do(&f.d, 1, &other, NULL), 0);
	}
	for (unsigned i = 0; i < MANY; i++) {
		assert_true(driver_enable(&f.d, false));
		nvme_machine_write(&f.m, 0, NVME_AQA, 4, 0);
		nvme_machine_write(&f.m, 0, NVME_CC, 4, NVME_CC_EN | NVME_CC_ENTRIES);
	}
	log_end();
	assert_int_equal(said("command ff"), AT_MOST);
	assert_int_equal(said("command fe"), AT_MOST);
	assert_int_equal(said("enables what cannot be"), AT_MOST);
	free(log_text);
	assert_true(driver_begin(&f.d));
	stop(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reasons),
		cmocka_unit_test(bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
