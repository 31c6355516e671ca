/* SPDX-License-Identifier: Apache-2.0 */
/* Commands of the NVM command set: checked, and made into the device's. */
#include "storage/nvme/internal.h"

#define DSM_DEALLOCATE  (1u << 2)
#define DSM_RANGES(cdw) (((cdw) & 0xff) + 1)
#define PROTECTION_INFO (0xfu << 26) /* CDW12: without meaning, for no format with metadata is let through */
#define DIRECTIVE       (0xfu << 20) /* CDW12: directives are hidden */

struct dsm_range {
	uint32_t attributes, blocks;
	uint64_t lba;
};

/* The device's PRPs of a transfer whose pages are the guest's. False: no page for the list now. */
bool prps_of_guest(const struct nvme *nvme, struct nvme_sq *sq, struct nvme_slot *slot,
	const struct nvme_pages *pages)
{
	uint64_t *list;

	slot->command.prp1 = pages->address[0];
	slot->command.prp2 = pages->count > 1 ? pages->address[1] : 0;
	if (pages->count <= 2)
		return true;
	slot->pages = pages_take(&sq->pool, 1);
	if (slot->pages == NVME_NO_PAGE)
		return false;
	list = (uint64_t *)pages_at(&sq->pool, slot->pages);
	memcpy(list, &pages->address[1], (pages->count - 1) * sizeof(*list));
	slot->command.prp2 = bus_address(nvme, list);
	return true;
}

/* Takes pages of ours for the data, and the list that the device needs. False: not now. */
static bool prps_of_pool(const struct nvme *nvme, struct nvme_sq *sq, struct nvme_slot *slot,
	struct nvme_buffer *buffer)
{
	uint32_t pages = (slot->bytes + NVME_PAGE_BYTES - 1) / NVME_PAGE_BYTES, lists = pages > 2;
	uint64_t *list = NULL;

	slot->pages = pages_take(&sq->pool, pages + lists);
	if (slot->pages == NVME_NO_PAGE)
		return false;
	buffer_of_pool(&sq->pool, lists ? sq->pool.next[slot->pages] : slot->pages, buffer);
	slot->command.prp1 = bus_address(nvme, buffer->page[0]);
	slot->command.prp2 = pages > 1 ? bus_address(nvme, buffer->page[1]) : 0;
	if (!lists)
		return true;
	list = (uint64_t *)pages_at(&sq->pool, slot->pages);
	for (uint32_t i = 1; i < pages; i++)
		list[i - 1] = bus_address(nvme, buffer->page[i]);
	slot->command.prp2 = bus_address(nvme, list);
	return true;
}

/* A read or write: how many bytes, and where they lie. 0 or a status. */
static uint16_t examine(const struct nvme *nvme, struct nvme_slot *slot, struct nvme_pages *pages)
{
	const struct nvme_memory memory = {nvme->env->context, nvme->env->guest_ram};
	struct nvme_command *command = &slot->command;
	uint32_t block = namespace_block(nvme, command->nsid), blocks = nvme_lbas(command);

	if (!block)
		return NVME_INVALID_NAMESPACE | NVME_DO_NOT_RETRY;
	command->cdw12 &= ~PROTECTION_INFO;
	if (command->cdw12 & DIRECTIVE || (uint64_t)blocks * block > NVME_MAX_BYTES)
		return NVME_INVALID_FIELD | NVME_DO_NOT_RETRY;
	if (nvme_lba(command) > UINT64_MAX - blocks)
		return NVME_LBA_OUT_OF_RANGE | NVME_DO_NOT_RETRY;
	slot->bytes = blocks * block;

	uint16_t status = nvme_prp_read(&memory, command, slot->bytes, pages);

	return status ? status | NVME_DO_NOT_RETRY : 0;
}

static bool accept_read(struct nvme *nvme, struct nvme_sq *sq, struct nvme_slot *slot)
{
	struct nvme_pages pages;
	uint16_t status = examine(nvme, slot, &pages);

	if (status) {
		prepare_refusal(nvme, sq, slot, status);
		return true;
	}
	if (!prps_of_guest(nvme, sq, slot, &pages))
		return false;
	slot->kind = NVME_SLOT_READ;
	sq->statistics.bytes_read += slot->bytes;
	return true;
}

/* Whether what was copied leaves the pinned bytes as they are: every page holds whole blocks. */
static bool keeps_pins(const struct disk_map *map, const struct nvme_slot *slot, const struct nvme_buffer *buffer)
{
	uint32_t in_page = NVME_PAGE_BYTES / map->lba_size, left = nvme_lbas(&slot->command);
	uint64_t lba = nvme_lba(&slot->command);

	for (uint32_t i = 0; i < buffer->count; i++, lba += in_page, left -= in_page)
		if (!disk_map_keeps_pins(map, lba, left < in_page ? left : in_page, buffer->page[i]))
			return false;
	return true;
}

