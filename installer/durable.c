/* SPDX-License-Identifier: Apache-2.0 */
#include "installer/durable.h"
#include "installer/exits.h"
#include "installer/target.h"
#include "storage/port.h"
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int fail(const char *file)
{
	log_error("%s: %s", file, strerror(errno));
	return EXITS_FAILED;
}

static int refuse_existing(const char *file)
{
	log_error("%s exists already, and might be the only copy of a key; give another name", file);
	return EXITS_REFUSED;
}

static const char *folder_of(const char *file, char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, "%s", file);
	return dirname(path);
}

int durable_check(const char *file, int replace)
{
	char path[PATH_MAX];
	const char *folder = folder_of(file, path);

	if (strlen(file) > PATH_MAX - 8) {
		errno = ENAMETOOLONG;
		return fail("the file's name");
	}
	if (!replace && !access(file, F_OK))
		return refuse_existing(file);
	return access(folder, W_OK | X_OK) ? fail(folder) : EXITS_OK;
}

/* What the medium has, not what the cache of the system still knows. */
static int compare(const char *file, const char *text, size_t bytes)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	char *read_back = malloc(bytes + 1);
	int err = EXITS_FAILED;

	if (fd < 0 || !read_back)
		fail(file);
	else if (posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) || pread(fd, read_back, bytes + 1, 0) != (ssize_t)bytes ||
		 memcmp(read_back, text, bytes))
		log_error("%s: what was written cannot be read back", file);
	else
		err = EXITS_OK;
	free(read_back);
	if (fd >= 0)
		close(fd);
	return err;
}

static int write_new(const char *file, const char *text, size_t bytes)
{
	int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	int err = EXITS_FAILED;

	if (fd < 0)
		return fail(file);
	if (!fchmod(fd, 0600) && !write_at(fd, file, 0, text, bytes) && !sync_file(fd, file))
		err = EXITS_OK;
	close(fd);
	return err;
}

/* File systems that know no flags are asked without. */
static int give_name(const char *from, const char *to, int replace)
{
	if (!renameat2(AT_FDCWD, from, AT_FDCWD, to, replace ? 0 : RENAME_NOREPLACE))
		return EXITS_OK;
	if (errno == EEXIST)
		return refuse_existing(to);
	if (errno != EINVAL)
		return fail(to);
	if (!access(to, F_OK))
		return refuse_existing(to);
	return rename(from, to) ? fail(to) : EXITS_OK;
}

static int sync_folder(const char *file)
{
	char path[PATH_MAX];
	const char *folder = folder_of(file, path);
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int err = fd < 0 ? fail(folder) : sync_file(fd, folder) ? EXITS_FAILED : EXITS_OK;

	if (fd >= 0)
		close(fd);
	return err;
}

int durable_write(const char *file, const char *text, size_t bytes, int replace)
{
	char new[PATH_MAX];
	int err = durable_check(file, replace);

	if (err)
		return err;
	snprintf(new, sizeof new, "%s.new", file);
	err = write_new(new, text, bytes);
	if (!err)
		err = compare(new, text, bytes);
	if (!err)
		err = give_name(new, file, replace);
	if (err) {
		unlink(new);
		return err;
	}
	err = sync_folder(file);
	return err ? err : compare(file, text, bytes);
}

char *durable_read(const char *file, size_t most, size_t *bytes)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	char *text = malloc(most + 2);
	ssize_t got = fd < 0 || !text ? -1 : pread(fd, text, most + 1, 0);

	if (got < 0)
		fail(file);
	else if ((size_t)got > most)
		log_error("%s: larger than %zu bytes", file, most);
	if (fd >= 0)
		close(fd);
	if (got < 0 || (size_t)got > most) {
		free(text);
		return NULL;
	}
	text[got] = 0;
	*bytes = got;
	return text;
}
