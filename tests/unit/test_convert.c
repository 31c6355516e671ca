/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The in-place encryption engine over a medium that forgets: every write and
 * sync of a whole run is logged, and the power is cut after each of them, with
 * the writes that were not yet durable kept, lost, or torn in pieces of 512 or
 * 4096 bytes. Resuming must always give the exact ciphertext.
 */
#include "storage/convert/convert.h"
#include "storage/convert/pair.h"
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define UNIT	    4096u
#define ZONE	    (3 * UNIT)
#define VOLUME_MOST (8 * UNIT)
#define COPY	    PAIR_COPY_MIN
#define AREA_OFFSET (2 * COPY)
#define AREA_BYTES  4096u
#define HEADER	    (AREA_OFFSET + AREA_BYTES)
#define LOG_MOST    512

struct record {
	int is_sync;
	enum convert_part part;
	size_t offset, bytes;
	uint8_t *data;
};

struct medium {
	uint8_t data[VOLUME_MOST];
	uint8_t header[HEADER];
};

struct machine {
	struct medium medium;
	uint64_t bytes; /* of the volume */
	struct header_pair pair;
	uint8_t image[COPY];
	struct convert_port port;
	/* The log, when `logging`. */
	int logging;
	unsigned records;
	struct record log[LOG_MOST];
	/* Calls of the port until one fails; negative: never. */
	int fail_after;
};

static struct xts_key key;
static unsigned long seed;

static uint32_t rnd(void)
{
	seed = seed * 6364136223846793005ul + 1442695040888963407ul;
	return seed >> 33;
}

static uint8_t *part_of(struct medium *m, enum convert_part part)
{
	return part == CONVERT_DATA ? m->data : m->header;
}

static int fails(struct machine *m)
{
	return m->fail_after >= 0 && m->fail_after-- == 0;
}

static int port_read(void *context, enum convert_part part, uint64_t offset, void *buffer, size_t bytes)
{
	struct machine *m = context;

	if (fails(m))
		return -1;
	assert_true(offset + bytes <= (part == CONVERT_DATA ? m->bytes : HEADER));
	memcpy(buffer, part_of(&m->medium, part) + offset, bytes);
	return 0;
}

static void note(
	struct machine *m, int is_sync, enum convert_part part, size_t offset, const void *data, size_t bytes)
{
	struct record *r = &m->log[m->records];

	if (!m->logging)
		return;
	assert_true(m->records++ < LOG_MOST);
	*r = (struct record){is_sync, part, offset, bytes, NULL};
	if (bytes) {
		r->data = malloc(bytes);
		memcpy(r->data, data, bytes);
	}
}

static int port_write(
	void *context, enum convert_part part, uint64_t offset, const void *buffer, size_t bytes)
{
	struct machine *m = context;

	if (fails(m))
		return -1;
	assert_true(offset + bytes <= (part == CONVERT_DATA ? m->bytes : HEADER));
	note(m, 0, part, offset, buffer, bytes);
	memcpy(part_of(&m->medium, part) + offset, buffer, bytes);
	return 0;
}

static int port_sync(void *context, enum convert_part part)
{
	struct machine *m = context;

	if (fails(m))
		return -1;
	note(m, 1, part, 0, NULL, 0);
	return 0;
}

static int port_commit(void *context, const struct convert_state *state)
{
	struct machine *m = context;
	char text[64];
	int length = snprintf(text, sizeof text, "%llu %llu", (unsigned long long)state->done,
		(unsigned long long)state->hot);

	return pair_write(&m->pair, &m->port, text, length);
}

static void machine_start(struct machine *m, const struct medium *medium, uint64_t bytes)
{
	memset(m, 0, sizeof *m);
	m->medium = *medium;
	m->bytes = bytes;
	m->fail_after = -1;
	m->port = (struct convert_port){m, port_read, port_write, port_sync, port_commit};
	m->pair.image = m->image;
	m->pair.capacity = sizeof m->image;
}

static void machine_stop(struct machine *m)
{
	for (unsigned i = 0; i < m->records; i++)
		free(m->log[i].data);
}

/* A volume of random plaintext under a header that says that nothing is encrypted. */
static void medium_make(struct medium *medium, uint64_t bytes)
{
	static const char magic[] = "LUKS\xba\xbe\0\2\0\0\0\0\0\0\x40\0";
	struct machine m;

	memset(medium, 0, sizeof *medium);
	for (size_t i = 0; i < bytes; i++)
		medium->data[i] = rnd();
	machine_start(&m, medium, bytes);
	memcpy(m.image, magic, 16);
	strcpy((char *)m.image + 72, "sha256");
	m.pair.copy_bytes = COPY;
	m.pair.valid[0] = m.pair.valid[1] = 1;
	assert_int_equal(port_commit(&m, &(struct convert_state){0, 0}), 0);
	*medium = m.medium;
}

