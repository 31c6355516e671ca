/* SPDX-License-Identifier: Apache-2.0 */
/* The machine's TPM 2.0, as its firmware offers it. Boot services only. */
#ifndef HV_BOOT_TPM_H
#define HV_BOOT_TPM_H

#include "hv/boot/tcg2.h"
#include "keymgmt/tpm2.h"

struct tpm {
	struct tcg2 *tcg2;
	UINT32 active_banks; /* TCG2_BANK_*: into these, and no others, the firmware measures */
	struct tpm2 tpm2;    /* its `submit` is the firmware's */
};

/* The TPM, always the same structure; NULL when there is none, or the firmware does not offer it. */
struct tpm *tpm_find(void);

/* Whether the firmware measures into this bank: the PCRs of others mean nothing. */
BOOLEAN tpm_measures(const struct tpm *tpm, enum tpm2_bank bank);

#endif
