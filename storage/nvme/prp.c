/* SPDX-License-Identifier: Apache-2.0 */
#include "storage/nvme/prp.h"

#define OFFSET(address)  ((uint32_t)(address) % NVME_PAGE_BYTES)
#define DATA_ALIGNMENT   4u
#define ENTRY_BYTES      8u

struct reader {
	const struct nvme_memory *memory;
	struct nvme_pages *pages;
	uint32_t left; /* bytes of data whose pages are still to be read */
};

/* Takes a page of data; 0 or a status. */
static uint16_t take(struct reader *reader, uint64_t address)
{
	uint32_t bytes = NVME_PAGE_BYTES - OFFSET(address);

	bytes = bytes < reader->left ? bytes : reader->left;
	if (!reader->memory->guest_ram(reader->memory->context, address, bytes))
		return NVME_DATA_TRANSFER_ERROR;
	reader->pages->address[reader->pages->count++] = address;
	reader->left -= bytes;
	return 0;
}

/* The rest of the pages, from the list at `list` on. An entry at a page's end leads to the next list unless it is the last. */
static uint16_t take_list(struct reader *reader, uint64_t list)
{
	while (reader->left) {
		const volatile uint64_t *entry =
			reader->memory->guest_ram(reader->memory->context, list, ENTRY_BYTES);
		uint64_t address;

		if (!entry)
			return NVME_DATA_TRANSFER_ERROR;
		address = *entry;
		if (OFFSET(address))
			return NVME_INVALID_PRP_OFFSET;
		if (OFFSET(list) == NVME_PAGE_BYTES - ENTRY_BYTES && reader->left > NVME_PAGE_BYTES) {
			list = address;
			continue;
		}
		uint16_t status = take(reader, address);

		if (status)
			return status;
		list += ENTRY_BYTES;
	}
	return 0;
}

uint16_t nvme_prp_read(const struct nvme_memory *memory, const struct nvme_command *command, uint32_t bytes,
	struct nvme_pages *pages)
{
	struct reader reader = {memory, pages, bytes};
	uint16_t status;

	pages->count = 0;
	if (command->prp1 % DATA_ALIGNMENT)
		return NVME_INVALID_PRP_OFFSET;
	status = take(&reader, command->prp1);
	if (status || !reader.left)
		return status;
	if (reader.left <= NVME_PAGE_BYTES)
		return OFFSET(command->prp2) ? NVME_INVALID_PRP_OFFSET : take(&reader, command->prp2);
	if (command->prp2 % ENTRY_BYTES)
		return NVME_INVALID_PRP_OFFSET;
	return take_list(&reader, command->prp2);
}

uint32_t nvme_page_bytes(const struct nvme_pages *pages, uint32_t index, uint32_t bytes)
{
	uint32_t first = NVME_PAGE_BYTES - OFFSET(pages->address[0]);
	uint32_t before = index ? first + (index - 1) * NVME_PAGE_BYTES : 0;
	uint32_t room = index ? NVME_PAGE_BYTES : first;

	return bytes - before < room ? bytes - before : room;
}
