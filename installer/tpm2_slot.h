/* SPDX-License-Identifier: Apache-2.0 */
/* Key slots that a TPM 2.0 opens at the start of the computer, by a token of systemd's and a record of ours. */
#ifndef INSTALLER_TPM2_SLOT_H
#define INSTALLER_TPM2_SLOT_H

#include "installer/edit.h"
#include "installer/measured.h"

struct tpm2_slot_options {
	const char *device; /* NULL: this computer's; see installer/tpm2_device.h */
	struct measured_options measured;
	int pin;
	const char *pin_file; /* NULL: ask */
};

/*
 * Adds a slot to the edit's image with a random key that the TPM has sealed, and two
 * tokens: systemd-tpm2, and underseal-pcrs with the values of the PCRs. Then the boot
 * program's own code opens the slot, and has the TPM load the sealed key. `key` holds
 * the volume key. Returns an exit code; nothing on the disk has changed.
 */
int tpm2_slot_add(struct edit *edit, const struct tpm2_slot_options *options, const struct secrets *key, unsigned *slot);

/* In a system above the hypervisor, where no header can be changed: what to take along to where it can. */
void tpm2_slot_tell_way(const struct edit *edit);

#endif
