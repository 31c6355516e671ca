/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYMGMT_PKCS11_H
#define KEYMGMT_PKCS11_H

#include "keymgmt/piv.h"

/*
 * A LUKS2 token of type systemd-pkcs11, as `systemd-cryptenroll --pkcs11-token-uri`
 * writes it. The card's RSA key decrypts what it holds; that in base64 is the
 * passphrase of its key slots. Its URI says what a library on some system called
 * the card, and is not looked at.
 */
struct pkcs11_token {
	const char *unusable; /* a clause that says why it cannot be used, or NULL */
	uint32_t keyslots;    /* bit mask */
	uint8_t encrypted[PIV_RSA_BYTES];
};

#endif
