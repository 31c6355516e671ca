/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any sequence of mappings: every page is what the last of them that covers it said,
 * and what is refused for lack of tables has changed nothing.
 * Input: size of the pool and kind of pages, then mappings of 10 bytes each.
 */
#include "hv/core/npt.h"
#include "hv/svm/npt_format.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

#define GIB	   (1ull << 30)
#define LIMIT	   (2 * GIB)
#define PAGE	   4096ull
#define PAGES	   (LIMIT / PAGE)
#define POOL_PAGES 40u
#define JOBS_MAX   24u

struct job {
	uint8_t flags, access;
	uint32_t first, count; /* pages */
	uint64_t hpa;
};

/* Those that were carried out, in order: what an array of pages would hold, without the array. */
static struct job done[JOBS_MAX];
static unsigned done_count;
static uint8_t pool_memory[POOL_PAGES * PAGE] __attribute__((aligned(4096)));

static void check(bool holds)
{
	if (!holds)
		abort();
}

/* The host's page and its rights in the low bits. */
static uint64_t expected(uint64_t page)
{
	for (unsigned i = done_count; i-- > 0;) {
		const struct job *job = &done[i];

		if (page - job->first >= job->count)
			continue;
		/* What cannot be read cannot be anything else. */
		if (!(job->access & NPT_READ))
			return 0;
		return (job->hpa + (job->flags & 1 ? 0 : (page - job->first) * PAGE)) | job->access;
	}
	return page * PAGE | NPT_ALL;
}

static void compare(const struct npt *npt, uint64_t page)
{
	struct npt_translation found;

	if (page >= PAGES)
		return;
	found = npt_lookup(npt, page * PAGE);
	check(found.access == (expected(page) & NPT_ALL));
	check(!found.access || found.hpa == (expected(page) & ~(PAGE - 1)));
	check(found.page_bytes >= PAGE && !(found.page_bytes & (found.page_bytes - 1)));
}

/* Both sides of an edge, and the table it lies in. */
static void compare_around(const struct npt *npt, uint64_t page)
{
	for (uint64_t at = page < 2 ? 0 : page - 2; at < page + 2; at++)
		compare(npt, at);
	for (uint64_t at = page & ~511ull; at < (page | 511); at += 13)
		compare(npt, at);
}

static void compare_all(const struct npt *npt)
{
	for (uint64_t page = 0; page < PAGES; page += 512) {
		compare(npt, page);
		compare(npt, page + 511);
	}
	for (unsigned i = 0; i < done_count; i++) {
		compare_around(npt, done[i].first);
		compare_around(npt, done[i].first + done[i].count);
	}
}

static void carry_out(struct npt *npt, struct job *job)
{
	uint64_t gpa = job->first * PAGE, length = job->count * PAGE;
	bool same = job->flags & 1;
	uint32_t used = npt->pool->used;
	int result;

	job->hpa = job->flags & 2 ? gpa : 5 * GIB + (job->flags & 4 ? gpa : gpa % (64 * PAGE));
	result = same ? npt_map_same(npt, gpa, length, job->hpa, job->access) : npt_map(npt, gpa, length, job->hpa, job->access);
	check(result == 0 || result == -1);
	if (result)
		check(npt->pool->used == used);
	else
		done[done_count++] = *job;
	check(npt->pool->used <= npt->pool->pages);
	compare_around(npt, job->first);
	compare_around(npt, job->first + job->count);
}

static struct job take(const uint8_t *data)
{
	static const uint8_t coarse[4] = {0, 9, 18, 4};
	struct job job = {.flags = data[0], .access = data[1] & NPT_ALL};
	uint32_t first, count;

	memcpy(&first, data + 2, 4);
	memcpy(&count, data + 6, 4);
	first = first % PAGES >> coarse[job.flags >> 4 & 3] << coarse[job.flags >> 4 & 3];
	count = 1 + count % (job.flags & 0x80 ? PAGES : 1024);
	if (job.flags & 0x40)
		count = 512 * (1 + count % 520);
	job.first = first;
	job.count = count < PAGES - first ? count : (uint32_t)(PAGES - first);
	return job;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct npt_pool pool;
	struct npt_format format;
	struct npt npt;

	if (bytes < 2)
		return 0;
	npt_pool_init(&pool, pool_memory, data[0] % POOL_PAGES + 1);
	svm_fill_npt_format(&format, data[1] & 1);
	if (npt_init(&npt, &pool, LIMIT, &format)) {
		check(pool.used == 0);
		return 0;
	}
	done_count = 0;
	data += 2;
	bytes -= 2;
	for (unsigned i = 0; i < JOBS_MAX && bytes >= 10; i++, data += 10, bytes -= 10) {
		struct job job = take(data);

		carry_out(&npt, &job);
	}
	compare_all(&npt);
	return 0;
}
