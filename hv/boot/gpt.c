/* SPDX-License-Identifier: Apache-2.0 */
#include "hv/boot/gpt.h"
#include <string.h>

/* UEFI 2.10, table 5.5; little endian. */
struct gpt_header {
	uint8_t signature[8];
	uint32_t revision;
	uint32_t header_bytes;
	uint32_t header_crc;
	uint32_t reserved;
	uint64_t my_lba;
	uint64_t alternate_lba;
	uint64_t first_usable_lba;
	uint64_t last_usable_lba;
	uint8_t disk_guid[16];
	uint64_t entries_lba;
	uint32_t entries;
	uint32_t entry_bytes;
	uint32_t entries_crc;
	uint8_t padding[4];
};

/* UEFI 2.10, table 5.6. */
struct gpt_entry {
	uint8_t type[16], guid[16];
	uint64_t first_lba, last_lba, attributes;
	uint16_t name[36];
};

_Static_assert(offsetof(struct gpt_header, disk_guid) == 56, "on-disk layout");
_Static_assert(offsetof(struct gpt_header, entries_crc) == 88, "on-disk layout");
_Static_assert(sizeof(struct gpt_entry) == 128, "on-disk layout");

#define HEADER_BYTES 92

/* CRC-32 of IEEE 802.3, a bit at a time: a table is not worth its kilobyte for 16 KiB of entries. */
static uint32_t crc32(const void *data, size_t bytes)
{
	const uint8_t *byte = data;
	uint32_t crc = ~0u;

	while (bytes--) {
		crc ^= *byte++;
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
	}
	return ~crc;
}

static bool read_lbas(
	const struct luks2_source *source, uint32_t lba_bytes, uint64_t lba, void *buffer, size_t bytes)
{
	uint64_t lbas = source->bytes / lba_bytes;

	if (lba >= lbas || bytes > (lbas - lba) * lba_bytes)
		return false;
	return source->read(source->context, lba * lba_bytes, buffer, bytes) == 0;
}

/* Reads the sector `lba` to `scratch` and the header out of it; false when it is none. */
static bool read_header(const struct luks2_source *source, uint32_t lba_bytes, uint64_t lba, uint8_t *scratch,
	struct gpt_header *header)
{
	if (!read_lbas(source, lba_bytes, lba, scratch, lba_bytes))
		return false;
	memcpy(header, scratch, sizeof(*header));
	if (memcmp(header->signature, "EFI PART", 8) || header->header_bytes < HEADER_BYTES ||
		header->header_bytes > lba_bytes || header->my_lba != lba)
		return false;
	memset(scratch + offsetof(struct gpt_header, header_crc), 0, 4);
	return crc32(scratch, header->header_bytes) == header->header_crc;
}

static struct gpt_copy copy_of(const struct gpt_header *header)
{
	return (struct gpt_copy){header->my_lba, header->alternate_lba, header->entries_lba};
}

/* The entries are read over the header's sector: what is needed of it was copied before. */
static bool read_at(struct gpt *gpt, const struct luks2_source *source, uint64_t lba, uint8_t *scratch)
{
	struct gpt_header header;
	uint32_t array_bytes;

	if (!read_header(source, gpt->lba_bytes, lba, scratch, &header))
		return false;
	if (header.entry_bytes < sizeof(struct gpt_entry) || header.entry_bytes > 4096 ||
		(header.entry_bytes & (header.entry_bytes - 1)) || header.entries == 0 ||
		header.entries > GPT_TABLE_BYTES / header.entry_bytes)
		return false;
	array_bytes = header.entries * header.entry_bytes;
	if (!read_lbas(source, gpt->lba_bytes, header.entries_lba, scratch, array_bytes) ||
		crc32(scratch, array_bytes) != header.entries_crc)
		return false;
	memcpy(gpt->disk_guid, header.disk_guid, 16);
	gpt->copy[gpt->backup] = copy_of(&header);
	gpt->first_usable_lba = header.first_usable_lba;
	gpt->last_usable_lba = header.last_usable_lba;
	gpt->entries = header.entries;
	gpt->entry_bytes = header.entry_bytes;
	gpt->entry = scratch;
	return true;
}

