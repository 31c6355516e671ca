/* SPDX-License-Identifier: Apache-2.0 */
#include "keymgmt/tpm2_command.h"
#include "storage/crypt/wipe.h"
#include <string.h>

/* TPM_RH, TPM_RS (part 2, 7.4). */
enum { OWNER = 0x40000001, NO_HANDLE = 0x40000007, PASSWORD_SESSION = 0x40000009 };

enum { POLICY_SESSION = 1 };		     /* TPM_SE (part 2, 6.11) */
enum { ALG_AES = 0x6, ALG_SHA256 = 0xb, ALG_NULL = 0x10, ALG_CFB = 0x43 }; /* TPM_ALG_ID (part 2, 6.3) */

/*
 * TPMT_PUBLIC of systemd's primary keys (part 2, 12.2.4): fixedTPM, fixedParent,
 * sensitiveDataOrigin, userWithAuth, restricted, decrypt; AES-128-CFB below it.
 */
static const uint8_t ecc_template[] = {
	0x00, 0x23, 0x00, 0x0b,		    /* ECC, named by SHA-256 */
	0x00, 0x03, 0x00, 0x72, 0x00, 0x00, /* attributes, no policy */
	0x00, 0x06, 0x00, 0x80, 0x00, 0x43, /* AES, 128 bits, CFB */
	0x00, 0x10, 0x00, 0x03, 0x00, 0x10, /* no scheme, NIST P-256, no KDF */
	0x00, 0x00, 0x00, 0x00,		    /* x and y are the TPM's */
};
static const uint8_t rsa_template[] = {
	0x00, 0x01, 0x00, 0x0b,					/* RSA, named by SHA-256 */
	0x00, 0x03, 0x00, 0x72, 0x00, 0x00,			/* attributes, no policy */
	0x00, 0x06, 0x00, 0x80, 0x00, 0x43,			/* AES, 128 bits, CFB */
	0x00, 0x10, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, /* no scheme, 2048 bits, 65537, the TPM's modulus */
};

#define ECC_FIXED (sizeof(ecc_template) - 4) /* without x and y */

static bool take_coordinate(struct tpm2_reader *public, uint8_t coordinate[P256_BYTES])
{
	struct tpm2_reader number = tpm2_get_sized(public);

	if (number.left > P256_BYTES)
		return false;
	memset(coordinate, 0, P256_BYTES);
	if (number.left)
		memcpy(coordinate + P256_BYTES - number.left, number.at, number.left);
	return true;
}

/* outPublic of TPM2_CreatePrimary (part 3, 24.1): the template with x and y filled in. */
static bool take_point(struct tpm2_reader *parameters, struct p256_point *point)
{
	struct tpm2_reader public = tpm2_get_sized(parameters), fixed = tpm2_get(&public, ECC_FIXED);

	return !fixed.short_of && !memcmp(fixed.at, ecc_template, ECC_FIXED) && take_coordinate(&public, point->x) &&
	       take_coordinate(&public, point->y) && tpm2_at_end(&public);
}

static void put_empty_password(struct tpm2_writer *command)
{
	tpm2_put_session(command, PASSWORD_SESSION, NULL, 0, 0, NULL, 0);
}

enum tpm2_result tpm2_create_primary(struct tpm2 *tpm, enum tpm2_primary kind, struct tpm2_key *key)
{
	struct tpm2_writer command = tpm2_begin(tpm, TPM2_SESSIONS, TPM2_CC_CREATE_PRIMARY);
	struct tpm2_reader response;
	struct tpm2_answer answer;
	enum tpm2_result result;

	tpm2_put32(&command, OWNER);
	put_empty_password(&command);
	tpm2_put_sized(&command, "\0\0\0", 4); /* no authorisation value, no data */
	if (kind == TPM2_PRIMARY_ECC)
		tpm2_put_sized(&command, ecc_template, sizeof(ecc_template));
	else
		tpm2_put_sized(&command, rsa_template, sizeof(rsa_template));
	tpm2_put16(&command, 0); /* nothing from outside */
	tpm2_put32(&command, 0); /* no PCRs to be recorded */
	result = tpm2_run(tpm, &command, &response);
	if (result)
		return result;
	key->handle = tpm2_get32(&response);
	if (!tpm2_take_apart(&response, &answer))
		return TPM2_BAD_ANSWER;
	key->has_point = kind == TPM2_PRIMARY_ECC;
	return !key->has_point || take_point(&answer.parameters, &key->point) ? TPM2_OK : TPM2_BAD_ANSWER;
}

