/* SPDX-License-Identifier: Apache-2.0 */
/* PRP lists of every depth and alignment, built by a slow writer and read back; and those that are none. */
#include "storage/nvme/prp.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#define PAGES    2048u
#define BASE     0x7fffff000ull /* the address of page 0: an address is no pointer, and crosses 32 GiB */
#define RAM_END  (BASE + PAGES * NVME_PAGE_BYTES)

static uint8_t *ram;
static uint32_t next_page;

static void *guest_ram(void *context, uint64_t gpa, uint64_t bytes)
{
	(void)context;
	if (gpa < BASE || gpa > RAM_END || bytes > RAM_END - gpa)
		return NULL;
	return ram + (gpa - BASE);
}

static const struct nvme_memory memory = {NULL, guest_ram};

static uint64_t new_page(void)
{
	/* An odd step visits every page, and neighbours are far apart. */
	return BASE + (uint64_t)(next_page++ * 1021u % PAGES) * NVME_PAGE_BYTES;
}

static void put(uint64_t address, uint64_t value)
{
	memcpy(ram + (address - BASE), &value, 8);
}

struct built {
	struct nvme_command command;
	uint64_t expected[NVME_MAX_PAGES];
	uint32_t count;
};

/* `offset` into the first page, `list_offset` into the page of the first list. */
static void build(struct built *b, uint32_t bytes, uint32_t offset, uint32_t list_offset)
{
	uint32_t count = (offset + bytes + NVME_PAGE_BYTES - 1) / NVME_PAGE_BYTES, at = 1;
	uint64_t list;

	memset(b, 0, sizeof(*b));
	b->count = count;
	for (uint32_t i = 0; i < count; i++)
		b->expected[i] = new_page() + (i ? 0 : offset);
	b->command.prp1 = b->expected[0];
	b->command.prp2 = count == 2 ? b->expected[1] : count == 1 ? 0xdeadbeef : new_page() + list_offset;
	list = b->command.prp2;
	while (count > 2 && at < count) {
		if (list % NVME_PAGE_BYTES == NVME_PAGE_BYTES - 8 && count - at > 1) {
			uint64_t next = new_page();

			put(list, next);
			list = next;
			continue;
		}
		put(list, b->expected[at++]);
		list += 8;
	}
}

static void expect_same(const struct built *b, uint32_t bytes)
{
	struct nvme_pages pages;
	uint32_t sum = 0;

	assert_int_equal(nvme_prp_read(&memory, &b->command, bytes, &pages), 0);
	assert_int_equal(pages.count, b->count);
	assert_memory_equal(pages.address, b->expected, b->count * sizeof(uint64_t));
	for (uint32_t i = 0; i < pages.count; i++)
		sum += nvme_page_bytes(&pages, i, bytes);
	assert_int_equal(sum, bytes);
}

static int start(void **state)
{
	(void)state;
	ram = calloc(PAGES, NVME_PAGE_BYTES);
	return !ram;
}

static int stop(void **state)
{
	(void)state;
	free(ram);
	return 0;
}

static void edges(void **state)
{
	static const uint32_t sizes[] = {512, 4096, 4608, 8192, 8704, 12288, 65536, NVME_MAX_BYTES - 512, NVME_MAX_BYTES};
	static const uint32_t offsets[] = {0, 4, 512, 3584, 4092};
	static const uint32_t lists[] = {0, 8, 2048, 4080, 4088};
	struct built b;

	(void)state;
	for (unsigned i = 0; i < 9; i++)
		for (unsigned j = 0; j < 5; j++)
			for (unsigned k = 0; k < 5; k++) {
				build(&b, sizes[i], offsets[j], lists[k]);
				expect_same(&b, sizes[i]);
			}
}

static void at_random(void **state)
{
	unsigned seed = (unsigned)time(NULL);
	struct built b;

	(void)state;
	print_message("seed %u\n", seed);
	srand(seed);
	for (unsigned turn = 0; turn < 20000; turn++) {
		uint32_t bytes = 512u * (1 + (uint32_t)rand() % (turn % 8 ? 64 : NVME_MAX_BYTES / 512));

		build(&b, bytes, (uint32_t)rand() % 1024 * 4, (uint32_t)rand() % 512 * 8);
		expect_same(&b, bytes);
	}
}

static void what_may_not_be(void **state)
{
	struct nvme_pages pages;
	struct built b;

	(void)state;
	build(&b, 65536, 0, 0);
	b.command.prp1 += 2;
	assert_int_equal(nvme_prp_read(&memory, &b.command, 65536, &pages), NVME_INVALID_PRP_OFFSET);
	build(&b, 65536, 0, 0);
	b.command.prp2 += 4;
	assert_int_equal(nvme_prp_read(&memory, &b.command, 65536, &pages), NVME_INVALID_PRP_OFFSET);
	build(&b, 8192, 0, 0);
	b.command.prp2 += 512;
	assert_int_equal(nvme_prp_read(&memory, &b.command, 8192, &pages), NVME_INVALID_PRP_OFFSET);
	build(&b, 65536, 0, 0);
	put(b.command.prp2 + 16, b.expected[3] + 8);
	assert_int_equal(nvme_prp_read(&memory, &b.command, 65536, &pages), NVME_INVALID_PRP_OFFSET);
	/* Memory that is not the guest's: data, a list, the next list, and the last byte of a page. */
	build(&b, 512, 0, 0);
	b.command.prp1 = RAM_END;
	assert_int_equal(nvme_prp_read(&memory, &b.command, 512, &pages), NVME_DATA_TRANSFER_ERROR);
	build(&b, 65536, 0, 0);
	put(b.command.prp2 + 16, BASE - NVME_PAGE_BYTES);
	assert_int_equal(nvme_prp_read(&memory, &b.command, 65536, &pages), NVME_DATA_TRANSFER_ERROR);
	b.command.prp2 = RAM_END;
	assert_int_equal(nvme_prp_read(&memory, &b.command, 65536, &pages), NVME_DATA_TRANSFER_ERROR);
	build(&b, 65536, 0, 4088);
	put(b.command.prp2, UINT64_MAX << 12);
	assert_int_equal(nvme_prp_read(&memory, &b.command, 65536, &pages), NVME_DATA_TRANSFER_ERROR);
}

/* A list that leads to itself: its entries are data until the transfer has enough. */
static void circles(void **state)
{
	uint64_t page = new_page(), alone = new_page();
	struct nvme_command command = {.prp1 = page, .prp2 = alone};
	struct nvme_pages pages;

	(void)state;
	for (unsigned i = 0; i < 512; i++)
		put(alone + 8 * i, alone);
	assert_int_equal(nvme_prp_read(&memory, &command, NVME_MAX_BYTES, &pages), 0);
	assert_int_equal(pages.count, NVME_MAX_BYTES / NVME_PAGE_BYTES);
	/* One that begins with the last entry of its page leads to the first one. */
	command.prp2 = alone + 4088;
	put(alone + 4088, alone);
	assert_int_equal(nvme_prp_read(&memory, &command, NVME_MAX_BYTES, &pages), 0);
	assert_int_equal(pages.count, NVME_MAX_BYTES / NVME_PAGE_BYTES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(edges),
		cmocka_unit_test(at_random),
		cmocka_unit_test(what_may_not_be),
		cmocka_unit_test(circles),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
