/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A random key for a slot that a smartcard or HSM keeps, as systemd-cryptenroll 252
 * makes it: half as many random bytes as the RSA modulus has, PKCS #1 v1.5 for the
 * token's key; the slot's passphrase is their base64.
 */
#ifndef INSTALLER_PKCS11_SECRET_H
#define INSTALLER_PKCS11_SECRET_H

#include "installer/pkcs11.h"

#define PKCS11_WRAPPED 1024 /* bytes that the largest modulus has */

struct pkcs11_secret {
	uint8_t wrapped[PKCS11_WRAPPED];
	size_t bytes;
};

/*
 * Makes a key: its base64 is the passphrase of `new`, and `secret` what it is wrapped as.
 * The token, which must be logged in, has to unwrap it again. Returns an exit code.
 */
int pkcs11_secret_make(
	struct pkcs11_secret *secret, struct secrets *new, struct pkcs11 *token, const struct pkcs11_key *key);

#endif
