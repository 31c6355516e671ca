# SPDX-License-Identifier: Apache-2.0
# Sourced by the tests of interrupted changes: stop.so ends a command in the middle of a write.
cat >stop.c <<'END'
/* Write number STOP to the file `disk` is torn: then the process ends, or with FAIL gets an error. */
#define pwrite pwrite_of_libc
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#undef pwrite
static int to_disk(int fd)
{
	char link[64], path[512];
	ssize_t length;

	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	length = readlink(link, path, sizeof path - 1);
	path[length > 0 ? length : 0] = 0;
	return length > 5 && !strcmp(path + length - 5, "/disk");
}
ssize_t pwrite(int fd, const void *buffer, size_t bytes, off_t offset)
{
	static int count;

	if (!to_disk(fd) || !getenv("STOP") || ++count != atoi(getenv("STOP")))
		return syscall(SYS_pwrite64, fd, buffer, bytes, offset);
	syscall(SYS_pwrite64, fd, buffer, bytes / 8, offset);
	if (!getenv("FAIL"))
		_exit(99);
	errno = EIO;
	return -1;
}
ssize_t pwrite64(int fd, const void *buffer, size_t bytes, off_t offset) __attribute__((alias("pwrite")));
END
gcc -shared -fPIC -O1 -o stop.so stop.c
