/* SPDX-License-Identifier: Apache-2.0 */
/* From a token to its secret: primary key, sealed object, policy session, TPM2_Unseal. */
#include "keymgmt/tpm2_command.h"
#include "storage/crypt/hash.h"
#include "storage/crypt/wipe.h"
#include <string.h>

#define STARTS 30 /* a PCR that changes in between makes the session worthless (part 3, 23.7.1) */

const char *tpm2_result_text(enum tpm2_result result)
{
	switch (result) {
	case TPM2_OK:
		return "No error.";
	case TPM2_NO_ANSWER:
		return "The TPM does not answer.";
	case TPM2_BAD_ANSWER:
		return "The TPM gave an answer that makes no sense.";
	case TPM2_BUSY:
		return "The TPM stays busy.";
	case TPM2_REFUSED:
		return "The TPM refused a command.";
	case TPM2_LOCKED_OUT:
		return "The TPM is locked because of wrong PINs; it unlocks itself after some time, often minutes to hours.";
	case TPM2_OTHER_TPM:
		return "The token was made with another TPM, or this one has been cleared since.";
	case TPM2_STATE_DIFFERS:
		return "The measured state of this computer differs from the one the token was made for.";
	case TPM2_NOT_SIGNED:
		return "No valid signature is there for the measured state of this computer (tpm2-pcr-signature.json).";
	case TPM2_POLICY_DIFFERS:
		return "The token is damaged: its policy hash is not that of its sealed key.";
	case TPM2_NEEDS_PIN:
		return "The token needs a PIN.";
	case TPM2_WRONG_PIN:
		return "Wrong PIN.";
	}
	return "Unknown error.";
}

enum { KEYED_HASH = 0x8, NAMED_BY_SHA256 = 0xb }; /* TPM_ALG_ID (part 2, 6.3) */

/* TPMT_PUBLIC (part 2, 12.2.4) up to its policy. */
static const char *check_public(struct tpm2_reader public, const uint8_t policy[TPM2_POLICY_BYTES])
{
	uint16_t type = tpm2_get16(&public), name = tpm2_get16(&public);
	struct tpm2_reader told;

	tpm2_get32(&public); /* attributes: the TPM's to judge */
	told = tpm2_get_sized(&public);
	if (public.short_of || type != KEYED_HASH || name != NAMED_BY_SHA256)
		return "its sealed key is of a kind that is not known";
	if (told.left != TPM2_POLICY_BYTES || memcmp(told.at, policy, TPM2_POLICY_BYTES))
		return "its policy hash is not that of its sealed key";
	return NULL;
}

const char *tpm2_check_blob(const struct tpm2_token *token, uint8_t name[TPM2_NAME_BYTES])
{
	struct tpm2_reader blob = {.at = token->blob, .left = token->blob_bytes};
	struct tpm2_reader private = tpm2_get_sized(&blob), public = tpm2_get_sized(&blob);
	struct hash hash;

	if (!tpm2_at_end(&blob) || !private.left)
		return "its sealed key is incomplete";
	name[0] = 0;
	name[1] = NAMED_BY_SHA256;
	hash_init(&hash, HASH_SHA256);
	hash_update(&hash, public.at, public.left);
	hash_final(&hash, name + 2);
	return check_public(public, token->policy);
}

/* systemd seals with the PIN's SHA-256 as the authorisation value. */
static void auth_of_pin(const void *pin, size_t bytes, struct tpm2_auth *auth)
{
	struct hash hash;

	hash_init(&hash, HASH_SHA256);
	hash_update(&hash, pin, bytes);
	hash_final(&hash, auth->value);
	auth->bytes = sizeof(auth->value);
	while (auth->bytes && !auth->value[auth->bytes - 1])
		auth->bytes--;
}

/* What one attempt has in the TPM. */
struct attempt {
	const struct tpm2_token *token;
	uint8_t name[TPM2_NAME_BYTES];
	struct tpm2_key primary;
	uint32_t object, signer;
	struct tpm2_session session;
};

static enum tpm2_result load(struct tpm2 *tpm, struct attempt *attempt)
{
	enum tpm2_result result = tpm2_create_primary(tpm, attempt->token->primary, &attempt->primary);

	return result ? result
		      : tpm2_load(tpm, attempt->primary.handle, attempt->token, attempt->name, &attempt->object);
}

/* The session's policy becomes the token's, or it is told before the TPM counts a failure. */
static enum tpm2_result meet_policy(struct tpm2 *tpm, struct attempt *attempt)
{
	const struct tpm2_token *token = attempt->token;
	uint8_t digest[TPM2_POLICY_BYTES];
	enum tpm2_result result = tpm2_start_policy(tpm, &attempt->primary, &attempt->session);

	if (!result && token->signed_pcrs)
		result = tpm2_policy_signed(tpm, &attempt->session, token, &attempt->signer);
	if (!result && token->pcrs)
		result = tpm2_policy_pcr(tpm, &attempt->session, token->bank, token->pcrs);
	if (!result && token->pin)
		result = tpm2_policy_auth_value(tpm, &attempt->session);
	if (!result)
		result = tpm2_policy_get_digest(tpm, &attempt->session, digest);
	if (!result && memcmp(digest, token->policy, sizeof(digest)))
		return token->pcrs ? TPM2_STATE_DIFFERS : TPM2_POLICY_DIFFERS;
	return result;
}

static enum tpm2_result unseal_once(
	struct tpm2 *tpm, const struct tpm2_token *token, const struct tpm2_auth *auth, struct tpm2_secret *secret)
{
	struct attempt attempt = {.token = token};
	enum tpm2_result result =
		tpm2_check_blob(token, attempt.name) ? TPM2_POLICY_DIFFERS : load(tpm, &attempt);
	uint32_t command, code;

	if (!result)
		result = meet_policy(tpm, &attempt);
	if (!result && token->pin && !auth)
		result = TPM2_NEEDS_PIN;
	if (!result)
		result = tpm2_unseal_object(tpm, attempt.object, attempt.name, &attempt.session,
			token->pin ? auth : NULL, secret);
	/* The refusal that the result is about is not one of a flush. */
	command = tpm->refused_command;
	code = tpm->refused_code;
	tpm2_flush(tpm, attempt.session.handle);
	tpm2_flush(tpm, attempt.signer);
	tpm2_flush(tpm, attempt.object);
	tpm2_flush(tpm, attempt.primary.handle);
	secret_wipe(&attempt.session, sizeof(attempt.session));
	tpm->refused_command = command;
	tpm->refused_code = code;
	return result;
}

enum tpm2_result tpm2_unseal(struct tpm2 *tpm, const struct tpm2_token *token, const void *pin,
	size_t pin_bytes, struct tpm2_secret *secret)
{
	enum tpm2_result result;
	struct tpm2_auth auth;

	if (pin)
		auth_of_pin(pin, pin_bytes, &auth);
	for (unsigned starts = 0; starts < STARTS; starts++) {
		memset(secret, 0, sizeof(*secret));
		result = unseal_once(tpm, token, pin ? &auth : NULL, secret);
		if (result != TPM2_REFUSED || tpm->refused_code != TPM2_RC_PCR_CHANGED)
			break;
	}
	secret_wipe(&auth, sizeof(auth));
	secret_wipe(tpm->command, sizeof(tpm->command));
	secret_wipe(tpm->response, sizeof(tpm->response));
	if (result)
		secret_wipe(secret, sizeof(*secret));
	return result;
}
