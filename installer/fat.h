/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading files of a FAT file system in a partition: what the EFI system partition
 * says while nobody has mounted it (Microsoft FAT Specification, 2005; FAT12, FAT16 and FAT32 with long
 * names). Nothing is believed: chains are bounded, and what points outside is an error.
 */
#ifndef INSTALLER_FAT_H
#define INSTALLER_FAT_H

#include "installer/target.h"

#define FAT_NAME 256 /* characters of a name, with the NUL */

struct fat {
	const struct target *target;
	uint64_t base, bytes; /* of the partition */
	unsigned bits;	      /* of an entry of the table: 12, 16 or 32 */
	uint32_t cluster_bytes, clusters;
	uint64_t table, data;  /* where they begin, from the partition's beginning */
	uint64_t root, root_bytes; /* the root directory of FAT12 and FAT16 */
	uint32_t root_cluster;	   /* of FAT32 */
};

struct fat_entry {
	char name[FAT_NAME]; /* other characters than ASCII are '?' */
	int is_directory;
	uint32_t cluster;
	uint32_t bytes;
};

/* Returns 0, or -1 when the partition holds no FAT file system. */
int fat_open(struct fat *fat, const struct target *target, uint64_t base, uint64_t bytes);

/*
 * Calls `visit` for the entries of a directory (NULL: the root) until it returns other
 * than 0, which is returned then. Returns 0 at the end, -1 when it is damaged or cannot be read.
 */
typedef int fat_visit(void *context, const struct fat_entry *entry);
int fat_list(const struct fat *fat, const struct fat_entry *directory, fat_visit *visit, void *context);

/* At most `capacity` bytes of a file's beginning. Returns how many, or -1. */
long fat_read(const struct fat *fat, const struct fat_entry *file, void *buffer, size_t capacity);

/* Whether two names are the same to FAT, which does not mind the case of letters. */
int fat_same_name(const char *a, const char *b);

#endif