enum tpm2_result tpm2_load(struct tpm2 *tpm, uint32_t parent, const struct tpm2_token *token,
	const uint8_t name[TPM2_NAME_BYTES], uint32_t *handle)
{
	struct tpm2_writer command = tpm2_begin(tpm, TPM2_SESSIONS, TPM2_CC_LOAD);
	struct tpm2_reader response, told;
	struct tpm2_answer answer;
	enum tpm2_result result;

	tpm2_put32(&command, parent);
	put_empty_password(&command);
	tpm2_put(&command, token->blob, token->blob_bytes);
	result = tpm2_run(tpm, &command, &response);
	if (result == TPM2_REFUSED && tpm2_error_number(tpm->refused_code) == TPM2_RC_INTEGRITY)
		return TPM2_OTHER_TPM;
	if (result)
		return result;
	*handle = tpm2_get32(&response);
	if (!tpm2_take_apart(&response, &answer))
		return TPM2_BAD_ANSWER;
	told = tpm2_get_sized(&answer.parameters);
	if (!tpm2_at_end(&answer.parameters) || told.left != TPM2_NAME_BYTES ||
		memcmp(told.at, name, TPM2_NAME_BYTES))
		return TPM2_BAD_ANSWER;
	return TPM2_OK;
}

static enum tpm2_result get_random(struct tpm2 *tpm, uint8_t *bytes, size_t count)
{
	struct tpm2_writer command = tpm2_begin(tpm, TPM2_NO_SESSIONS, TPM2_CC_GET_RANDOM);
	struct tpm2_reader response, random;
	enum tpm2_result result;

	tpm2_put16(&command, (uint16_t)count);
	result = tpm2_run(tpm, &command, &response);
	if (result)
		return result;
	random = tpm2_get_sized(&response);
	if (!tpm2_at_end(&response) || random.left != count)
		return TPM2_BAD_ANSWER;
	memcpy(bytes, random.at, count);
	return TPM2_OK;
}

bool tpm2_keep_nonce(struct tpm2_session *session, const struct tpm2_reader *nonce)
{
	if (nonce->left < TPM2_NONCE_BYTES || nonce->left > sizeof(session->tpm_nonce))
		return false;
	memcpy(session->tpm_nonce, nonce->at, nonce->left);
	session->tpm_nonce_bytes = nonce->left;
	return true;
}

/* What salts a session, and how the TPM is told. */
struct salt {
	bool present;
	uint8_t value[TPM2_POLICY_BYTES], message[TPM2_SALT_BYTES];
};

/* False when the key of the TPM is none. */
static bool make_salt(struct tpm2 *tpm, const struct tpm2_key *to, struct salt *salt)
{
	uint8_t secret[P256_BYTES];
	bool made = true;

	salt->present = to->has_point && tpm->random && tpm->random(tpm->context, secret, sizeof(secret));
	if (salt->present) {
		secret[0] &= 0x7f; /* a private key is below the group's order */
		made = tpm2_make_salt(&to->point, secret, salt->message, salt->value);
	}
	secret_wipe(secret, sizeof(secret));
	return made;
}

/* TPMT_SYM_DEF of what encrypts parameters (part 2, 11.1.6). */
static void put_cipher(struct tpm2_writer *command, bool present)
{
	tpm2_put16(command, present ? ALG_AES : ALG_NULL);
	if (!present)
		return;
	tpm2_put16(command, 128);
	tpm2_put16(command, ALG_CFB);
}

