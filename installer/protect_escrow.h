/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INSTALLER_PROTECT_ESCROW_H
#define INSTALLER_PROTECT_ESCROW_H

#include "installer/escrow.h"
#include "installer/volume.h"

/*
 * Keeps the volume key for the certificates that were asked for, if any, of a volume
 * whose encryption has a header and goes on afterwards: the file first, then the token in both copies of the
 * header; each is read back. What an earlier run has kept for them is stored again and
 * compared. `image` is the header in memory, with which it is tried that the boot
 * program opens it; `secrets` holds passphrase and volume key. Returns an exit code.
 */
int protect_escrow(struct escrow *escrow, struct volume *volume, const struct gpt *gpt, int image,
	const struct secrets *secrets);

#endif
