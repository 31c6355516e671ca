/* SPDX-License-Identifier: Apache-2.0 */
/* TPM tokens, then a smartcard's, then passphrases, until every volume is unlocked, given up or the user goes on without. */
#ifndef HV_BOOT_UNLOCK_H
#define HV_BOOT_UNLOCK_H

#include "hv/boot/policy_file.h"
#include "hv/boot/volume.h"

/*
 * Fills `boot.key` and `unlocked` of the volumes; returns how many are unlocked.
 * What neither the TPM nor a smartcard opens is asked for. A passphrase that opened one is tried on
 * the next before asking again; wrong ones cost a growing pause. `text` is what is
 * measured of the policy. `scratch` is LUKS2_SCRATCH_BYTES.
 */
UINTN unlock_volumes(struct volume *volumes, UINTN count, const struct policy *policy,
	const struct policy_text *text, VOID *scratch);

#endif
