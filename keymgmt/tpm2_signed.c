/* SPDX-License-Identifier: Apache-2.0 */
/* Policies that hold for whatever values of PCRs somebody has signed. */
#include "keymgmt/tpm2_command.h"
#include "storage/crypt/hash.h"
#include <string.h>

enum { OWNER = 0x40000001 };							   /* TPM_RH (part 2, 7.4) */
enum { ALG_RSA = 0x1, ALG_SHA256 = 0xb, ALG_NULL = 0x10, ALG_RSASSA = 0x14 }; /* TPM_ALG_ID (part 2, 6.3) */
enum { USER_WITH_AUTH = 0x40, DECRYPT = 0x20000, SIGN = 0x40000 };		   /* TPMA_OBJECT (part 2, 8.3) */

#define MAX_TICKET (2 + 4 + 2 + TPM2_MAX_DIGEST) /* TPMT_TK_VERIFIED */

struct authority {
	uint32_t handle; /* 0: none */
	uint8_t name[TPM2_NAME_BYTES];
	uint8_t ticket[MAX_TICKET];
	size_t ticket_bytes;
};

static const struct tpm2_signature *find(
	const struct tpm2_signatures *signatures, const struct rsa_key *signer, const uint8_t policy[TPM2_POLICY_BYTES])
{
	for (unsigned i = 0; signatures && i < signatures->count; i++) {
		const struct tpm2_signature *signature = &signatures->signature[i];

		if (!memcmp(signature->signer, signer->fingerprint, sizeof(signature->signer)) &&
			!memcmp(signature->policy, policy, TPM2_POLICY_BYTES))
			return signature;
	}
	return NULL;
}

/* TPM2_LoadExternal of the public key, in the form by which systemd names it in policies. */
static enum tpm2_result load_external(struct tpm2 *tpm, const struct rsa_key *key, struct authority *authority)
{
	struct tpm2_writer command = tpm2_begin(tpm, TPM2_NO_SESSIONS, TPM2_CC_LOAD_EXTERNAL);
	struct tpm2_reader response, name;
	enum tpm2_result result;

	tpm2_put16(&command, 0); /* no private part */
	tpm2_put16(&command, (uint16_t)(2 + 2 + 4 + 2 + 2 + 2 + 2 + 4 + 2 + key->bytes));
	tpm2_put16(&command, ALG_RSA);
	tpm2_put16(&command, ALG_SHA256);
	tpm2_put32(&command, USER_WITH_AUTH | DECRYPT | SIGN);
	tpm2_put16(&command, 0);	/* no policy */
	tpm2_put16(&command, ALG_NULL); /* no cipher below it */
	tpm2_put16(&command, ALG_NULL); /* any scheme */
	tpm2_put16(&command, (uint16_t)(8 * key->bytes));
	tpm2_put32(&command, key->exponent);
	tpm2_put_sized(&command, key->modulus, key->bytes);
	tpm2_put32(&command, OWNER);
	result = tpm2_run(tpm, &command, &response);
	if (result)
		return result;
	authority->handle = tpm2_get32(&response);
	name = tpm2_get_sized(&response);
	if (!tpm2_at_end(&response) || name.left != TPM2_NAME_BYTES)
		return TPM2_BAD_ANSWER;
	memcpy(authority->name, name.at, TPM2_NAME_BYTES);
	return TPM2_OK;
}

/* TPMT_TK_VERIFIED (part 2, 10.7.4), which only the TPM that made it can judge. */
static bool take_ticket(struct tpm2_reader response, struct authority *authority)
{
	const uint8_t *at = response.at;
	size_t bytes = response.left;

	tpm2_get16(&response);
	tpm2_get32(&response);
	tpm2_get_sized(&response);
	if (!tpm2_at_end(&response) || bytes > sizeof(authority->ticket))
		return false;
	memcpy(authority->ticket, at, bytes);
	authority->ticket_bytes = bytes;
	return true;
}

/* TPM2_VerifySignature: the TPM's own word for it is the ticket. */
static enum tpm2_result verify(struct tpm2 *tpm, const struct tpm2_signature *signature, struct authority *authority)
{
	struct tpm2_writer command = tpm2_begin(tpm, TPM2_NO_SESSIONS, TPM2_CC_VERIFY_SIGNATURE);
	struct tpm2_reader response;
	uint8_t digest[SHA256_BYTES];
	enum tpm2_result result;
	struct hash hash;

	hash_init(&hash, HASH_SHA256);
	hash_update(&hash, signature->policy, sizeof(signature->policy));
	hash_final(&hash, digest);
	tpm2_put32(&command, authority->handle);
	tpm2_put_sized(&command, digest, sizeof(digest));
	tpm2_put16(&command, ALG_RSASSA);
	tpm2_put16(&command, ALG_SHA256);
	tpm2_put_sized(&command, signature->data, signature->bytes);
	result = tpm2_run(tpm, &command, &response);
	if (result == TPM2_REFUSED && tpm2_error_number(tpm->refused_code) == TPM2_RC_SIGNATURE)
		return TPM2_NOT_SIGNED;
	if (result)
		return result;
	return take_ticket(response, authority) ? TPM2_OK : TPM2_BAD_ANSWER;
}

static enum tpm2_result policy_authorize(struct tpm2 *tpm, const struct tpm2_session *session,
	const struct tpm2_signature *signature, const struct authority *authority)
{
	struct tpm2_writer command = tpm2_begin(tpm, TPM2_NO_SESSIONS, TPM2_CC_POLICY_AUTHORIZE);

	tpm2_put32(&command, session->handle);
	tpm2_put_sized(&command, signature->policy, sizeof(signature->policy));
	tpm2_put16(&command, 0); /* no qualifier */
	tpm2_put_sized(&command, authority->name, sizeof(authority->name));
	tpm2_put(&command, authority->ticket, authority->ticket_bytes);
	return tpm2_run_plain(tpm, &command);
}

enum tpm2_result tpm2_policy_signed(struct tpm2 *tpm, const struct tpm2_session *session, const struct tpm2_token *token,
	uint32_t *signer)
{
	const struct tpm2_signature *signature = NULL;
	struct authority authority = {.handle = 0};
	uint8_t digest[TPM2_POLICY_BYTES];
	enum tpm2_result result = tpm2_policy_pcr(tpm, session, token->bank, token->signed_pcrs);

	if (!result)
		result = tpm2_policy_get_digest(tpm, session, digest);
	if (!result) {
		signature = find(tpm->signatures, &token->signer, digest);
		result = signature ? load_external(tpm, &token->signer, &authority) : TPM2_NOT_SIGNED;
	}
	if (!result)
		result = verify(tpm, signature, &authority);
	if (!result)
		result = policy_authorize(tpm, session, signature, &authority);
	*signer = authority.handle;
	return result;
}
