/* SPDX-License-Identifier: Apache-2.0 */
#include "keymgmt/tpm2_session.h"
#include "keymgmt/hmac.h"
#include "storage/crypt/hash.h"
#include "storage/crypt/libcrypto.h"
#include "storage/crypt/wipe.h"
#include <string.h>

#define AES_BYTES 16 /* of a block, and of a key of 128 bits */

/* KDFe: one block of SHA-256 (part 1, 11.4.10.3). A label is hashed with its NUL. */
static void kdfe(const uint8_t shared[P256_BYTES], const char *label, const uint8_t *u, const uint8_t *v,
	uint8_t out[SHA256_BYTES])
{
	static const uint8_t counter[4] = {0, 0, 0, 1};
	struct hash hash;

	hash_init(&hash, HASH_SHA256);
	hash_update(&hash, counter, sizeof(counter));
	hash_update(&hash, shared, P256_BYTES);
	hash_update(&hash, label, strlen(label) + 1);
	hash_update(&hash, u, P256_BYTES);
	hash_update(&hash, v, P256_BYTES);
	hash_final(&hash, out);
}

struct key {
	uint8_t data[2 * TPM2_POLICY_BYTES];
	size_t bytes;
};

/* KDFa: 256 bits, one block of HMAC-SHA-256 (part 1, 11.4.10.2), of the nonces: the TPM's is the newer one. */
static void kdfa(const struct key *key, const char *label, const struct tpm2_session *session, uint8_t out[SHA256_BYTES])
{
	static const uint8_t counter[4] = {0, 0, 0, 1}, bits[4] = {0, 0, 1, 0};
	struct hmac hmac;

	hmac_init(&hmac, HASH_SHA256, key->data, key->bytes);
	hmac_update(&hmac, counter, sizeof(counter));
	hmac_update(&hmac, label, strlen(label) + 1);
	hmac_update(&hmac, session->tpm_nonce, session->tpm_nonce_bytes);
	hmac_update(&hmac, session->caller_nonce, sizeof(session->caller_nonce));
	hmac_update(&hmac, bits, sizeof(bits));
	hmac_final(&hmac, out);
}

bool tpm2_make_salt(const struct p256_point *to, const uint8_t secret[P256_BYTES], uint8_t message[TPM2_SALT_BYTES],
	uint8_t salt[TPM2_POLICY_BYTES])
{
	struct tpm2_writer writer = {.data = message, .capacity = TPM2_SALT_BYTES};
	uint8_t shared[P256_BYTES];
	struct p256_point own;

	if (!p256_agree(secret, to, &own, shared))
		return false;
	kdfe(shared, "SECRET", own.x, to->x, salt);
	secret_wipe(shared, sizeof(shared));
	tpm2_put_sized(&writer, own.x, P256_BYTES);
	tpm2_put_sized(&writer, own.y, P256_BYTES);
	return true;
}

void tpm2_salt_session(struct tpm2_session *session, const uint8_t salt[TPM2_POLICY_BYTES])
{
	struct key key = {.bytes = TPM2_POLICY_BYTES};

	memcpy(key.data, salt, TPM2_POLICY_BYTES);
	kdfa(&key, "ATH", session, session->key);
	session->key_bytes = sizeof(session->key);
	secret_wipe(&key, sizeof(key));
}

/* The session's key, then the authorisation value. */
static struct key both(const struct tpm2_session *session, const struct tpm2_auth *auth)
{
	struct key key = {.bytes = session->key_bytes};

	memcpy(key.data, session->key, session->key_bytes);
	if (auth) {
		memcpy(key.data + key.bytes, auth->value, auth->bytes);
		key.bytes += auth->bytes;
	}
	return key;
}

void tpm2_session_hmac(const struct tpm2_session *session, const struct tpm2_auth *auth, const uint8_t digest[TPM2_POLICY_BYTES],
	bool from_tpm, uint8_t attributes, uint8_t mac[TPM2_POLICY_BYTES])
{
	struct key key = both(session, auth);
	struct hmac hmac;

	hmac_init(&hmac, HASH_SHA256, key.data, key.bytes);
	hmac_update(&hmac, digest, TPM2_POLICY_BYTES);
	/* The nonces, the newer one first. */
	if (from_tpm)
		hmac_update(&hmac, session->tpm_nonce, session->tpm_nonce_bytes);
	hmac_update(&hmac, session->caller_nonce, sizeof(session->caller_nonce));
	if (!from_tpm)
		hmac_update(&hmac, session->tpm_nonce, session->tpm_nonce_bytes);
	hmac_update(&hmac, &attributes, 1);
	hmac_final(&hmac, mac);
	secret_wipe(&key, sizeof(key));
}

/* CFB with a whole block of feedback (SP 800-38A, 6.3). */
static void decrypt_cfb(const struct xts_schedule *schedule, uint8_t feedback[AES_BYTES], uint8_t *data, size_t bytes)
{
	uint8_t stream[AES_BYTES];

	for (size_t i = 0; i < bytes; i++) {
		uint8_t cipher = data[i];

		if (i % AES_BYTES == 0)
			aesni_encrypt(feedback, stream, schedule);
		data[i] ^= stream[i % AES_BYTES];
		feedback[i % AES_BYTES] = cipher;
	}
	secret_wipe(stream, sizeof(stream));
}

void tpm2_session_decrypt(const struct tpm2_session *session, const struct tpm2_auth *auth, uint8_t *data, size_t bytes)
{
	struct key key = both(session, auth);
	struct xts_schedule schedule __attribute__((aligned(16)));
	uint8_t derived[2 * AES_BYTES]; /* the cipher's key, its first feedback */

	kdfa(&key, "CFB", session, derived);
	aesni_set_encrypt_key(derived, 8 * AES_BYTES, &schedule);
	decrypt_cfb(&schedule, derived + AES_BYTES, data, bytes);
	secret_wipe(&key, sizeof(key));
	secret_wipe(derived, sizeof(derived));
	secret_wipe(&schedule, sizeof(schedule));
}
