/* SPDX-License-Identifier: Apache-2.0 */
/* Data in pieces of any length, from anywhere in a cipher sector on, against whole sectors in one piece. */
#include "storage/volume/transform.h"
#include "tests/model/layout.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define SECTORS 1024u
#define LONGEST 65536u
#define PIECES  (LONGEST / 16)

struct scattered {
	uint8_t *at[PIECES];
	uint32_t bytes[PIECES];
	uint32_t count;
};

static uint32_t below(uint32_t limit)
{
	return (uint32_t)random() % limit;
}

static uint8_t *piece(const void *context, uint32_t index, uint32_t *bytes)
{
	const struct scattered *s = context;

	assert_true(index < s->count);
	*bytes = s->bytes[index];
	return s->at[index];
}

/* Cuts `data` into pieces of even length, each in memory of its own. */
static void scatter(struct scattered *s, const uint8_t *data, uint32_t bytes)
{
	uint32_t longest = 2 << below(14);

	s->count = 0;
	while (bytes) {
		uint32_t part = 2 + 2 * below(longest);

		if (part > bytes || s->count == PIECES - 1)
			part = bytes;
		s->at[s->count] = malloc(part);
		memcpy(s->at[s->count], data, part);
		s->bytes[s->count++] = part;
		data += part;
		bytes -= part;
	}
}

static void gather(struct scattered *s, uint8_t *data)
{
	for (uint32_t i = 0; i < s->count; i++) {
		memcpy(data, s->at[i], s->bytes[i]);
		data += s->bytes[i];
		free(s->at[i]);
	}
}

/* The whole disk, sector by sector of the cipher. */
static void reference(const struct disk_map *map, uint8_t *disk)
{
	for (unsigned i = 0; i < map->count; i++) {
		const struct disk_range *range = &map->range[i];

		if (range->kind != SECTOR_CIPHERTEXT)
			continue;
		for (uint64_t at = range->first_lba * map->lba_size; at < (range->last_lba + 1) * map->lba_size;
			at += range->sector_size)
			xts_encrypt(range->key, range->iv_offset + (at - range->first_lba * map->lba_size) / 512,
				range->sector_size, disk + at, disk + at, range->sector_size);
	}
}

static void one_way(uint32_t lba_size, uint32_t cipher)
{
	const uint32_t total = SECTORS * lba_size;
	uint8_t *clear = malloc(total), *encrypted = malloc(total), *data = malloc(LONGEST);
	struct cipher_scope scope = {.saved = false};
	struct disk_map map = {0};
	struct xts_key key[2];
	struct scattered s;

	layout_key(&key[0], 0);
	layout_key(&key[1], 1);
	layout_map(&map, lba_size, SECTORS, cipher, &key[0], &key[1]);
	for (uint32_t i = 0; i < total; i++)
		clear[i] = (uint8_t)random();
	memcpy(encrypted, clear, total);
	reference(&map, encrypted);
	for (unsigned round = 0; round < 400; round++) {
		uint32_t at = 16 * below(total / 16), bytes = 16 * (1 + below(LONGEST / 16));
		bool encrypt = round & 1;

		if (bytes > total - at)
			bytes = total - at;
		scatter(&s, (encrypt ? clear : encrypted) + at, bytes);
		transform_pieces(&map, at, bytes, encrypt, &(struct pieces){piece, &s}, &scope);
		gather(&s, data);
		assert_memory_equal(data, (encrypt ? encrypted : clear) + at, bytes);
		transform_memory(&map, at, data, bytes, !encrypt, &scope);
		assert_memory_equal(data, (encrypt ? clear : encrypted) + at, bytes);
	}
	cipher_end(&scope);
	free(clear);
	free(encrypted);
	free(data);
}

static void test_pieces(void **state)
{
	(void)state;
	one_way(512, 512);
	one_way(512, 4096);
	one_way(4096, 4096);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_pieces)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
