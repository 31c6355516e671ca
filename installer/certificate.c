/* SPDX-License-Identifier: Apache-2.0 */
#include "installer/certificate.h"
#include "installer/exits.h"
#include "storage/port.h"
#include <errno.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>

#define RSA_LEAST_BITS	 2048
#define CURVE_LEAST_BITS 256

static X509 *parse(FILE *file)
{
	X509 *found = PEM_read_X509(file, NULL, NULL, NULL);

	if (found)
		return found;
	rewind(file);
	return d2i_X509_fp(file, NULL);
}

/* What of the key usage a sender needs who wraps a key for it; 0: of no use for that. */
static uint32_t usage_needed(const EVP_PKEY *key)
{
	int bits = EVP_PKEY_get_bits(key);

	switch (EVP_PKEY_get_base_id(key)) {
	case EVP_PKEY_RSA:
		return bits >= RSA_LEAST_BITS ? KU_KEY_ENCIPHERMENT : 0;
	case EVP_PKEY_EC:
		return bits >= CURVE_LEAST_BITS ? KU_KEY_AGREEMENT : 0;
	}
	return 0;
}

static int check(const char *file, X509 *certificate)
{
	EVP_PKEY *key = X509_get0_pubkey(certificate);
	uint32_t needed = key ? usage_needed(key) : 0;

	if (!needed) {
		log_error("%s: its key is neither RSA of at least %d bits nor on an elliptic curve of at least %d", file,
			RSA_LEAST_BITS, CURVE_LEAST_BITS);
		return EXITS_REFUSED;
	}
	/* Without the extension every use is allowed. */
	if (!(X509_get_key_usage(certificate) & needed)) {
		log_error("%s: its key usage does not allow %s", file,
			needed == KU_KEY_ENCIPHERMENT ? "key encipherment" : "key agreement");
		return EXITS_REFUSED;
	}
	if (X509_cmp_current_time(X509_get0_notAfter(certificate)) < 0)
		log_warning("%s: this certificate has expired", file);
	return EXITS_OK;
}

int certificate_read(const char *name, X509 **certificate)
{
	FILE *file = fopen(name, "re");
	int err;

	*certificate = NULL;
	if (!file) {
		log_error("%s: %s", name, strerror(errno));
		return EXITS_FAILED;
	}
	*certificate = parse(file);
	fclose(file);
	if (!*certificate) {
		log_error("%s: this is no certificate", name);
		return EXITS_FAILED;
	}
	err = check(name, *certificate);
	if (!err)
		return EXITS_OK;
	X509_free(*certificate);
	*certificate = NULL;
	return err;
}

void certificate_free(X509 *certificate)
{
	X509_free(certificate);
}

void certificate_fingerprint(const X509 *certificate, char text[CERTIFICATE_FINGERPRINT])
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned bytes = 0;

	*text = 0;
	if (X509_digest(certificate, EVP_sha256(), digest, &bytes) != 1)
		return;
	for (unsigned i = 0; i < bytes; i++)
		sprintf(text + 2 * i, "%02x", digest[i]);
}

void certificate_subject(const X509 *certificate, char text[CERTIFICATE_SUBJECT])
{
	BIO *out = BIO_new(BIO_s_mem());
	int bytes = 0;

	/* Escapes what is not ASCII, and control characters. */
	if (out && X509_NAME_print_ex(out, X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253) >= 0)
		bytes = BIO_read(out, text, CERTIFICATE_SUBJECT - 1);
	text[bytes > 0 ? bytes : 0] = 0;
	BIO_free(out);
}
