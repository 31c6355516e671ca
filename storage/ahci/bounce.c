/* SPDX-License-Identifier: Apache-2.0 */
/* Bounce memory: runs of pages out of one pool. */
#include "storage/ahci/internal.h"

static bool is_used(const struct pool *pool, uint32_t page)
{
	return pool->used[page / 32] >> page % 32 & 1;
}

static void mark(struct pool *pool, uint32_t first, uint32_t pages, bool used)
{
	for (uint32_t page = first; page < first + pages; page++)
		if (used)
			pool->used[page / 32] |= 1u << page % 32;
		else
			pool->used[page / 32] &= ~(1u << page % 32);
}

/* First fit; the longest run when none is long enough. */
static uint32_t find_run(const struct pool *pool, uint32_t wanted, uint32_t *first)
{
	uint32_t best = 0;

	for (uint32_t page = pool->first_free, run = 0; page < pool->pages; page++) {
		run = is_used(pool, page) ? 0 : run + 1;
		if (run <= best)
			continue;
		best = run;
		*first = page + 1 - run;
		if (best == wanted)
			break;
	}
	return best;
}

uint8_t *pool_take(struct pool *pool, uint32_t wanted, uint32_t least, uint32_t *got)
{
	uint32_t pages = (wanted + PAGE_BYTES - 1) / PAGE_BYTES, first = 0;
	uint8_t *memory = NULL;

	port_lock(&pool->lock);
	uint32_t run = find_run(pool, pages, &first);

	if (run && run * PAGE_BYTES >= least) {
		mark(pool, first, run, true);
		memory = pool->base + (size_t)first * PAGE_BYTES;
		*got = run * PAGE_BYTES;
	}
	while (pool->first_free < pool->pages && is_used(pool, pool->first_free))
		pool->first_free++;
	port_unlock(&pool->lock);
	return memory;
}

void pool_give(struct pool *pool, uint8_t *memory, uint32_t bytes)
{
	uint32_t first = (uint32_t)((memory - pool->base) / PAGE_BYTES);

	port_lock(&pool->lock);
	mark(pool, first, bytes / PAGE_BYTES, false);
	if (first < pool->first_free)
		pool->first_free = first;
	port_unlock(&pool->lock);
	__atomic_store_n(&pool->given, true, __ATOMIC_SEQ_CST);
}
