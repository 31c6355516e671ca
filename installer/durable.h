/* SPDX-License-Identifier: Apache-2.0 */
/* Small files that must be there after a power cut: written, made durable and read back. */
#ifndef INSTALLER_DURABLE_H
#define INSTALLER_DURABLE_H

#include <stddef.h>

/*
 * Refuses, before any work is done, a file that cannot be made: its folder is not
 * there or not writable, or, unless `replace`, it exists. Returns an exit code.
 */
int durable_check(const char *file, int replace);

/*
 * Writes `file` with mode 0600: as FILE.new first, which is made durable, read back
 * from the medium and compared, then gets its name; the folder is made durable, and
 * the file is read back under its name. A file that is there already stays as it is
 * until then; unless `replace` it is refused. Returns an exit code.
 */
int durable_write(const char *file, const char *text, size_t bytes, int replace);

/* The whole file of at most `most` bytes, with a NUL behind it, to be freed; NULL after an error line. */
char *durable_read(const char *file, size_t most, size_t *bytes);

#endif
