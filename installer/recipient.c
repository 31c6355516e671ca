/* SPDX-License-Identifier: Apache-2.0 */
#include "installer/recipient.h"
#include "installer/certificate.h"
#include "installer/exits.h"
#include "storage/port.h"
#include <openssl/x509.h>

/* The certificate that names this key, or NULL. */
static X509 *certificate_of(const struct recipient *r, const struct pkcs11_key *key)
{
	if (r->given)
		return EVP_PKEY_eq(X509_get0_pubkey(r->given), key->public) == 1 ? r->given : NULL;
	return key->certificate;
}

static int find(struct recipient *r, const struct envelope *envelope)
{
	r->count = pkcs11_keys(r->token, r->keys);
	for (unsigned i = 0; i < r->count; i++) {
		X509 *certificate = certificate_of(r, &r->keys[i]);

		if (!certificate || !envelope_is_for(envelope, certificate))
			continue;
		r->certificate = certificate;
		r->found = &r->keys[i];
		return EXITS_OK;
	}
	log_error("none of the %u keys that this token shows is one that the key was wrapped for; a key without a certificate "
		  "there needs --certificate",
		r->count);
	return EXITS_REFUSED;
}

int recipient_find(struct recipient *r, const struct envelope *envelope, const char *uri, const char *certificate)
{
	int err = certificate ? certificate_read(certificate, &r->given) : EXITS_OK;

	if (!err)
		err = pkcs11_open(&r->token, uri);
	return err ? err : find(r, envelope);
}

int recipient_login(struct recipient *r, const char *pin_file)
{
	return pkcs11_login(r->token, pin_file);
}

int recipient_unwrap(struct recipient *r, const struct envelope *envelope, uint8_t *content, size_t capacity)
{
	EVP_PKEY *key = pkcs11_private_key(r->token, r->found);
	int bytes = key ? envelope_open(envelope, key, r->certificate, content, capacity) : -1;

	EVP_PKEY_free(key);
	return bytes;
}

void recipient_close(struct recipient *r)
{
	pkcs11_forget(r->keys, r->count);
	certificate_free(r->given);
	pkcs11_close(r->token);
	*r = (struct recipient){0};
}
