/* SPDX-License-Identifier: Apache-2.0 */
#include "installer/pkcs11_secret.h"
#include "installer/exits.h"
#include "keymgmt/base64.h"
#include "storage/port.h"
#include <errno.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <string.h>
#include <sys/random.h>

#define MOST_BYTES 256 /* whose base64 is a passphrase that fits; of a modulus of 4096 bits */

/* In locked memory: the key, and what the token made of its wrapped form. */
struct work {
	uint8_t key[MOST_BYTES], again[PKCS11_WRAPPED];
	size_t bytes;
};

_Static_assert(BASE64_BYTES(MOST_BYTES) < PASSPHRASE_MAX, "the passphrase fits");

static EVP_PKEY_CTX *context_of(EVP_PKEY *key, int (*begin)(EVP_PKEY_CTX *))
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(key, NULL);

	if (context && begin(context) == 1 && EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) == 1)
		return context;
	EVP_PKEY_CTX_free(context);
	return NULL;
}

static int wrap(struct pkcs11_secret *secret, const struct work *work, EVP_PKEY *public)
{
	EVP_PKEY_CTX *context = context_of(public, EVP_PKEY_encrypt_init);
	int ok;

	secret->bytes = sizeof secret->wrapped;
	ok = context && EVP_PKEY_encrypt(context, secret->wrapped, &secret->bytes, work->key, work->bytes) == 1;
	EVP_PKEY_CTX_free(context);
	return ok ? 0 : -1;
}

static int unwrap(const struct pkcs11_secret *secret, struct work *work, EVP_PKEY *private)
{
	EVP_PKEY_CTX *context = context_of(private, EVP_PKEY_decrypt_init);
	size_t bytes = sizeof work->again;
	int ok = context && EVP_PKEY_decrypt(context, work->again, &bytes, secret->wrapped, secret->bytes) == 1 &&
		 bytes == work->bytes && !memcmp(work->again, work->key, bytes);

	EVP_PKEY_CTX_free(context);
	return ok ? 0 : -1;
}

static int make(struct pkcs11_secret *secret, struct work *work, EVP_PKEY *public, EVP_PKEY *private)
{
	size_t bytes = EVP_PKEY_get_size(public) / 2;

	work->bytes = bytes < MOST_BYTES ? bytes : MOST_BYTES;
	if (getrandom(work->key, work->bytes, 0) != (ssize_t)work->bytes)
		log_error("no random numbers: %s", strerror(errno));
	else if (EVP_PKEY_get_size(public) > PKCS11_WRAPPED || wrap(secret, work, public))
		log_error("the new key cannot be wrapped for the token");
	else if (unwrap(secret, work, private))
		log_error("the token does not unwrap what was wrapped for it. Nothing was changed");
	else
		return EXITS_OK;
	return EXITS_FAILED;
}

int pkcs11_secret_make(
	struct pkcs11_secret *secret, struct secrets *new, struct pkcs11 *token, const struct pkcs11_key *key)
{
	struct work *work = secrets_pages(sizeof *work);
	EVP_PKEY *private = work ? pkcs11_private_key(token, key) : NULL;
	int err = private ? make(secret, work, key->public, private) : EXITS_FAILED;

	if (!err)
		new->passphrase_bytes = base64_encode(work->key, work->bytes, (uint8_t *)new->passphrase);
	EVP_PKEY_free(private);
	secrets_pages_free(work, sizeof *work);
	return err;
}
