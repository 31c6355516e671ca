/* SPDX-License-Identifier: Apache-2.0 */
/* TPM2_Unseal, with a proof of the PIN in both directions. */
#include "keymgmt/tpm2_command.h"
#include "storage/crypt/hash.h"
#include "storage/crypt/wipe.h"
#include <string.h>

/* cpHash (part 1, 18.7): the command's code and the object's name, for it has no parameters. */
static void digest_command(const uint8_t name[TPM2_NAME_BYTES], uint8_t digest[SHA256_BYTES])
{
	static const uint8_t code[4] = {0, 0, TPM2_CC_UNSEAL >> 8, TPM2_CC_UNSEAL & 0xff};
	struct hash hash;

	hash_init(&hash, HASH_SHA256);
	hash_update(&hash, code, sizeof(code));
	hash_update(&hash, name, TPM2_NAME_BYTES);
	hash_final(&hash, digest);
}

/* rpHash (part 1, 18.8): success, the command's code, the answer's parameters. */
static void digest_answer(const struct tpm2_reader *parameters, uint8_t digest[SHA256_BYTES])
{
	static const uint8_t codes[8] = {0, 0, 0, 0, 0, 0, TPM2_CC_UNSEAL >> 8, TPM2_CC_UNSEAL & 0xff};
	struct hash hash;

	hash_init(&hash, HASH_SHA256);
	hash_update(&hash, codes, sizeof(codes));
	hash_update(&hash, parameters->at, parameters->left);
	hash_final(&hash, digest);
}

/* Whether the answer comes from somebody who knows the session's key and the authorisation value, and belongs to this
 * command. */
static bool answer_proven(
	struct tpm2_session *session, const struct tpm2_auth *auth, const struct tpm2_answer *answer)
{
	uint8_t digest[SHA256_BYTES], mac[SHA256_BYTES], difference = 0;

	if (!tpm2_keep_nonce(session, &answer->nonce) || answer->hmac.left != sizeof(mac))
		return false;
	digest_answer(&answer->parameters, digest);
	tpm2_session_hmac(session, auth, digest, true, answer->attributes, mac);
	for (size_t i = 0; i < sizeof(mac); i++)
		difference |= mac[i] ^ answer->hmac.at[i];
	secret_wipe(mac, sizeof(mac));
	return !difference;
}

/* Without a key of any kind there is nothing that an HMAC could prove (part 1, 19.6.12). */
static bool proves(const struct tpm2_session *session, const struct tpm2_auth *auth)
{
	return auth || session->key_bytes;
}

static enum tpm2_result take_secret(struct tpm2_session *session, const struct tpm2_auth *auth,
	struct tpm2_reader *response, struct tpm2_secret *secret)
{
	struct tpm2_answer answer;
	struct tpm2_reader data;

	if (!tpm2_take_apart(response, &answer) || (proves(session, auth) && !answer_proven(session, auth, &answer)))
		return TPM2_BAD_ANSWER;
	data = tpm2_get_sized(&answer.parameters);
	if (!tpm2_at_end(&answer.parameters) || !data.left || data.left > sizeof(secret->data))
		return TPM2_BAD_ANSWER;
	memcpy(secret->data, data.at, data.left);
	secret->bytes = data.left;
	if (session->key_bytes)
		tpm2_session_decrypt(session, auth, secret->data, secret->bytes);
	return TPM2_OK;
}

/* What a refusal of TPM2_Unseal means. */
static enum tpm2_result meaning(const struct tpm2 *tpm)
{
	switch (tpm2_error_number(tpm->refused_code)) {
	case TPM2_RC_AUTH_FAIL:
	case TPM2_RC_BAD_AUTH:
		return TPM2_WRONG_PIN;
	case TPM2_RC_POLICY_FAIL:
		return TPM2_POLICY_DIFFERS;
	default:
		return TPM2_REFUSED;
	}
}

enum tpm2_result tpm2_unseal_object(struct tpm2 *tpm, uint32_t object, const uint8_t name[TPM2_NAME_BYTES],
	struct tpm2_session *session, const struct tpm2_auth *auth, struct tpm2_secret *secret)
{
	struct tpm2_writer command = tpm2_begin(tpm, TPM2_SESSIONS, TPM2_CC_UNSEAL);
	uint8_t attributes = TPM2_CONTINUE_SESSION | (session->key_bytes ? TPM2_ENCRYPT_ANSWER : 0);
	uint8_t digest[SHA256_BYTES], mac[SHA256_BYTES];
	struct tpm2_reader response;
	enum tpm2_result result;

	tpm2_put32(&command, object);
	if (proves(session, auth)) {
		digest_command(name, digest);
		tpm2_session_hmac(session, auth, digest, false, attributes, mac);
		tpm2_put_session(&command, session->handle, session->caller_nonce, sizeof(session->caller_nonce),
			attributes, mac, sizeof(mac));
		secret_wipe(mac, sizeof(mac));
	} else {
		tpm2_put_session(&command, session->handle, NULL, 0, attributes, NULL, 0);
	}
	result = tpm2_run(tpm, &command, &response);
	if (result == TPM2_REFUSED)
		return meaning(tpm);
	return result ? result : take_secret(session, auth, &response, secret);
}
