/* SPDX-License-Identifier: Apache-2.0 */
/* The options that say how a key is sealed by a TPM: of enroll --tpm2 and of reseal. */
#ifndef INSTALLER_COMMAND_TPM2_H
#define INSTALLER_COMMAND_TPM2_H

#include "installer/tpm2_slot.h"

enum {
	OPTION_TPM2_PCRS = 512,
	OPTION_TPM2_DEVICE,
	OPTION_EVENT_LOG,
	OPTION_POLICY_FILE,
	OPTION_PIN,
	OPTION_PIN_FILE,
};

/* Takes one of these; -1 when it is none, or after telling what is wrong with it. */
int command_tpm2_option(struct tpm2_slot_options *options, int option);

#endif
