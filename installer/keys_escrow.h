/* SPDX-License-Identifier: Apache-2.0 */
/* The steps of an escrow of a header that is being changed. */
#ifndef INSTALLER_KEYS_ESCROW_H
#define INSTALLER_KEYS_ESCROW_H

#include "installer/edit.h"
#include "installer/escrow.h"

/* escrow_seal for this header; and the token into its image. Each returns an exit code. */
int keys_escrow_seal(const struct edit *edit, struct escrow *escrow, const struct secrets *secrets);

/* escrow_check_token on what the disk has by now. */
int keys_escrow_check(const struct edit *edit, const struct escrow *escrow);

#endif
