/* SPDX-License-Identifier: Apache-2.0 */
/* A public RSA key in the form in which tools keep it: PEM (RFC 7468) around SubjectPublicKeyInfo (RFC 8017, A.1). */
#ifndef KEYMGMT_RSA_KEY_H
#define KEYMGMT_RSA_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RSA_KEY_MOST_BYTES 512 /* 4096 bits */
#define RSA_KEY_PEM_BYTES  1024

struct rsa_key {
	uint8_t modulus[RSA_KEY_MOST_BYTES]; /* big endian, `bytes` long */
	size_t bytes;			     /* 256, 384 or 512 */
	uint32_t exponent;
	uint8_t fingerprint[32]; /* SHA-256 of RSAPublicKey in DER */
};

/* False when the text, at most RSA_KEY_PEM_BYTES long, is no such key. */
bool rsa_key_read(struct rsa_key *key, const char *pem, size_t bytes);

#endif
