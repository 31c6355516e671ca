/* SPDX-License-Identifier: Apache-2.0 */
/* `underseal list`: the key slots and tokens of a protected partition. */
#ifndef INSTALLER_KEYS_H
#define INSTALLER_KEYS_H

/* Prints a table, or one JSON object. `partition` 0: the only protected one. Returns an exit code. */
int keys_list(const char *target, unsigned partition, int json);

#endif
