/* SPDX-License-Identifier: Apache-2.0 */
/* Patterns, and memory that is described by PRPs of every form. */
#include "tests/guest/queues/queues.h"

#define OF_LBA  0x9e3779b97f4a7c15ull
#define OF_SALT 0xbf58476d1ce4e5b9ull
#define OF_WORD 0x94d049bb133111ebull

#define WORDS       (BLOCK / 8)
#define MOST_BYTES  (1u << 19)
#define LIST_PAGES  3u

uint8_t *scatter[SCATTER_PAGES], *list_pages;
static uint8_t *flat;

void pattern_fill(uint8_t *data, uint64_t lba, uint32_t blocks, uint64_t salt)
{
	uint64_t *word = (uint64_t *)data;

	for (uint32_t block = 0; block < blocks; block++)
		for (uint64_t i = 0; i < WORDS; i++)
			*word++ = (lba + block) * OF_LBA + salt * OF_SALT + i * OF_WORD;
}

bool pattern_is(const uint8_t *data, uint64_t lba, uint32_t blocks, uint64_t salt)
{
	const uint64_t *word = (const uint64_t *)data;

	for (uint32_t block = 0; block < blocks; block++)
		for (uint64_t i = 0; i < WORDS; i++)
			if (*word++ != (lba + block) * OF_LBA + salt * OF_SALT + i * OF_WORD)
				return false;
	return true;
}

/* Every other page, from the last one to the first: no two lie one behind the other. */
void data_begin(void)
{
	uint8_t *pages = take_memory(2ull * SCATTER_PAGES * PAGE, PAGE);

	for (uint32_t i = 0; i < SCATTER_PAGES; i++)
		scatter[i] = pages + 2ull * (SCATTER_PAGES - 1 - i) * PAGE;
	list_pages = take_memory(LIST_PAGES * PAGE, PAGE);
	flat = take_memory(MOST_BYTES, PAGE);
}

/* The entry at a page's end leads to the next page of the list, unless it is the last that is needed. */
static void fill_list(uint32_t at, uint32_t first, uint32_t pages)
{
	for (uint32_t i = first; i < pages; i++, at += 8) {
		if (at % PAGE == PAGE - 8 && i + 1 < pages) {
			*(uint64_t *)(list_pages + at) = (uint64_t)list_pages + at + 8;
			at += 8;
		}
		*(uint64_t *)(list_pages + at) = (uint64_t)scatter[i];
	}
}

void place_prps(struct nvme_command *command, const struct place *place, uint32_t bytes)
{
	uint32_t pages = (place->offset + bytes + PAGE - 1) / PAGE;

	command->prp1 = (uint64_t)scatter[0] + place->offset;
	command->prp2 = 0;
	if (pages == 2)
		command->prp2 = (uint64_t)scatter[1];
	if (pages <= 2)
		return;
	command->prp2 = (uint64_t)list_pages + place->list;
	fill_list(place->list, 1, pages);
}

void place_copy(const struct place *place, uint8_t *memory, uint32_t bytes, bool out)
{
	for (uint32_t i = 0, offset = place->offset; bytes; i++, offset = 0) {
		uint32_t part = PAGE - offset < bytes ? PAGE - offset : bytes;

		if (out)
			memcpy(memory, scatter[i] + offset, part);
		else
			memcpy(scatter[i] + offset, memory, part);
		memory += part;
		bytes -= part;
	}
}

struct nvme_command transfer(bool write, uint64_t lba, uint32_t blocks)
{
	return (struct nvme_command){
		.opcode = write ? 1 : NVME_READ_OPCODE,
		.nsid = NAMESPACE,
		.cdw10 = (uint32_t)lba,
		.cdw11 = (uint32_t)(lba >> 32),
		.cdw12 = blocks - 1,
	};
}

struct nvme_command with_prps(struct nvme_command command, uint64_t prp1, uint64_t prp2)
{
	command.prp1 = prp1;
	command.prp2 = prp2;
	return command;
}

void write_pattern(struct sq *sq, uint64_t lba, uint32_t blocks, uint64_t salt, const struct place *place)
{
	struct nvme_command command = transfer(true, lba, blocks);
	uint16_t status;

	pattern_fill(flat, lba, blocks, salt);
	place_copy(place, flat, blocks * BLOCK, false);
	place_prps(&command, place, blocks * BLOCK);
	status = command_do(sq, &command, NULL);
	if (status)
		guest_fail("a write of %u blocks at offset %x, list at %x: status %x", blocks, place->offset, place->list, status);
}

void check_pattern(struct sq *sq, uint64_t lba, uint32_t blocks, uint64_t salt, const struct place *place)
{
	struct nvme_command command = transfer(false, lba, blocks);
	uint16_t status;

	memset(flat, 0, blocks * BLOCK);
	place_copy(place, flat, blocks * BLOCK, false);
	place_prps(&command, place, blocks * BLOCK);
	status = command_do(sq, &command, NULL);
	if (status)
		guest_fail("a read of %u blocks at offset %x, list at %x: status %x", blocks, place->offset, place->list, status);
	place_copy(place, flat, blocks * BLOCK, true);
	if (!pattern_is(flat, lba, blocks, salt))
		guest_fail("a read of %u blocks at %lx, offset %x, list at %x: other data", blocks, lba, place->offset,
			   place->list);
}
