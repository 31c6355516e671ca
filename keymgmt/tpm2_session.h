/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a session computes (part 1, 11.4.10, 18 and 19): the key that both sides derive
 * from a salt, HMACs of commands and answers, and the encryption of an answer's first
 * parameter. A session without a salt has no key: its answers are in clear.
 */
#ifndef KEYMGMT_TPM2_SESSION_H
#define KEYMGMT_TPM2_SESSION_H

#include "keymgmt/p256.h"
#include "keymgmt/tpm2_wire.h"

#define TPM2_NONCE_BYTES 16 /* the least a session with SHA-256 takes (part 3, 11.1.1) */
#define TPM2_SALT_BYTES	 (2 * (2 + P256_BYTES)) /* TPMS_ECC_POINT */

/* TPMA_SESSION (part 2, 8.4). */
enum { TPM2_CONTINUE_SESSION = 1, TPM2_ENCRYPT_ANSWER = 0x40 };

struct tpm2_session {
	uint32_t handle; /* 0: none */
	uint8_t caller_nonce[TPM2_NONCE_BYTES];
	uint8_t tpm_nonce[TPM2_MAX_DIGEST];
	size_t tpm_nonce_bytes;
	uint8_t key[TPM2_POLICY_BYTES];
	size_t key_bytes; /* 0: not salted */
};

/* The authorisation value of an object, without trailing zeroes (part 1, 19.6.5). */
struct tpm2_auth {
	uint8_t value[TPM2_POLICY_BYTES];
	size_t bytes;
};

/*
 * Makes a salt that only the TPM with the private key of `to` learns: `message` tells
 * it, in the form of TPM2_StartAuthSession. `secret` is random and used once. False
 * when `to` or `secret` cannot be one.
 */
bool tpm2_make_salt(const struct p256_point *to, const uint8_t secret[P256_BYTES], uint8_t message[TPM2_SALT_BYTES],
	uint8_t salt[TPM2_POLICY_BYTES]);

/* The session's key, once both nonces are known. */
void tpm2_salt_session(struct tpm2_session *session, const uint8_t salt[TPM2_POLICY_BYTES]);

/*
 * The HMAC of a command or, `from_tpm`, of its answer. `digest` is that of the
 * parameters as they are sent; `auth` is NULL where the policy does not ask for it.
 */
void tpm2_session_hmac(const struct tpm2_session *session, const struct tpm2_auth *auth, const uint8_t digest[TPM2_POLICY_BYTES],
	bool from_tpm, uint8_t attributes, uint8_t mac[TPM2_POLICY_BYTES]);

/* Decrypts the contents of an answer's first parameter in place. `auth` is the object's, or NULL when it has none. */
void tpm2_session_decrypt(const struct tpm2_session *session, const struct tpm2_auth *auth, uint8_t *data, size_t bytes);

#endif
