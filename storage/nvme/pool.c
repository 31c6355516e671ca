/* SPDX-License-Identifier: Apache-2.0 */
/* Pages of one submission queue, in chains. */
#include "storage/nvme/internal.h"

void pages_reset(struct nvme_pool *pool, uint16_t pages)
{
	for (uint16_t page = 0; page < pages; page++)
		pool->next[page] = page + 1 < pages ? (uint16_t)(page + 1) : NVME_NO_PAGE;
	pool->free = 0;
	pool->free_count = pages;
}

uint16_t pages_take(struct nvme_pool *pool, uint32_t pages)
{
	uint16_t first = pool->free, last = first;

	if (!pages || pages > pool->free_count)
		return NVME_NO_PAGE;
	for (uint32_t i = 1; i < pages; i++)
		last = pool->next[last];
	pool->free = pool->next[last];
	pool->next[last] = NVME_NO_PAGE;
	pool->free_count -= (uint16_t)pages;
	return first;
}

void pages_give(struct nvme_pool *pool, uint16_t first)
{
	while (first != NVME_NO_PAGE) {
		uint16_t next = pool->next[first];

		pool->next[first] = pool->free;
		pool->free = first;
		pool->free_count++;
		first = next;
	}
}
