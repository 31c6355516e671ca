/* SPDX-License-Identifier: Apache-2.0 */
/* Where the data of a command lies, as pointers. */
#include "storage/nvme/internal.h"

#define OFFSET(address) ((uint32_t)(address) % NVME_PAGE_BYTES)

/* The page of an address that was checked when the command came; what is the guest's RAM stays so. */
static uint8_t *page_of(const struct nvme *nvme, uint64_t address)
{
	return guest_memory(nvme, address, 1) - OFFSET(address);
}

void buffer_of_pages(const struct nvme *nvme, const struct nvme_pages *pages, struct nvme_buffer *buffer)
{
	buffer->count = pages->count;
	buffer->offset = OFFSET(pages->address[0]);
	for (uint32_t i = 0; i < pages->count; i++)
		buffer->page[i] = page_of(nvme, pages->address[i]);
}

/* A read's pages, from the entries that the device was given. */
void buffer_of_slot(const struct nvme *nvme, const struct nvme_sq *sq, const struct nvme_slot *slot,
	struct nvme_buffer *buffer)
{
	const uint64_t *list = (const uint64_t *)pages_at(&sq->pool, slot->pages == NVME_NO_PAGE ? 0 : slot->pages);

	buffer->offset = OFFSET(slot->command.prp1);
	buffer->count = (buffer->offset + slot->bytes + NVME_PAGE_BYTES - 1) / NVME_PAGE_BYTES;
	buffer->page[0] = page_of(nvme, slot->command.prp1);
	if (buffer->count == 2)
		buffer->page[1] = page_of(nvme, slot->command.prp2);
	else
		for (uint32_t i = 1; i < buffer->count; i++)
			buffer->page[i] = page_of(nvme, list[i - 1]);
}

void buffer_of_pool(const struct nvme_pool *pool, uint16_t first, struct nvme_buffer *buffer)
{
	buffer->count = buffer->offset = 0;
	for (uint16_t page = first; page != NVME_NO_PAGE; page = pool->next[page])
		buffer->page[buffer->count++] = pages_at(pool, page);
}

static void copy(const struct nvme_buffer *buffer, uint8_t *ours, uint32_t bytes, bool out)
{
	for (uint32_t i = 0, offset = buffer->offset; bytes; i++, offset = 0) {
		uint32_t part = NVME_PAGE_BYTES - offset < bytes ? NVME_PAGE_BYTES - offset : bytes;

		if (out)
			memcpy(buffer->page[i] + offset, ours, part);
		else
			memcpy(ours, buffer->page[i] + offset, part);
		ours += part;
		bytes -= part;
	}
}

void buffer_copy_out(const struct nvme_buffer *buffer, const uint8_t *from, uint32_t bytes)
{
	copy(buffer, (uint8_t *)from, bytes, true);
}

void buffer_copy_in(const struct nvme_buffer *buffer, uint8_t *to, uint32_t bytes)
{
	copy(buffer, to, bytes, false);
}
