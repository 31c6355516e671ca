/* SPDX-License-Identifier: Apache-2.0 */
/* The memory of the guest's queues. NVM Express 1.4, sections 4.1, 5.3 and 5.4. */
#include "storage/nvme/internal.h"

#define OFFSET(address) ((uint32_t)(address) % NVME_PAGE_BYTES)

/* A list of pages may go on in further pages, by its last entry; ours is never as long. */
static uint16_t map_list(const struct nvme *nvme, struct nvme_ring *ring, uint64_t list, uint32_t pages)
{
	const volatile uint64_t *entries = (const volatile uint64_t *)guest_memory(nvme, list, 8ull * pages);

	if (!entries)
		return NVME_DATA_TRANSFER_ERROR | NVME_DO_NOT_RETRY;
	for (uint32_t i = 0; i < pages; i++) {
		uint64_t address = entries[i];

		if (OFFSET(address))
			return NVME_INVALID_PRP_OFFSET | NVME_DO_NOT_RETRY;
		ring->page[i] = guest_memory(nvme, address, NVME_PAGE_BYTES);
		if (!ring->page[i])
			return NVME_DATA_TRANSFER_ERROR | NVME_DO_NOT_RETRY;
	}
	return 0;
}

uint16_t ring_map(const struct nvme *nvme, struct nvme_ring *ring, uint64_t prp1, uint32_t entries,
	uint32_t entry_bytes, bool contiguous)
{
	uint32_t bytes = entries * entry_bytes, pages = (bytes + NVME_PAGE_BYTES - 1) / NVME_PAGE_BYTES;
	uint8_t *memory;

	ring->entries = entries;
	if (OFFSET(prp1))
		return NVME_INVALID_PRP_OFFSET | NVME_DO_NOT_RETRY;
	if (!contiguous)
		return map_list(nvme, ring, prp1, pages);
	memory = guest_memory(nvme, prp1, bytes);
	if (!memory)
		return NVME_DATA_TRANSFER_ERROR | NVME_DO_NOT_RETRY;
	for (uint32_t i = 0; i < pages; i++)
		ring->page[i] = memory + i * NVME_PAGE_BYTES;
	return 0;
}
