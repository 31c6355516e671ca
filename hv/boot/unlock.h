/* SPDX-License-Identifier: Apache-2.0 */
/* Asks for passphrases until every volume is unlocked, given up or the user goes on without. */
#ifndef HV_BOOT_UNLOCK_H
#define HV_BOOT_UNLOCK_H

#include "hv/boot/volume.h"

/*
 * Fills `boot.key` and `unlocked` of the volumes; returns how many are unlocked.
 * A passphrase that opened one is tried on the next before asking again. Wrong
 * ones cost a growing pause. `scratch` is LUKS2_SCRATCH_BYTES.
 */
UINTN unlock_volumes(struct volume *volumes, UINTN count, UINTN tries, VOID *scratch);

#endif
