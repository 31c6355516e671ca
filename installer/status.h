/* SPDX-License-Identifier: Apache-2.0 */
/* `underseal status TARGET`: what is protected on a disk, read from its headers without any key. */
#ifndef INSTALLER_STATUS_H
#define INSTALLER_STATUS_H

/*
 * Prints a table, or one JSON object. Returns an exit code: EXITS_FAILED also
 * when a volume could not be unlocked as it stands (no valid header, or one that
 * was made for another partition).
 */
int status(const char *target, int json);

#endif
