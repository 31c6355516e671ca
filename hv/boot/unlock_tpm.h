/* SPDX-License-Identifier: Apache-2.0 */
/* Unlocking with the TPM's tokens, before anything is asked for. */
#ifndef HV_BOOT_UNLOCK_TPM_H
#define HV_BOOT_UNLOCK_TPM_H

#include "hv/boot/policy_file.h"
#include "hv/boot/volume.h"

/*
 * Measures the policy and tries the TPM tokens of each volume in order; for every
 * one that does not open it a sentence says why. PINs are asked for on the console.
 * FALSE when the user goes on without unlocking. `scratch` is LUKS2_SCRATCH_BYTES.
 */
BOOLEAN unlock_with_tpm(struct volume *volumes, UINTN count, const struct policy *policy,
	const struct policy_text *text, VOID *scratch);

#endif
