/* SPDX-License-Identifier: Apache-2.0 */
/* The recipient of an envelope whose private key is on a smartcard or HSM. */
#ifndef INSTALLER_RECIPIENT_H
#define INSTALLER_RECIPIENT_H

#include "installer/envelope.h"
#include "installer/pkcs11.h"

struct recipient {
	struct pkcs11 *token;
	struct pkcs11_key keys[PKCS11_KEYS];
	unsigned count;
	X509 *given;			/* the certificate of a key that has none on the token */
	X509 *certificate;		/* the recipient's, owned by one of the above */
	const struct pkcs11_key *found;
};

/*
 * Finds, on the token that the URI names, a key that the envelope is for: by its
 * certificate there, or by the one in the file `certificate`, unless NULL. No PIN is
 * needed. Returns an exit code; recipient_close is always allowed after it.
 */
int recipient_find(
	struct recipient *recipient, const struct envelope *envelope, const char *uri, const char *certificate);
int recipient_login(struct recipient *recipient, const char *pin_file);
void recipient_close(struct recipient *recipient);

/* As envelope_open, with the token's private key. */
int recipient_unwrap(
	struct recipient *recipient, const struct envelope *envelope, uint8_t *content, size_t capacity);

#endif
