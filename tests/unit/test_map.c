/* SPDX-License-Identifier: Apache-2.0 */
/* The disk map against an array with one entry per sector. */
#include "storage/volume/map.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#define SECTORS 400

static struct xts_key key;

/* The judge: for each sector the number of its range (1 and up, in the order of adding), or 0. */
struct model {
	unsigned owner[SECTORS];
	struct disk_range added[DISK_MAP_RANGES + 1];
	unsigned count;
};

static bool model_add(struct model *model, uint32_t lba_size, const struct disk_range *range)
{
	uint64_t sectors = range->last_lba - range->first_lba + 1;

	if (range->first_lba > range->last_lba || model->count == DISK_MAP_RANGES)
		return false;
	if (range->kind == SECTOR_CIPHERTEXT &&
		(range->sector_size % lba_size || sectors * lba_size % range->sector_size))
		return false;
	for (uint64_t lba = range->first_lba; lba <= range->last_lba; lba++)
		if (model->owner[lba])
			return false;
	model->added[++model->count] = *range;
	for (uint64_t lba = range->first_lba; lba <= range->last_lba; lba++)
		model->owner[lba] = model->count;
	return true;
}

static enum sector_kind model_kind(const struct model *model, uint64_t lba)
{
	return model->owner[lba] ? model->added[model->owner[lba]].kind : SECTOR_CLEAR;
}

static void compare_run(const struct disk_map *map, const struct model *model, uint64_t lba, uint64_t count)
{
	struct disk_run run = disk_map_run(map, lba, count);
	uint64_t expected = 1;

	while (expected < count && model->owner[lba + expected] == model->owner[lba])
		expected++;
	assert_int_equal(run.lba, lba);
	assert_int_equal(run.count, expected);
	assert_int_equal(run.range != NULL, model->owner[lba] != 0);
	if (run.range) {
		assert_int_equal(run.range->kind, model_kind(model, lba));
		assert_int_equal(run.range->first_lba, model->added[model->owner[lba]].first_lba);
		assert_int_equal(disk_range_tweak(map, run.range, lba),
			run.range->iv_offset + (lba - run.range->first_lba) * map->lba_size / 512);
	}
	for (int kind = SECTOR_CLEAR; kind <= SECTOR_GUARDED; kind++) {
		bool touched = false;

		for (uint64_t i = 0; i < count; i++)
			touched |= model_kind(model, lba + i) == (enum sector_kind)kind;
		assert_int_equal(disk_map_touches(map, lba, count, kind), touched);
	}
}

static struct disk_range random_range(void)
{
	uint64_t first = (uint64_t)random() % SECTORS;
	uint64_t last = first + (uint64_t)random() % 40;
	bool cipher = random() % 2;

	return (struct disk_range){
		.first_lba = first,
		.last_lba = last < SECTORS ? last : SECTORS - 1,
		.kind = cipher ? SECTOR_CIPHERTEXT : SECTOR_GUARDED,
		.sector_size = 512u << (random() % 4),
		.iv_offset = (uint64_t)random(),
		.key = cipher ? &key : NULL,
	};
}

static void test_against_array(void **state)
{
	unsigned seed = (unsigned)time(NULL);

	(void)state;
	printf("seed %u\n", seed);
	srandom(seed);
	for (int round = 0; round < 300; round++) {
		struct disk_map map = {.lba_size = random() % 2 ? 512 : 4096};
		struct model model = {0};

		for (int i = 0; i < 60; i++) {
			struct disk_range range = random_range();
			bool fits = model_add(&model, map.lba_size, &range);

			assert_int_equal(disk_map_add(&map, &range), fits ? 0 : -1);
		}
		for (unsigned i = 1; i < map.count; i++)
			assert_true(map.range[i - 1].last_lba < map.range[i].first_lba);
		for (int i = 0; i < 100; i++) {
			uint64_t lba = (uint64_t)random() % SECTORS;

			compare_run(&map, &model, lba, 1 + (uint64_t)random() % (SECTORS - lba));
		}
	}
}

static void test_refused(void **state)
{
	const struct disk_range good = {8, 15, SECTOR_CIPHERTEXT, 4096, 0, &key};
	struct disk_map map = {.lba_size = 512};
	struct disk_range range;

	(void)state;
	range = good, range.first_lba = 16;
	assert_int_equal(disk_map_add(&map, &range), -1);
	range = good, range.last_lba = 14;
	assert_int_equal(disk_map_add(&map, &range), -1);
	range = good, range.sector_size = 256;
	assert_int_equal(disk_map_add(&map, &range), -1);
	range = good, range.sector_size = 1536;
	assert_int_equal(disk_map_add(&map, &range), -1);
	range = good, range.sector_size = 8192;
	assert_int_equal(disk_map_add(&map, &range), -1);
	range = good, range.sector_size = 0;
	assert_int_equal(disk_map_add(&map, &range), -1);
	range = good, range.key = NULL;
	assert_int_equal(disk_map_add(&map, &range), -1);
	range = good, range.kind = SECTOR_CLEAR;
	assert_int_equal(disk_map_add(&map, &range), -1);
	map.lba_size = 0;
	assert_int_equal(disk_map_add(&map, &good), -1);
	map.lba_size = 4096;
	range = good, range.sector_size = 512;
	assert_int_equal(disk_map_add(&map, &range), -1);
	assert_int_equal(map.count, 0);
	assert_int_equal(disk_map_add(&map, &good), 0);
	assert_int_equal(disk_map_add(&map, &good), -1);
}

/* Hostile commands name the ends of the 64-bit space. */
static void test_ends_of_space(void **state)
{
	const struct disk_range range = {UINT64_MAX - 7, UINT64_MAX, SECTOR_GUARDED, 0, 0, NULL};
	struct disk_map map = {.lba_size = 512};
	struct disk_run run;

	(void)state;
	run = disk_map_run(&map, 5, UINT64_MAX);
	assert_true(run.count == UINT64_MAX && !run.range);
	assert_int_equal(disk_map_add(&map, &range), 0);
	run = disk_map_run(&map, 0, UINT64_MAX);
	assert_true(run.count == UINT64_MAX - 7 && !run.range);
	run = disk_map_run(&map, UINT64_MAX - 1, 2);
	assert_true(run.count == 2 && run.range);
	assert_true(disk_map_touches(&map, 0, UINT64_MAX, SECTOR_GUARDED));
	assert_false(disk_map_touches(&map, 0, UINT64_MAX - 7, SECTOR_GUARDED));
	assert_false(disk_map_touches(&map, 0, 0, SECTOR_CLEAR));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_against_array),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_ends_of_space),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