static enum tpm2_result start_policy(
	struct tpm2 *tpm, const struct tpm2_key *to, const struct salt *salt, struct tpm2_session *session)
{
	struct tpm2_writer command = tpm2_begin(tpm, TPM2_NO_SESSIONS, TPM2_CC_START_AUTH_SESSION);
	struct tpm2_reader response, nonce;
	enum tpm2_result result;

	tpm2_put32(&command, salt->present ? to->handle : NO_HANDLE);
	tpm2_put32(&command, NO_HANDLE); /* not bound */
	tpm2_put_sized(&command, session->caller_nonce, sizeof(session->caller_nonce));
	tpm2_put_sized(&command, salt->message, salt->present ? sizeof(salt->message) : 0);
	tpm2_put8(&command, POLICY_SESSION);
	put_cipher(&command, salt->present);
	tpm2_put16(&command, ALG_SHA256);
	result = tpm2_run(tpm, &command, &response);
	if (result)
		return result;
	session->handle = tpm2_get32(&response);
	nonce = tpm2_get_sized(&response);
	return tpm2_at_end(&response) && tpm2_keep_nonce(session, &nonce) ? TPM2_OK : TPM2_BAD_ANSWER;
}

enum tpm2_result tpm2_start_policy(struct tpm2 *tpm, const struct tpm2_key *to, struct tpm2_session *session)
{
	enum tpm2_result result = get_random(tpm, session->caller_nonce, sizeof(session->caller_nonce));
	struct salt salt = {.present = false};

	if (!result && !make_salt(tpm, to, &salt))
		result = TPM2_BAD_ANSWER;
	if (!result)
		result = start_policy(tpm, to, &salt, session);
	if (!result && salt.present)
		tpm2_salt_session(session, salt.value);
	secret_wipe(&salt, sizeof(salt));
	return result;
}

enum tpm2_result tpm2_run_plain(struct tpm2 *tpm, struct tpm2_writer *command)
{
	struct tpm2_reader response;
	enum tpm2_result result = tpm2_run(tpm, command, &response);

	return result ? result : tpm2_at_end(&response) ? TPM2_OK : TPM2_BAD_ANSWER;
}

enum tpm2_result tpm2_policy_pcr(
	struct tpm2 *tpm, const struct tpm2_session *session, enum tpm2_bank bank, uint32_t pcrs)
{
	struct tpm2_writer command = tpm2_begin(tpm, TPM2_NO_SESSIONS, TPM2_CC_POLICY_PCR);

	tpm2_put32(&command, session->handle);
	tpm2_put16(&command, 0); /* no digest: the values the PCRs have now */
	tpm2_put_selection(&command, bank, pcrs);
	return tpm2_run_plain(tpm, &command);
}

enum tpm2_result tpm2_policy_auth_value(struct tpm2 *tpm, const struct tpm2_session *session)
{
	struct tpm2_writer command = tpm2_begin(tpm, TPM2_NO_SESSIONS, TPM2_CC_POLICY_AUTH_VALUE);

	tpm2_put32(&command, session->handle);
	return tpm2_run_plain(tpm, &command);
}

enum tpm2_result tpm2_policy_get_digest(
	struct tpm2 *tpm, const struct tpm2_session *session, uint8_t digest[TPM2_POLICY_BYTES])
{
	struct tpm2_writer command = tpm2_begin(tpm, TPM2_NO_SESSIONS, TPM2_CC_POLICY_GET_DIGEST);
	struct tpm2_reader response, told;
	enum tpm2_result result;

	tpm2_put32(&command, session->handle);
	result = tpm2_run(tpm, &command, &response);
	if (result)
		return result;
	told = tpm2_get_sized(&response);
	if (!tpm2_at_end(&response) || told.left != TPM2_POLICY_BYTES)
		return TPM2_BAD_ANSWER;
	memcpy(digest, told.at, TPM2_POLICY_BYTES);
	return TPM2_OK;
}

void tpm2_flush(struct tpm2 *tpm, uint32_t handle)
{
	struct tpm2_writer command = tpm2_begin(tpm, TPM2_NO_SESSIONS, TPM2_CC_FLUSH_CONTEXT);

	tpm2_put32(&command, handle);
	if (handle)
		tpm2_run_plain(tpm, &command);
}
