/* SPDX-License-Identifier: Apache-2.0 */
#include "installer/fat.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define ENTRY_BYTES   32
#define MOST_CHAIN    4096 /* clusters of a file or directory that are followed */
#define LONG_NAME     0x0f /* attributes */
#define VOLUME_LABEL  0x08
#define DIRECTORY     0x10
#define LONG_LAST     0x40 /* in the number of a long name's piece */
#define LONG_PIECES   20
#define PIECE	      13 /* characters of a piece */

static uint32_t le16(const uint8_t *at)
{
	return at[0] | (uint32_t)at[1] << 8;
}

static uint32_t le32(const uint8_t *at)
{
	return le16(at) | le16(at + 2) << 16;
}

static int read_part(const struct fat *fat, uint64_t offset, void *buffer, size_t bytes)
{
	if (offset > fat->bytes || bytes > fat->bytes - offset)
		return -1;
	return read_at(fat->target->fd, fat->target->path, fat->base + offset, buffer, bytes);
}

static int is_power_of_two(uint32_t value)
{
	return value && !(value & (value - 1));
}

/* Section 3.5: the number of clusters alone says how wide the table's entries are. */
static int measure(struct fat *fat, const uint8_t *boot)
{
	uint32_t sector = le16(boot + 11), reserved = le16(boot + 14), tables = boot[16], roots = le16(boot + 17);
	uint64_t sectors = le16(boot + 19) ? le16(boot + 19) : le32(boot + 32);
	uint64_t table_sectors = le16(boot + 22) ? le16(boot + 22) : le32(boot + 36);
	uint64_t data;

	if (!is_power_of_two(sector) || sector < 512 || sector > 4096 || !is_power_of_two(boot[13]) || !reserved ||
		!tables || !table_sectors)
		return -1;
	fat->cluster_bytes = sector * boot[13];
	fat->table = (uint64_t)reserved * sector;
	fat->root = fat->table + tables * table_sectors * sector;
	fat->root_bytes = (uint64_t)roots * ENTRY_BYTES;
	data = reserved + tables * table_sectors + (fat->root_bytes + sector - 1) / sector;
	fat->data = data * sector;
	if (data >= sectors || sectors * sector > fat->bytes)
		return -1;
	fat->clusters = (uint32_t)((sectors - data) / boot[13]);
	fat->bits = fat->clusters < 4085 ? 12 : fat->clusters < 65525 ? 16 : 32;
	fat->root_cluster = fat->bits == 32 ? le32(boot + 44) : 0;
	return 0;
}

int fat_open(struct fat *fat, const struct target *target, uint64_t base, uint64_t bytes)
{
	uint8_t boot[512];

	*fat = (struct fat){.target = target, .base = base, .bytes = bytes};
	if (read_part(fat, 0, boot, sizeof boot) || boot[510] != 0x55 || boot[511] != 0xaa)
		return -1;
	return measure(fat, boot);
}

/* The cluster behind `cluster` in its chain; 0 at the end, or UINT32_MAX. */
static uint32_t next_cluster(const struct fat *fat, uint32_t cluster)
{
	uint64_t bit = (uint64_t)cluster * fat->bits;
	uint8_t raw[4] = {0};
	uint32_t next;

	if (read_part(fat, fat->table + bit / 8, raw, fat->bits == 32 ? 4 : 2))
		return UINT32_MAX;
	if (fat->bits == 12)
		next = le16(raw) >> (bit % 8 ? 4 : 0) & 0xfff;
	else
		next = fat->bits == 16 ? le16(raw) : le32(raw) & 0x0fffffff;
	if (next >= (0x0ffffff8u & (fat->bits == 32 ? ~0u : (1u << fat->bits) - 1)))
		return 0;
	return next < 2 || next - 2 >= fat->clusters ? UINT32_MAX : next;
}

/* A place in a file or directory, which moves on cluster by cluster. */
struct place {
	uint64_t offset, left; /* of the piece, bytes */
	uint32_t cluster;      /* 0: the root directory of FAT12 and FAT16 */
	unsigned followed;
};