/* The backup's place, when it belongs to the primary that was read. `sector` is overwritten. */
static void find_backup(struct gpt *gpt, const struct luks2_source *source, uint8_t *sector)
{
	struct gpt_header header;
	uint64_t lba = gpt->copy[0].alternate_lba;

	if (lba > 1 && read_header(source, gpt->lba_bytes, lba, sector, &header) &&
		!memcmp(header.disk_guid, gpt->disk_guid, 16) && header.entries == gpt->entries &&
		header.entry_bytes == gpt->entry_bytes)
		gpt->copy[1] = copy_of(&header);
}

static void find_protective_record(struct gpt *gpt, const struct luks2_source *source, uint8_t *sector)
{
	gpt->protective_record = GPT_NO_RECORD;
	if (!read_lbas(source, gpt->lba_bytes, 0, sector, gpt->lba_bytes) || sector[510] != 0x55 ||
		sector[511] != 0xaa)
		return;
	for (uint32_t record = 0; record < GPT_NO_RECORD; record++)
		if (sector[446 + 16 * record + 4] == 0xee) {
			gpt->protective_record = record;
			return;
		}
}

int gpt_read(struct gpt *gpt, const struct luks2_source *source, uint32_t lba_bytes, void *scratch)
{
	uint8_t *sector = (uint8_t *)scratch + GPT_TABLE_BYTES;

	memset(gpt, 0, sizeof(*gpt));
	if (lba_bytes < 512 || lba_bytes > 4096 || (lba_bytes & (lba_bytes - 1)) ||
		source->bytes < 4 * lba_bytes)
		return -1;
	gpt->lba_bytes = lba_bytes;
	gpt->disk_last_lba = source->bytes / lba_bytes - 1;
	if (!read_at(gpt, source, 1, scratch)) {
		gpt->backup = true;
		if (!read_at(gpt, source, gpt->disk_last_lba, scratch))
			return -1;
	} else {
		find_backup(gpt, source, sector);
	}
	find_protective_record(gpt, source, sector);
	return 0;
}

bool gpt_partition(const struct gpt *gpt, uint32_t index, struct gpt_partition *partition)
{
	static const uint8_t unused[16];
	struct gpt_entry entry;

	memcpy(&entry, gpt->entry + (size_t)index * gpt->entry_bytes, sizeof(entry));
	if (!memcmp(entry.type, unused, 16) || entry.first_lba > entry.last_lba || entry.first_lba < 2 ||
		entry.first_lba < gpt->first_usable_lba || entry.last_lba > gpt->last_usable_lba ||
		entry.last_lba > gpt->disk_last_lba)
		return false;
	memcpy(partition->type, entry.type, 16);
	memcpy(partition->guid, entry.guid, 16);
	partition->first_lba = entry.first_lba;
	partition->last_lba = entry.last_lba;
	memset(partition->name, 0, sizeof(partition->name));
	for (unsigned i = 0; i < 36 && entry.name[i]; i++)
		partition->name[i] = entry.name[i] >= ' ' && entry.name[i] <= '~' ? (char)entry.name[i] : '?';
	return true;
}

bool gpt_find(const struct gpt *gpt, const uint8_t guid[16], struct gpt_partition *partition, uint32_t *index)
{
	struct gpt_partition other;
	unsigned found = 0;

	for (uint32_t i = 0; i < gpt->entries; i++) {
		if (!gpt_partition(gpt, i, &other) || memcmp(other.guid, guid, 16))
			continue;
		*partition = other;
		*index = i;
		found++;
	}
	return found == 1;
}

struct gpt_place gpt_place_of(const struct gpt *gpt, uint32_t data, uint32_t header)
{
	struct gpt_place place = {
		.copy = {gpt->copy[0], gpt->copy[1]},
		.entries = gpt->entries,
		.entry_bytes = gpt->entry_bytes,
		.protective_record = gpt->protective_record,
		.index = {data, header},
	};

	memcpy(place.disk_guid, gpt->disk_guid, sizeof(place.disk_guid));
	for (unsigned i = 0; i < GPT_ENTRIES; i++)
		memcpy(place.entry[i], gpt->entry + (size_t)place.index[i] * gpt->entry_bytes, GPT_ENTRY_BYTES);
	return place;
}
