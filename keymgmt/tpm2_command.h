/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The TPM commands that an unsealing is made of. Each sends one command and checks
 * its answer whole; handles are written as soon as they are known, so that the
 * caller can flush them whatever the result.
 */
#ifndef KEYMGMT_TPM2_COMMAND_H
#define KEYMGMT_TPM2_COMMAND_H

#include "keymgmt/tpm2_session.h"

/* A loaded primary key; of ECC also its public part. */
struct tpm2_key {
	uint32_t handle; /* 0: none */
	bool has_point;
	struct p256_point point;
};

/* The primary storage key of the owner hierarchy by systemd's template. */
enum tpm2_result tpm2_create_primary(struct tpm2 *tpm, enum tpm2_primary kind, struct tpm2_key *key);

/* `name` is what the TPM must call the object. An object of another parent is TPM2_OTHER_TPM. */
enum tpm2_result tpm2_load(struct tpm2 *tpm, uint32_t parent, const struct tpm2_token *token,
	const uint8_t name[TPM2_NAME_BYTES], uint32_t *handle);

/*
 * An unbound policy session of SHA-256 with a fresh nonce. It is salted for `to`, when
 * that is of ECC and there are random bytes that the transport does not see.
 */
enum tpm2_result tpm2_start_policy(struct tpm2 *tpm, const struct tpm2_key *to, struct tpm2_session *session);

/* Takes over the nonce that the TPM rolls with every answer of a session (part 1, 19.6.3); false when it cannot be
 * one. */
bool tpm2_keep_nonce(struct tpm2_session *session, const struct tpm2_reader *nonce);

enum tpm2_result tpm2_policy_pcr(
	struct tpm2 *tpm, const struct tpm2_session *session, enum tpm2_bank bank, uint32_t pcrs);
/*
 * PolicyPCR over the PCRs whose values must be signed, and PolicyAuthorize by one of
 * tpm->signatures that is of what they hold (part 3, 23.16). TPM2_NOT_SIGNED when there
 * is none, or it is wrong. `*signer` is the loaded key then, 0: none.
 */
enum tpm2_result tpm2_policy_signed(struct tpm2 *tpm, const struct tpm2_session *session, const struct tpm2_token *token,
	uint32_t *signer);

enum tpm2_result tpm2_policy_auth_value(struct tpm2 *tpm, const struct tpm2_session *session);
enum tpm2_result tpm2_policy_get_digest(
	struct tpm2 *tpm, const struct tpm2_session *session, uint8_t digest[TPM2_POLICY_BYTES]);

/*
 * TPM2_Unseal under the session, whose key encrypts the secret on its way. With `auth`
 * it proves knowledge of it by HMAC in both directions; NULL where the policy does not
 * ask for it.
 */
enum tpm2_result tpm2_unseal_object(struct tpm2 *tpm, uint32_t object, const uint8_t name[TPM2_NAME_BYTES],
	struct tpm2_session *session, const struct tpm2_auth *auth, struct tpm2_secret *secret);

/* Sends a command whose answer is nothing but success. */
enum tpm2_result tpm2_run_plain(struct tpm2 *tpm, struct tpm2_writer *command);

/* Forgets a handle inside the TPM; 0 is none. What fails is not told: there is nothing to be done about it. */
void tpm2_flush(struct tpm2 *tpm, uint32_t handle);

#endif
