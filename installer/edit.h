/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The header of one protected partition, to be looked at or changed. A change is
 * made in an image in memory first; only when it has proven to work do the disk's
 * header partition and then both copies of its header get it.
 */
#ifndef INSTALLER_EDIT_H
#define INSTALLER_EDIT_H

#include "installer/volume.h"

struct secrets;

struct edit {
	struct target target;
	struct gpt *gpt;
	struct gpt_partition data, header;
	struct volume volume;
	int claimed[2]; /* descriptors that keep others away from both partitions */
	int image;	/* the header partition in memory */
};

#define EDIT_NONE ((struct edit){.target = {.fd = -1}, .claimed = {-1, -1}, .image = -1})

/*
 * Opens the header of partition `number` of `path`; 0: of the only protected one.
 * Returns an exit code; edit_close is always allowed after it, on an edit that was EDIT_NONE.
 */
int edit_open(struct edit *edit, const char *path, unsigned number);

/*
 * The same with an image that may be changed. Refuses when this system's
 * hypervisor guards the header, while anyone uses either partition or the
 * encryption is not finished, and a header of another partition.
 */
int edit_open_writable(struct edit *edit, const char *path, unsigned number);
void edit_close(struct edit *edit);

/*
 * Whether the boot program opens the image with the passphrase in `secrets`, and
 * stock cryptsetup's library too. Returns an exit code.
 */
int edit_prove(const struct edit *edit, struct secrets *secrets);

#define EDIT_NO_SLOT UINT32_MAX

/*
 * Writes what the image has in the area of key slot `slot` (EDIT_NO_SLOT: only tokens
 * have changed), then its text as both copies. Refuses when the header on the disk is no longer
 * the one that was read, or that was written last. Returns an exit code.
 */
int edit_commit(struct edit *edit, unsigned slot);

/* The header as it now stands on the disk; volume_close is always allowed after it. Returns an exit code. */
int edit_read_back(const struct edit *edit, struct volume *now);

#endif
