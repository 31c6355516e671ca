/* SPDX-License-Identifier: Apache-2.0 */
/* A TPM 2.0 of this system, through tpm2-tss: sealing, and the way for commands of our own. */
#ifndef INSTALLER_TPM2_DEVICE_H
#define INSTALLER_TPM2_DEVICE_H

#include "installer/secrets.h"
#include "keymgmt/tpm2.h"

struct tpm2_device;

/*
 * `name` is a device node, a TCTI string as "swtpm:path=/run/tpm", or NULL for
 * /dev/tpmrm0. Returns an exit code; tpm2_device_close is always allowed, on NULL too.
 */
int tpm2_device_open(struct tpm2_device **device, const char *name);
void tpm2_device_close(struct tpm2_device *device);

/* For the functions of keymgmt/tpm2.h; not while another call here runs. */
struct tpm2 *tpm2_device_commands(struct tpm2_device *device);

/*
 * Seals `secret` under token->policy, with a PIN (or NULL) as systemd does, and fills
 * the token's blob and kind of primary key: ECC, or RSA where the TPM has no ECC. The
 * secret goes to the TPM encrypted. Returns an exit code.
 */
int tpm2_device_seal(struct tpm2_device *device, const struct tpm2_secret *secret, const struct secrets *pin,
	struct tpm2_token *token);

#endif
