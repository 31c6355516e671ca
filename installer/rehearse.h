/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Before the first sector is encrypted: what the boot program will find at the
 * end is made on a copy of the header, and opened with the boot program's own
 * code. A header it could not read or unlock is found out while nothing is lost.
 */
#ifndef INSTALLER_REHEARSE_H
#define INSTALLER_REHEARSE_H

#include "installer/header.h"
#include "storage/volume/luks2.h"

/*
 * `image` is what header_make made with `options`; `secrets` holds passphrase and
 * volume key, and the same key must come out. Returns an exit code.
 */
int rehearse_unlock(int image, const struct header_options *options, const struct secrets *secrets);

/* What the boot program makes of the header in the `bytes` of `image`. Returns an exit code. */
int rehearse_read(int image, uint64_t bytes, struct luks2 *header);

#endif
