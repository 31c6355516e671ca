/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys on smartcards and HSMs: PKCS #11 (version 2.40) through the modules that
 * p11-kit knows, found by URI (RFC 7512).
 */
#ifndef INSTALLER_PKCS11_H
#define INSTALLER_PKCS11_H

#include "installer/secrets.h"
#include <openssl/types.h>

#define PKCS11_KEYS	 32  /* of one token that are looked at */
#define PKCS11_ID_BYTES	 64  /* longer CKA_IDs are cut, and match nothing */
#define PKCS11_URI_BYTES 512 /* with the NUL */

struct pkcs11; /* a session with one token */

/* A key pair as its public part shows it. */
struct pkcs11_key {
	uint8_t id[PKCS11_ID_BYTES];
	size_t id_bytes;
	X509 *certificate; /* NULL: the token has none for it */
	EVP_PKEY *public;
};

/*
 * Opens the one token that `uri` names. Returns an exit code; pkcs11_close is always
 * allowed after it, and logs out.
 */
int pkcs11_open(struct pkcs11 **token, const char *uri);
void pkcs11_close(struct pkcs11 *token);

/*
 * Logs in with the PIN from `file`, or asked for on the terminal; nothing is asked
 * where the token has a PIN pad or no PIN. One try. Returns an exit code.
 */
int pkcs11_login(struct pkcs11 *token, const char *file);

/*
 * The key pairs with a certificate or a public key that the URI does not exclude, at most
 * PKCS11_KEYS. pkcs11_forget lets go of them.
 */
unsigned pkcs11_keys(struct pkcs11 *token, struct pkcs11_key keys[PKCS11_KEYS]);
void pkcs11_forget(struct pkcs11_key *keys, unsigned count);

int pkcs11_key_is_rsa(const struct pkcs11_key *key);

/* The URI of that key on this very token. Returns 0 or -1. */
int pkcs11_key_uri(struct pkcs11 *token, const struct pkcs11_key *key, char uri[PKCS11_URI_BYTES]);

/*
 * The private key as one of libcrypto's: what it decrypts or derives is done by the token, which must
 * outlive it. NULL after an error line: the token has none that may.
 */
EVP_PKEY *pkcs11_private_key(struct pkcs11 *token, const struct pkcs11_key *key);

#endif
