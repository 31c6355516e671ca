/* SPDX-License-Identifier: Apache-2.0 */
/* Unlocking with a smartcard's tokens, after the TPM's and before a passphrase is asked for. */
#ifndef HV_BOOT_UNLOCK_CARD_H
#define HV_BOOT_UNLOCK_CARD_H

#include "hv/boot/policy.h"
#include "hv/boot/volume.h"

/*
 * Looks for a PIV card in the readers when a locked volume has a token for one, asks
 * for its PIN and tries the tokens. For everything that does not come off a sentence
 * says why. The last try that the card has for its PIN is never taken. The card is
 * without power afterwards. FALSE when the user goes on without unlocking. `scratch`
 * is LUKS2_SCRATCH_BYTES.
 */
BOOLEAN unlock_with_card(struct volume *volumes, UINTN count, const struct policy *policy, VOID *scratch);

#endif