/*
 * What is to be encrypted, and what is written to pinned bytes, goes by way of
 * pages of ours; the guest cannot change it any more.
 */
static bool accept_bounced(struct nvme *nvme, struct nvme_sq *sq, struct nvme_slot *slot,
	const struct disk_map *map, const struct nvme_pages *pages, struct cipher_scope *scope)
{
	struct nvme_buffer from, to;

	if (!prps_of_pool(nvme, sq, slot, &to))
		return false;
	buffer_of_pages(nvme, pages, &from);
	nvme_transform(map, true, nvme_lba(&slot->command), nvme_lbas(&slot->command), &from, &to, scope);
	if (disk_map_pinned(map, nvme_lba(&slot->command), nvme_lbas(&slot->command)) && !keeps_pins(map, slot, &to))
		prepare_refusal_since(nvme, sq, slot, NVME_NAMESPACE_WRITE_PROTECTED | NVME_DO_NOT_RETRY,
			"a protected entry of the partition table, or the table's place, would change");
	return true;
}

static bool accept_write(struct nvme *nvme, struct nvme_sq *sq, struct nvme_slot *slot, struct cipher_scope *scope)
{
	const struct disk_map *map = map_of(nvme, slot->command.nsid);
	uint64_t lba = nvme_lba(&slot->command);
	uint32_t blocks = nvme_lbas(&slot->command);
	struct nvme_pages pages;
	uint16_t status = examine(nvme, slot, &pages);
	bool bounced = map && !status &&
		       (disk_map_touches(map, lba, blocks, SECTOR_CIPHERTEXT) || disk_map_pinned(map, lba, blocks));

	if (status) {
		prepare_refusal(nvme, sq, slot, status);
		return true;
	}
	if (map && disk_map_touches(map, lba, blocks, SECTOR_GUARDED)) {
		prepare_refusal_since(nvme, sq, slot, NVME_NAMESPACE_WRITE_PROTECTED | NVME_DO_NOT_RETRY,
			"the header of a volume would be written");
		return true;
	}
	if (!(bounced ? accept_bounced(nvme, sq, slot, map, &pages, scope) : prps_of_guest(nvme, sq, slot, &pages)))
		return false;
	sq->statistics.bytes_written += slot->bytes;
	return true;
}

static bool harmless(const struct disk_map *map, const struct dsm_range *ranges, uint32_t count)
{
	for (uint32_t i = 0; map && i < count; i++) {
		if (!ranges[i].blocks)
			continue;
		if (ranges[i].lba > UINT64_MAX - ranges[i].blocks ||
			disk_map_touches(map, ranges[i].lba, ranges[i].blocks, SECTOR_GUARDED) ||
			disk_map_pinned(map, ranges[i].lba, ranges[i].blocks))
			return false;
	}
	return true;
}

/* Dataset Management: the ranges are copied, and checked where they are to be deallocated. */
static bool accept_trim(struct nvme *nvme, struct nvme_sq *sq, struct nvme_slot *slot)
{
	const struct nvme_memory memory = {nvme->env->context, nvme->env->guest_ram};
	uint32_t count = DSM_RANGES(slot->command.cdw10);
	bool deallocates = slot->command.cdw11 & DSM_DEALLOCATE;
	struct nvme_buffer from, to;
	struct nvme_pages pages;
	uint16_t status;

	slot->bytes = count * sizeof(struct dsm_range);
	status = nvme_prp_read(&memory, &slot->command, slot->bytes, &pages);
	if (status) {
		prepare_refusal(nvme, sq, slot, status | NVME_DO_NOT_RETRY);
		return true;
	}
	if (!prps_of_pool(nvme, sq, slot, &to))
		return false;
	buffer_of_pages(nvme, &pages, &from);
	buffer_copy_in(&from, to.page[0], slot->bytes);
	if (deallocates && nvme->drop_trim)
		prepare_substitute(nvme, sq, slot, 0);
	else if (deallocates && !harmless(map_of(nvme, slot->command.nsid), (struct dsm_range *)to.page[0], count))
		prepare_refusal_since(nvme, sq, slot, NVME_NAMESPACE_WRITE_PROTECTED | NVME_DO_NOT_RETRY,
			"the header of a volume or the partition table would be deallocated");
	return true;
}

bool io_accept(struct nvme *nvme, struct nvme_sq *sq, struct nvme_slot *slot, struct cipher_scope *scope)
{
	uint16_t status;

	switch (nvme_io_class(&slot->command, &status)) {
	case NVME_PASS:
		slot->command.prp1 = slot->command.prp2 = 0;
		return true;
	case NVME_READ:
		return accept_read(nvme, sq, slot);
	case NVME_WRITE:
		return accept_write(nvme, sq, slot, scope);
	case NVME_TRIM:
		return accept_trim(nvme, sq, slot);
	default:
		prepare_refusal(nvme, sq, slot, status);
		return true;
	}
}
