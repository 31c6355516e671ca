/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cryptographic Message Syntax: a secret for the holders of certificates (RFC 5652,
 * section 6; AES-256-GCM as AuthEnvelopedData, RFC 5083 and 5084, so that damage is
 * found out). RSA recipients by PKCS #1 v1.5, which every card and HSM decrypts;
 * elliptic curves by ECDH and key wrap (RFC 5753). `openssl cms -decrypt` opens it.
 */
#ifndef INSTALLER_ENVELOPE_H
#define INSTALLER_ENVELOPE_H

#include <openssl/types.h>
#include <stddef.h>
#include <stdint.h>

#define ENVELOPE_MOST_RECIPIENTS 8
#define ENVELOPE_MOST_BYTES	 (64 << 10) /* of the DER */

/* DER; no secret in it. */
struct envelope {
	uint8_t *der;
	size_t bytes;
};

/* A piece of what is wrapped. */
struct envelope_part {
	const void *data;
	size_t bytes;
};

/*
 * Wraps the parts, one behind the other, for each of the `count` certificates.
 * Returns an exit code; envelope_free is always allowed after it.
 */
int envelope_seal(struct envelope *envelope, X509 *const *certificates, unsigned count,
	const struct envelope_part *parts, unsigned part_count);
void envelope_free(struct envelope *envelope);

/* The number of its recipients, or -1 when it is none of ours. */
int envelope_recipients(const struct envelope *envelope);

/* Whether the holder of the certificate is a recipient. */
int envelope_is_for(const struct envelope *envelope, X509 *certificate);

/*
 * Unwraps it with the private key of a recipient's certificate. `content` gets at
 * most `capacity` bytes. Returns how many, or -1 when it is not for that key, has
 * been damaged or is too long; `content` is wiped then.
 */
int envelope_open(
	const struct envelope *envelope, EVP_PKEY *key, X509 *certificate, uint8_t *content, size_t capacity);

#endif