/* What a run needs; its buffers must outlive it. */
struct engine {
	struct convert convert;
	uint8_t zone[ZONE];
	uint8_t sums[ZONE / UNIT * SUM_BYTES];
};

/* Reads the state from the medium's header, as a start after a power cut does. */
static int engine_start(struct engine *e, struct machine *m, uint32_t sector_size)
{
	unsigned long long done, hot;

	if (pair_read(&m->pair, &m->port))
		return -1;
	assert_int_equal(sscanf(pair_json(&m->pair), "%llu %llu", &done, &hot), 2);
	e->convert = (struct convert){
		.port = &m->port,
		.key = &key,
		.bytes = m->bytes,
		.sector_size = sector_size,
		.unit = UNIT,
		.area_offset = AREA_OFFSET,
		.area_bytes = AREA_BYTES,
		.zone = e->zone,
		.zone_bytes = ZONE,
		.sums = e->sums,
		.state = {done, hot},
	};
	assert_int_equal(convert_check(&e->convert), 0);
	if (m->pair.stale)
		return port_commit(m, &e->convert.state);
	return 0;
}

static enum convert_result run(struct machine *m, uint32_t sector_size)
{
	struct engine e;
	enum convert_result result;

	if (engine_start(&e, m, sector_size))
		return CONVERT_EIO;
	/* The header is an ordinary one: nobody would look for work left to do. */
	if (e.convert.state.done == m->bytes)
		return CONVERT_DONE;
	do
		result = convert_step(&e.convert);
	while (result == CONVERT_MORE);
	return result;
}

static void expect_ciphertext(const struct medium *plain, const struct machine *m, uint32_t sector_size)
{
	static const uint8_t zeroes[AREA_BYTES];
	uint8_t wanted[VOLUME_MOST];

	xts_encrypt(&key, 0, sector_size, plain->data, wanted, m->bytes);
	assert_memory_equal(m->medium.data, wanted, m->bytes);
	assert_memory_equal(m->medium.header + AREA_OFFSET, zeroes, AREA_BYTES);
}

enum fate { KEPT, LOST, TORN_512, TORN_4096, FATES };

/* Applies one write that was not durable. */
static void apply(struct medium *medium, const struct record *r, enum fate fate)
{
	uint8_t *to = part_of(medium, r->part) + r->offset;
	size_t piece = fate == TORN_4096 ? 4096 : 512;

	for (size_t at = 0; at < r->bytes; at += piece) {
		size_t bytes = r->bytes - at < piece ? r->bytes - at : piece;

		if (fate == KEPT || (fate != LOST && rnd() & 1))
			memcpy(to + at, r->data + at, bytes);
	}
}

/* The medium after a cut behind record `cut - 1`: what was synced stands, the rest has its fate. */
static void cut_at(struct medium *medium, const struct machine *logged, unsigned cut, enum fate fate)
{
	for (unsigned i = 0; i < cut; i++) {
		const struct record *r = &logged->log[i];
		int durable = 0;

		for (unsigned j = i + 1; j < cut && !durable; j++)
			durable = logged->log[j].is_sync && logged->log[j].part == r->part;
		if (!r->is_sync)
			apply(medium, r, durable ? KEPT : fate);
	}
}

/* Cuts a logged run everywhere; `again`: cuts the resumed run once more, at a random place. */
static void replay(const struct medium *start, const struct medium *plain, uint64_t bytes,
	uint32_t sector_size, int again)
{
	struct machine *logged = malloc(sizeof *logged), *resumed = malloc(sizeof *resumed);
	struct medium *after = malloc(sizeof *after);

	machine_start(logged, start, bytes);
	logged->logging = 1;
	assert_int_equal(run(logged, sector_size), CONVERT_DONE);
	expect_ciphertext(plain, logged, sector_size);
	for (unsigned cut = 0; cut <= logged->records; cut++) {
		for (unsigned variant = 0; variant < (again ? 4 : 8); variant++) {
			enum fate fate = again ? TORN_512 : variant < FATES ? variant : TORN_512;

			*after = *start;
			cut_at(after, logged, cut, fate);
			if (again) {
				struct machine *first = malloc(sizeof *first);

				machine_start(first, after, bytes);
				first->logging = 1;
				assert_int_equal(run(first, sector_size), CONVERT_DONE);
				/* The first steps mend the header, so half of the second cuts fall there. */
				cut_at(after, first, rnd() & 1 ? rnd() % 8 : rnd() % (first->records + 1),
					TORN_512);
				machine_stop(first);
				free(first);
			}
			machine_start(resumed, after, bytes);
			if (run(resumed, sector_size) != CONVERT_DONE)
				fail_msg("cut after record %u, fate %d: not resumed", cut, fate);
			expect_ciphertext(plain, resumed, sector_size);
		}
	}
	machine_stop(logged);
	free(logged);
	free(resumed);
	free(after);
}

