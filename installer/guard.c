/* SPDX-License-Identifier: Apache-2.0 */
#include "installer/guard.h"
#include "installer/exits.h"
#include "installer/node.h"
#include "installer/remap.h"
#include "storage/port.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static int refuse(const struct target *target, const struct gpt_partition *data, const char *why)
{
	log_error("partition %u of %s %s", data->number, target->path, why);
	return EXITS_REFUSED;
}

static int directory_empty(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	int empty = 1;

	while (dir && empty && (entry = readdir(dir)))
		empty = entry->d_name[0] == '.';
	if (dir)
		closedir(dir);
	return empty;
}

/* Whether some line of /proc/self/mountinfo has major:minor of `device` as its third field. */
static int mounted(dev_t device)
{
	FILE *file = fopen("/proc/self/mountinfo", "re");
	char line[4096];
	unsigned ma, mi;
	int found = 0;

	while (file && !found && fgets(line, sizeof line, file))
		found = sscanf(line, "%*u %*u %u:%u", &ma, &mi) == 2 && makedev(ma, mi) == device;
	if (file)
		fclose(file);
	return found;
}

static int used_as_swap(dev_t device)
{
	FILE *file = fopen("/proc/swaps", "re");
	char line[4096], path[4096];
	struct stat st;
	int found = 0;

	while (file && !found && fgets(line, sizeof line, file))
		found = sscanf(line, "%4095s", path) == 1 && !stat(path, &st) && S_ISBLK(st.st_mode) &&
			st.st_rdev == device;
	if (file)
		fclose(file);
	return found;
}

static int claim_node(const struct target *t, const struct gpt_partition *data, const char *node, int *fd)
{
	char holders[64];
	struct stat st;

	if (stat(node, &st) || !S_ISBLK(st.st_mode)) {
		log_error("%s: %s", node, strerror(errno));
		return EXITS_FAILED;
	}
	if (mounted(st.st_rdev))
		return refuse(t, data, "is mounted; unmount it, or start from a rescue system");
	if (used_as_swap(st.st_rdev))
		return refuse(t, data, "is in use as swap; switch it off with swapoff");
	snprintf(holders, sizeof holders, "/sys/dev/block/%u:%u/holders", major(st.st_rdev),
		minor(st.st_rdev));
	if (!directory_empty(holders))
		return refuse(
			t, data, "is held by another device (LVM, RAID or device-mapper); stop that first");
	*fd = open(node, O_RDWR | O_EXCL | O_CLOEXEC);
	if (*fd >= 0)
		return EXITS_OK;
	if (errno == EBUSY)
		return refuse(t, data, "is in use");
	log_error("%s: %s", node, strerror(errno));
	return EXITS_FAILED;
}

/* A virtual machine locks bytes of its image; a loop device may stand on it. */
static int claim_file(const struct target *t, const struct gpt_partition *data)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	struct stat st, backing;
	char path[NODE_TEXT], file[PATH_MAX];
	int in_use = 0;

	if (fstat(t->fd, &st))
		return EXITS_FAILED;
	for (unsigned i = 0; i < 256 && !in_use; i++) {
		snprintf(path, sizeof path, "/sys/block/loop%u/loop/backing_file", i);
		in_use = !node_first_line(path, file, sizeof file) && !stat(file, &backing) &&
			 backing.st_dev == st.st_dev && backing.st_ino == st.st_ino;
	}
	if (in_use)
		return refuse(t, data, "is in use: a loop device stands on the image");
	if (fcntl(t->fd, F_OFD_SETLK, &lock) && (errno == EAGAIN || errno == EACCES))
		return refuse(t, data, "is in use: another program has locked the image");
	return EXITS_OK;
}

int guard_controller(const struct target *t)
{
	const char *reason = NULL;
	char disk[64];

	if (t->is_block) {
		snprintf(disk, sizeof disk, "dev/block/%u:%u", major(t->device), minor(t->device));
		reason = remap_reason("/sys", disk);
	}
	if (!reason)
		return EXITS_OK;
	log_error("%s %s", t->path, reason);
	return EXITS_REFUSED;
}

int guard_claim(const struct target *t, const struct gpt *gpt, const struct gpt_partition *data, int *fd,
	uint64_t *base)
{
	char node[NODE_TEXT];
	int err;

	*base = gpt_offset(gpt, data);
	if (t->is_block) {
		if (!node_path(t, data->number, node)) {
			*base = 0;
			return claim_node(t, data, node, fd);
		}
		if (mounted(t->device))
			return refuse(t, data, "is in use: the whole disk is mounted");
	} else {
		err = claim_file(t, data);
		if (err)
			return err;
	}
	*fd = fcntl(t->fd, F_DUPFD_CLOEXEC, 0);
	if (*fd >= 0)
		return EXITS_OK;
	log_error("%s: %s", t->path, strerror(errno));
	return EXITS_FAILED;
}

/* The places where a LUKS header of either version begins, bytes. */
static int holds_luks(const struct target *t, uint64_t base, uint64_t bytes, int *found)
{
	static const uint32_t places[] = {
		0, 0x4000, 0x8000, 0x10000, 0x20000, 0x40000, 0x80000, 0x100000, 0x200000, 0x400000};
	char magic[6];

	*found = 0;
	for (size_t i = 0; i < sizeof places / sizeof *places && !*found; i++) {
		if (places[i] + sizeof magic > bytes)
			break;
		if (read_at(t->fd, t->path, base + places[i], magic, sizeof magic))
			return EXITS_FAILED;
		*found = !memcmp(magic, places[i] ? "SKUL\xba\xbe" : "LUKS\xba\xbe", sizeof magic);
	}
	return EXITS_OK;
}

int guard_contents(const struct target *t, const struct gpt *gpt, const struct gpt_partition *data)
{
	int luks;

	if (!strcmp(data->type, GPT_TYPE_ESP))
		return refuse(t, data, "is the EFI system partition, which the firmware must read");
	if (!strcmp(data->type, GPT_TYPE_BIOS))
		return refuse(t, data, "is a BIOS boot partition, which the firmware must read");
	if (!strcmp(data->type, GPT_TYPE_HEADER))
		return refuse(t, data, "is a header partition of underseal");
	if (holds_luks(t, gpt_offset(gpt, data), gpt_bytes(gpt, data), &luks))
		return EXITS_FAILED;
	if (luks)
		return refuse(t, data, "holds a LUKS header: it is encrypted already");
	return EXITS_OK;
}
