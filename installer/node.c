/* SPDX-License-Identifier: Apache-2.0 */
#include "installer/node.h"
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

int node_first_line(const char *path, char *text, size_t capacity)
{
	FILE *file = fopen(path, "re");
	char *got;

	if (!file)
		return -1;
	got = fgets(text, capacity, file);
	fclose(file);
	if (!got)
		return -1;
	text[strcspn(text, "\n")] = 0;
	return 0;
}

int node_path(const struct target *t, unsigned number, char path[NODE_TEXT])
{
	char directory[64], file[PATH_MAX], text[32];
	struct dirent *entry;
	int found = -1;
	DIR *dir;

	if (!t->is_block)
		return -1;
	snprintf(directory, sizeof directory, "/sys/dev/block/%u:%u", major(t->device), minor(t->device));
	dir = opendir(directory);
	while (dir && found && (entry = readdir(dir))) {
		snprintf(file, sizeof file, "%s/%s/partition", directory, entry->d_name);
		if (strlen(entry->d_name) + sizeof "/dev/" <= NODE_TEXT &&
			!node_first_line(file, text, sizeof text) && strtoul(text, NULL, 10) == number) {
			snprintf(path, NODE_TEXT, "/dev/%.*s", NODE_TEXT - 6, entry->d_name);
			found = 0;
		}
	}
	if (dir)
		closedir(dir);
	return found;
}

static void forget(const struct target *t, unsigned number)
{
	char path[NODE_TEXT];
	int fd = node_path(t, number, path) ? -1 : open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	ioctl(fd, BLKFLSBUF, 0);
	close(fd);
}

void node_forget(const struct target *t, unsigned first, unsigned second)
{
	if (!t->is_block)
		return;
	ioctl(t->fd, BLKFLSBUF, 0);
	forget(t, first);
	forget(t, second);
}
