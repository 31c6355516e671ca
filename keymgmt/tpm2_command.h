/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The TPM commands that an unsealing is made of. Each sends one command and checks
 * its answer whole; handles are written as soon as they are known, so that the
 * caller can flush them whatever the result.
 */
#ifndef KEYMGMT_TPM2_COMMAND_H
#define KEYMGMT_TPM2_COMMAND_H

#include "keymgmt/tpm2_wire.h"

#define TPM2_NONCE_BYTES 16 /* the least a session with SHA-256 takes (part 3, 11.1.1) */

struct tpm2_session {
	uint32_t handle; /* 0: none */
	uint8_t caller_nonce[TPM2_NONCE_BYTES];
	uint8_t tpm_nonce[TPM2_MAX_DIGEST];
	size_t tpm_nonce_bytes;
};

/* The authorisation value of an object, without trailing zeroes (part 1, 19.6.5). */
struct tpm2_auth {
	uint8_t value[TPM2_POLICY_BYTES];
	size_t bytes;
};

/* The primary storage key of the owner hierarchy by systemd's template. */
enum tpm2_result tpm2_create_primary(struct tpm2 *tpm, enum tpm2_primary kind, uint32_t *handle);

/* `name` is what the TPM must call the object. An object of another parent is TPM2_OTHER_TPM. */
enum tpm2_result tpm2_load(struct tpm2 *tpm, uint32_t parent, const struct tpm2_token *token,
	const uint8_t name[TPM2_NAME_BYTES], uint32_t *handle);

/* An unbound, unsalted policy session of SHA-256 with a fresh nonce. */
enum tpm2_result tpm2_start_policy(struct tpm2 *tpm, struct tpm2_session *session);

/* Takes over the nonce that the TPM rolls with every answer of a session (part 1, 19.6.3); false when it cannot be
 * one. */
bool tpm2_keep_nonce(struct tpm2_session *session, const struct tpm2_reader *nonce);

enum tpm2_result tpm2_policy_pcr(
	struct tpm2 *tpm, const struct tpm2_session *session, enum tpm2_bank bank, uint32_t pcrs);
enum tpm2_result tpm2_policy_auth_value(struct tpm2 *tpm, const struct tpm2_session *session);
enum tpm2_result tpm2_policy_get_digest(
	struct tpm2 *tpm, const struct tpm2_session *session, uint8_t digest[TPM2_POLICY_BYTES]);

/*
 * TPM2_Unseal under the session. With `auth` it proves knowledge of it by HMAC in
 * both directions; NULL where the policy does not ask for it.
 */
enum tpm2_result tpm2_unseal_object(struct tpm2 *tpm, uint32_t object, const uint8_t name[TPM2_NAME_BYTES],
	struct tpm2_session *session, const struct tpm2_auth *auth, struct tpm2_secret *secret);

/* Forgets a handle inside the TPM; 0 is none. What fails is not told: there is nothing to be done about it. */
void tpm2_flush(struct tpm2 *tpm, uint32_t handle);

#endif