static int at_cluster(const struct fat *fat, struct place *place, uint32_t cluster)
{
	if (cluster < 2 || cluster - 2 >= fat->clusters || place->followed++ == MOST_CHAIN)
		return -1;
	place->cluster = cluster;
	place->offset = fat->data + (uint64_t)(cluster - 2) * fat->cluster_bytes;
	place->left = fat->cluster_bytes;
	return 0;
}

static int begin(const struct fat *fat, struct place *place, const struct fat_entry *directory)
{
	*place = (struct place){.offset = fat->root, .left = fat->root_bytes};
	if (!directory && fat->bits != 32)
		return 0;
	return at_cluster(fat, place, directory ? directory->cluster : fat->root_cluster);
}

/* The next `bytes`, which do not cross a piece's end. Returns 1, 0 at the end, or -1. */
static int take(const struct fat *fat, struct place *place, void *buffer, size_t bytes)
{
	if (!place->left) {
		uint32_t next = place->cluster ? next_cluster(fat, place->cluster) : 0;

		if (!next)
			return 0;
		if (at_cluster(fat, place, next))
			return -1;
	}
	if (bytes > place->left || read_part(fat, place->offset, buffer, bytes))
		return -1;
	place->offset += bytes;
	place->left -= bytes;
	return 1;
}

/* Section 6.1: "README  TXT". */
static void short_name(char name[FAT_NAME], const uint8_t *raw)
{
	unsigned bytes = 0;

	for (unsigned i = 0; i < 11; i++) {
		if (raw[i] == ' ')
			continue;
		if (i >= 8 && !memchr(name, '.', bytes))
			name[bytes++] = '.';
		name[bytes++] = raw[i] < ' ' || raw[i] > '~' ? '?' : (char)raw[i];
	}
	name[bytes] = 0;
}

/* Section 7: a piece of a long name, the last of which comes first. */
static void long_name(char name[FAT_NAME], const uint8_t *raw)
{
	static const uint8_t where[PIECE] = {1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30};
	unsigned number = raw[0] & 0x3f;

	if (raw[0] & LONG_LAST)
		memset(name, 0, FAT_NAME);
	if (!number || number > LONG_PIECES - 1)
		return;
	for (unsigned i = 0; i < PIECE; i++) {
		uint32_t c = le16(raw + where[i]);

		name[(number - 1) * PIECE + i] = c == 0 || c == 0xffff ? 0 : c < ' ' || c > '~' ? '?' : (char)c;
	}
}

int fat_list(const struct fat *fat, const struct fat_entry *directory, fat_visit *visit, void *context)
{
	struct fat_entry entry = {0};
	uint8_t raw[ENTRY_BYTES];
	struct place place;
	int got = begin(fat, &place, directory) ? -1 : 1;

	while (got > 0 && (got = take(fat, &place, raw, sizeof raw)) > 0 && raw[0]) {
		int found;

		if (raw[0] != 0xe5 && (raw[11] & 0x3f) == LONG_NAME) {
			long_name(entry.name, raw);
			continue;
		}
		if (raw[0] != 0xe5 && !(raw[11] & VOLUME_LABEL)) {
			if (!*entry.name)
				short_name(entry.name, raw);
			entry.is_directory = !!(raw[11] & DIRECTORY);
			entry.cluster = le16(raw + 26) | (fat->bits == 32 ? le16(raw + 20) << 16 : 0);
			entry.bytes = le32(raw + 28);
			found = visit(context, &entry);
			if (found)
				return found;
		}
		memset(&entry, 0, sizeof entry);
	}
	return got < 0 ? -1 : 0;
}

long fat_read(const struct fat *fat, const struct fat_entry *file, void *buffer, size_t capacity)
{
	size_t wanted = file->bytes < capacity ? file->bytes : capacity, have = 0;
	struct place place;

	if (!wanted)
		return 0;
	if (begin(fat, &place, file))
		return -1;
	while (have < wanted) {
		size_t piece = wanted - have < fat->cluster_bytes ? wanted - have : fat->cluster_bytes;

		if (take(fat, &place, (char *)buffer + have, piece) != 1)
			return -1;
		have += piece;
	}
	return (long)have;
}

int fat_same_name(const char *a, const char *b)
{
	return !strcasecmp(a, b);
}
