/* SPDX-License-Identifier: Apache-2.0 */
#include "installer/target.h"
#include "installer/exits.h"
#include "storage/port.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

int read_at(int fd, const char *name, uint64_t offset, void *buffer, size_t bytes)
{
	for (char *at = buffer; bytes;) {
		ssize_t got = pread(fd, at, bytes, offset);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {
			log_error("%s: reading at byte %llu: %s", name, (unsigned long long)offset,
				got ? strerror(errno) : "the end comes too early");
			return -1;
		}
		at += got;
		offset += got;
		bytes -= got;
	}
	return 0;
}

int write_at(int fd, const char *name, uint64_t offset, const void *buffer, size_t bytes)
{
	for (const char *at = buffer; bytes;) {
		ssize_t put = pwrite(fd, at, bytes, offset);

		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0) {
			log_error("%s: writing at byte %llu: %s", name, (unsigned long long)offset,
				put ? strerror(errno) : "nothing was taken");
			return -1;
		}
		at += put;
		offset += put;
		bytes -= put;
	}
	return 0;
}

int sync_file(int fd, const char *name)
{
	if (!fdatasync(fd))
		return 0;
	log_error("%s: making writes durable: %s", name, strerror(errno));
	return -1;
}

int copy_span(const struct span *from, const struct span *to, uint64_t bytes)
{
	uint8_t buffer[65536];

	for (uint64_t at = 0; at < bytes; at += sizeof buffer) {
		size_t run = bytes - at < sizeof buffer ? bytes - at : sizeof buffer;

		if (read_at(from->fd, from->name, from->offset + at, buffer, run) ||
			write_at(to->fd, to->name, to->offset + at, buffer, run))
			return -1;
	}
	return 0;
}

/* A GPT header stands at LBA 1, so its place tells the sector size an image was made with. */
static uint32_t lba_bytes_of_file(int fd)
{
	char signature[8];

	if (pread(fd, signature, sizeof signature, 512) == sizeof signature &&
		!memcmp(signature, "EFI PART", 8))
		return 512;
	if (pread(fd, signature, sizeof signature, 4096) == sizeof signature &&
		!memcmp(signature, "EFI PART", 8))
		return 4096;
	return 512;
}

static int size_of_block(struct target *t)
{
	int lba_bytes;

	if (ioctl(t->fd, BLKGETSIZE64, &t->bytes) || ioctl(t->fd, BLKSSZGET, &lba_bytes))
		return -1;
	t->lba_bytes = lba_bytes;
	return 0;
}

int target_open(struct target *t, const char *path, int writable)
{
	struct stat st;

	t->path = path;
	t->fd = open(path, (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC);
	if (t->fd < 0 || fstat(t->fd, &st)) {
		log_error("%s: %s", path, strerror(errno));
		return EXITS_FAILED;
	}
	t->is_block = S_ISBLK(st.st_mode);
	t->device = st.st_rdev;
	if (t->is_block && size_of_block(t)) {
		log_error("%s: %s", path, strerror(errno));
		return EXITS_FAILED;
	}
	if (!t->is_block && !S_ISREG(st.st_mode)) {
		log_error("%s is neither a block device nor an image file", path);
		return EXITS_USAGE;
	}
	if (!t->is_block) {
		t->bytes = st.st_size;
		t->lba_bytes = lba_bytes_of_file(t->fd);
	}
	return EXITS_OK;
}

void target_close(struct target *t)
{
	if (t->fd >= 0)
		close(t->fd);
	t->fd = -1;
}
