/* SPDX-License-Identifier: Apache-2.0 */
/* Whether it is safe to write to a disk beneath everybody who might be using it. */
#ifndef INSTALLER_GUARD_H
#define INSTALLER_GUARD_H

#include "installer/gpt.h"

/* Refuses a disk that the hypervisor could not follow. Returns an exit code. */
int guard_controller(const struct target *target);

/*
 * The partition's own device node of a block device target, opened exclusively
 * so that nobody mounts it meanwhile; for an image file or a disk without nodes,
 * a duplicate of the target's descriptor. Refuses what is mounted, swap, held by
 * another device, or locked by another program. Returns an exit code.
 * *base is where the partition begins in *fd, bytes.
 */
int guard_claim(const struct target *target, const struct gpt *gpt, const struct gpt_partition *data, int *fd,
	uint64_t *base);

/* Refuses a partition that must stay in clear, or that holds LUKS already. Returns an exit code. */
int guard_contents(const struct target *target, const struct gpt *gpt, const struct gpt_partition *data);

#endif