static void power_cut_anywhere(uint32_t sector_size, uint64_t bytes, int again)
{
	struct medium plain;

	medium_make(&plain, bytes);
	replay(&plain, &plain, bytes, sector_size, again);
}

static void cut_everywhere_512(void **state)
{
	(void)state;
	/* The last unit is short. */
	power_cut_anywhere(512, 7 * UNIT + 1536, 0);
}

static void cut_everywhere_4096(void **state)
{
	(void)state;
	power_cut_anywhere(4096, 8 * UNIT, 0);
}

static void cut_twice(void **state)
{
	(void)state;
	power_cut_anywhere(512, 7 * UNIT + 512, 1);
	power_cut_anywhere(4096, 7 * UNIT, 1);
}

/* The n-th call of the port fails, for every n; the same engine goes on afterwards. */
static void every_failure_is_survived(void **state)
{
	struct machine *m = malloc(sizeof *m);
	struct medium plain;
	struct engine e;
	int failed = 1;

	(void)state;
	medium_make(&plain, 7 * UNIT + 512);
	for (int n = 0; failed; n++) {
		enum convert_result result = CONVERT_MORE;

		machine_start(m, &plain, 7 * UNIT + 512);
		assert_int_equal(engine_start(&e, m, 512), 0);
		m->fail_after = n;
		failed = 0;
		while (result != CONVERT_DONE) {
			result = convert_step(&e.convert);
			assert_true(result >= 0 || (result == CONVERT_EIO && !failed));
			failed |= result < 0;
		}
		expect_ciphertext(&plain, m, 512);
	}
	free(m);
}

/* Someone wrote to the zone in doubt after the cut: nothing is overwritten. */
static void foreign_write_is_refused(void **state)
{
	struct machine *m = malloc(sizeof *m);
	struct medium plain, before;
	struct engine e;

	(void)state;
	medium_make(&plain, 8 * UNIT);
	machine_start(m, &plain, 8 * UNIT);
	assert_int_equal(engine_start(&e, m, 512), 0);
	/* Read, checksums, sync, two copies with a sync each; then the data is refused. */
	m->fail_after = 7;
	assert_int_equal(convert_step(&e.convert), CONVERT_EIO);
	assert_int_equal(e.convert.state.hot, ZONE);
	m->medium.data[UNIT + 700] ^= 1;
	before = m->medium;
	assert_int_equal(engine_start(&e, m, 512), 0);
	assert_int_equal(convert_step(&e.convert), CONVERT_EDAMAGED);
	assert_int_equal(e.convert.damaged, UNIT);
	assert_memory_equal(&m->medium, &before, sizeof before);
	free(m);
}

static void sizes_are_checked(void **state)
{
	struct machine *m = malloc(sizeof *m);
	struct medium plain;
	struct engine e;
	struct convert good;

	(void)state;
	medium_make(&plain, 8 * UNIT);
	machine_start(m, &plain, 8 * UNIT);
	assert_int_equal(engine_start(&e, m, 512), 0);
	good = e.convert;
#define REFUSED(change)                                                                                      \
	do {                                                                                                 \
		struct convert c = good;                                                                     \
		change;                                                                                      \
		assert_int_equal(convert_check(&c), CONVERT_EINVAL);                                         \
	} while (0)
	REFUSED(c.sector_size = 256);
	REFUSED(c.sector_size = 8192);
	REFUSED(c.sector_size = 1000);
	REFUSED(c.unit = 256);
	REFUSED(c.unit = 8192);
	REFUSED(c.bytes = 0);
	REFUSED(c.bytes += 1);
	REFUSED(c.zone_bytes = 0);
	REFUSED(c.zone_bytes += 512);
	REFUSED(c.area_bytes = SUM_BYTES);
	REFUSED(c.state.done = 9 * UNIT);
	REFUSED(c.state.done = 512);
	REFUSED(c.state.hot = 512);
	REFUSED(c.state.hot = 4 * UNIT);
	REFUSED((c.state.done = 7 * UNIT, c.state.hot = 2 * UNIT));
#undef REFUSED
	assert_int_equal(convert_zone_bytes(1 << 20, 3 * SUM_BYTES + 5, UNIT), 3 * UNIT);
	assert_int_equal(convert_zone_bytes(UNIT + 1, 1 << 20, UNIT), UNIT);
	assert_int_equal(convert_zone_bytes(1 << 20, SUM_BYTES - 1, UNIT), 0);
	free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cut_everywhere_512),
		cmocka_unit_test(cut_everywhere_4096),
		cmocka_unit_test(cut_twice),
		cmocka_unit_test(every_failure_is_survived),
		cmocka_unit_test(foreign_write_is_refused),
		cmocka_unit_test(sizes_are_checked),
	};
	uint8_t bytes[64];

	seed = getenv("SEED") ? strtoul(getenv("SEED"), NULL, 0) : (unsigned long)time(NULL);
	printf("SEED=%lu\n", seed);
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = rnd();
	if (xts_key_init(&key, bytes, sizeof bytes))
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
