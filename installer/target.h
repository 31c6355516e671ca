/* SPDX-License-Identifier: Apache-2.0 */
/* The disk that a command works on: a block device or a plain image file. */
#ifndef INSTALLER_TARGET_H
#define INSTALLER_TARGET_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct target {
	const char *path;
	int fd;
	int is_block;
	dev_t device;	    /* is_block only */
	uint64_t bytes;	    /* of the whole disk */
	uint32_t lba_bytes; /* logical sector; of a file, the one its GPT was written with */
};

/* Opens `path`; `writable` 0 or 1. Returns an exit code; target_close is always allowed after it. */
int target_open(struct target *target, const char *path, int writable);
void target_close(struct target *target);

/*
 * Whole transfers at `offset` bytes of `fd`; `name` is for the error line. Each
 * returns 0 or -1 after telling why.
 */
int read_at(int fd, const char *name, uint64_t offset, void *buffer, size_t bytes);
int write_at(int fd, const char *name, uint64_t offset, const void *buffer, size_t bytes);
int sync_file(int fd, const char *name);

/* Where bytes are: a place in an open file, with the file's name for error lines. */
struct span {
	int fd;
	const char *name;
	uint64_t offset;
};

int copy_span(const struct span *from, const struct span *to, uint64_t bytes);

#endif
