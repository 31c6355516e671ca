/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel's device nodes of a block device's partitions. */
#ifndef INSTALLER_NODE_H
#define INSTALLER_NODE_H

#include "installer/target.h"

#define NODE_TEXT 80

/* The first line of a small file into `text`; 0 or -1. */
int node_first_line(const char *path, char *text, size_t capacity);

/* The path of partition `number` of `target`, as /dev/sda2; -1 when the kernel has none. */
int node_path(const struct target *target, unsigned number, char path[NODE_TEXT]);

/*
 * Lets the kernel forget what it has cached of the disk and of the partitions
 * numbered `first` and `second`: each node has a cache of its own, and we wrote
 * through another one.
 */
void node_forget(const struct target *target, unsigned first, unsigned second);

#endif
