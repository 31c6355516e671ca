/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unsealing against what a real TPM has answered: the same commands byte for byte,
 * what its refusals mean, and that no PIN is sent.
 */
#include "storage/crypt/hash.h"
#include "tests/unit/tpm2_replay.h"

static const struct recording *const recordings[] = {&recorded_ecc, &recorded_ecc_pin, &recorded_rsa,
	&recorded_salted, &recorded_salted_pin, &recorded_signed};

#define RECORDINGS (sizeof(recordings) / sizeof(recordings[0]))

static void recorded_secrets(void **state)
{
	(void)state;
	for (size_t i = 0; i < RECORDINGS; i++) {
		begin(recordings[i]);
		replay.strict = true;
		assert_int_equal(unseal(), TPM2_OK);
		assert_true(secret_is_right());
		assert_int_equal(replay.sent[TPM2_CC_FLUSH_CONTEXT], recordings[i]->signatures ? 4 : 3);
	}
}

/* Neither the PIN nor the authorisation value that stands for it is in any command. */
static void pin_is_never_sent(void **state)
{
	uint8_t command[REPLAY_BYTES], auth[SHA256_BYTES];
	struct hash hash;

	(void)state;
	hash_init(&hash, HASH_SHA256);
	hash_update(&hash, "1234", 4);
	hash_final(&hash, auth);
	for (unsigned i = 0; recorded_ecc_pin.exchange[i].command; i++) {
		size_t bytes = replay_bytes_of(recorded_ecc_pin.exchange[i].command, command);

		assert_null(memmem(command, bytes, "1234", 4));
		assert_null(memmem(command, bytes, auth, 8));
	}
}

static bool on_the_wires(const struct recording *recording)
{
	for (unsigned i = 0; recording->exchange[i].command; i++)
		if (strstr(recording->exchange[i].command, recording->secret) ||
			strstr(recording->exchange[i].response, recording->secret))
			return true;
	return false;
}

/* What a probe between processor and TPM sees. */
static void salted_secrets_are_never_sent(void **state)
{
	(void)state;
	assert_true(on_the_wires(&recorded_ecc) && on_the_wires(&recorded_rsa));
	assert_false(on_the_wires(&recorded_salted) || on_the_wires(&recorded_salted_pin));
}

static bool no_random(void *context, uint8_t *bytes, size_t count)
{
	(void)context;
	memset(bytes, 0x5a, count);
	return false;
}

/* Where there are no random bytes, and for RSA: as without a salt. */
static void not_salted(void **state)
{
	(void)state;
	begin(&recorded_ecc);
	replay.strict = true;
	tpm.random = no_random;
	assert_int_equal(unseal(), TPM2_OK);
	begin(&recorded_rsa);
	replay.strict = true;
	tpm.random = replay_random;
	assert_int_equal(unseal(), TPM2_OK);
}

/* A key that is no point of the curve is not used, in clear neither. */
static void a_salt_needs_a_point(void **state)
{
	(void)state;
	begin(&recorded_salted);
	replay.change = flip;
	replay.on = TPM2_CC_CREATE_PRIMARY;
	replay.at = 10 + 4 + 4 + 2 + 22 + 2 + 5;
	replay.mask = 1;
	assert_int_equal(unseal(), TPM2_BAD_ANSWER);
	assert_int_equal(replay.sent[TPM2_CC_START_AUTH_SESSION], 0);
}

/* Without a PIN the token is not tried: the TPM would count it. */
static void pin_is_asked_for_last(void **state)
{
	struct tpm2_token token = replay_token(&recorded_ecc_pin);

	(void)state;
	begin(&recorded_ecc_pin);
	assert_int_equal(tpm2_unseal(&tpm, &token, NULL, 0, &secret), TPM2_NEEDS_PIN);
	assert_clean(TPM2_NEEDS_PIN);
	assert_int_equal(replay.sent[TPM2_CC_POLICY_GET_DIGEST], 1);
	assert_int_equal(replay.sent[TPM2_CC_UNSEAL], 0);
}

/* ---- refusals ---- */

static int refuse(struct replay *self, uint32_t code, uint8_t *response, size_t *bytes)
{
	if (code != self->on || !self->left)
		return 0;
	self->left--;
	memcpy(response, "\x80\x01\0\0\0\x0a", 6);
	for (int i = 0; i < 4; i++)
		response[6 + i] = (uint8_t)(self->rc >> (24 - 8 * i));
	*bytes = 10;
	return 0;
}

static enum tpm2_result refused(uint32_t on, uint32_t rc, unsigned times)
{
	begin(&recorded_ecc_pin);
	replay.change = refuse;
	replay.on = on;
	replay.rc = rc;
	replay.left = times;
	return unseal();
}

static const uint32_t commands[] = {TPM2_CC_CREATE_PRIMARY, TPM2_CC_LOAD, TPM2_CC_GET_RANDOM, TPM2_CC_START_AUTH_SESSION,
	TPM2_CC_POLICY_PCR, TPM2_CC_POLICY_AUTH_VALUE, TPM2_CC_POLICY_GET_DIGEST, TPM2_CC_UNSEAL};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void a_busy_tpm_is_asked_again(void **state)
{
	static const uint32_t codes[] = {TPM2_RC_RETRY, TPM2_RC_YIELDED, TPM2_RC_TESTING};

	(void)state;
	for (size_t i = 0; i < COMMANDS; i++)
		for (size_t c = 0; c < 3; c++) {
			assert_int_equal(refused(commands[i], codes[c], 5), TPM2_OK);
			assert_int_equal(replay.pauses, 5);
			assert_int_equal(refused(commands[i], codes[c], 100000), TPM2_BUSY);
			assert_true(replay.pauses < 1000);
		}
}

static void what_refusals_mean(void **state)
{
	(void)state;
	for (size_t i = 0; i < COMMANDS; i++) {
		assert_int_equal(refused(commands[i], TPM2_RC_LOCKOUT, 1), TPM2_LOCKED_OUT);
		assert_int_equal(refused(commands[i], 0x101, 1), TPM2_REFUSED);
		assert_int_equal(tpm.refused_code, 0x101);
		assert_int_equal(tpm.refused_command, commands[i]);
	}
	assert_int_equal(refused(TPM2_CC_LOAD, 0x1df, 1), TPM2_OTHER_TPM);
	assert_int_equal(refused(TPM2_CC_UNSEAL, 0x98e, 1), TPM2_WRONG_PIN);
	assert_int_equal(refused(TPM2_CC_UNSEAL, 0x9a2, 1), TPM2_WRONG_PIN);
	assert_int_equal(refused(TPM2_CC_UNSEAL, 0x99d, 1), TPM2_POLICY_DIFFERS);
	assert_int_equal(refused(TPM2_CC_CREATE_PRIMARY, 0x9a2, 1), TPM2_REFUSED);
}

static void a_changing_pcr_starts_anew(void **state)
{
	(void)state;
	assert_int_equal(refused(TPM2_CC_UNSEAL, TPM2_RC_PCR_CHANGED, 2), TPM2_OK);
	assert_int_equal(replay.sent[TPM2_CC_START_AUTH_SESSION], 3);
	assert_int_equal(refused(TPM2_CC_UNSEAL, TPM2_RC_PCR_CHANGED, 100000), TPM2_REFUSED);
	assert_true(replay.sent[TPM2_CC_START_AUTH_SESSION] < 100);
}

static int fall_silent(struct replay *self, uint32_t code, uint8_t *response, size_t *bytes)
{
	(void)response;
	(void)bytes;
	return code == self->on ? -1 : 0;
}

static void silence(void **state)
{
	(void)state;
	for (size_t i = 0; i < COMMANDS; i++) {
		begin(&recorded_ecc_pin);
		replay.change = fall_silent;
		replay.on = commands[i];
		assert_int_equal(unseal(), TPM2_NO_ANSWER);
	}
}

/* Another state is told before anything is unsealed, so that the TPM counts nothing. */
static void another_state_is_told(void **state)
{
	struct tpm2_token token = replay_token(&recorded_ecc);

	(void)state;
	begin(&recorded_ecc);
	replay.change = flip;
	replay.on = TPM2_CC_POLICY_GET_DIGEST;
	replay.at = 20;
	replay.mask = 1;
	assert_int_equal(unseal(), TPM2_STATE_DIFFERS);
	assert_int_equal(replay.sent[TPM2_CC_UNSEAL], 0);
	token.pcrs = 0;
	assert_int_equal(tpm2_unseal(&tpm, &token, NULL, 0, &secret), TPM2_POLICY_DIFFERS);
	assert_clean(TPM2_POLICY_DIFFERS);
	assert_int_equal(replay.sent[TPM2_CC_UNSEAL], 0);
}

/* ---- TPM2_PCR_Read ---- */

static const char pcr_answer[] = "8001" "0000003e" "00000000" "0000001a" "00000001" "000b" "03" "001000" "00000001" "0020"
	"4242424242424242424242424242424242424242424242424242424242424242";
static const char pcr_command[] = "8001" "00000014" "0000017e" "00000001" "000b" "03" "001000";
static const char no_bank_answer[] = "8001" "0000001c" "00000000" "0000001a" "00000001" "000b" "03" "000000" "00000000";

static enum tpm2_result read_pcr(const char *answer, size_t cut_to, uint8_t *digest, size_t *bytes)
{
	static struct recording recording;

	recording = (struct recording){.exchange = {{pcr_command, answer}}};
	begin(&recording);
	replay.strict = true;
	replay.change = cut_to ? cut : NULL;
	replay.on = TPM2_CC_PCR_READ;
	replay.size = cut_to;
	replay.at = 1;
	return tpm2_pcr_read(&tpm, TPM2_SHA256, 12, digest, bytes);
}

static void pcrs_are_read(void **state)
{
	uint8_t digest[TPM2_MAX_DIGEST], expected[SHA256_BYTES];
	size_t bytes;

	(void)state;
	memset(expected, 0x42, sizeof(expected));
	assert_int_equal(read_pcr(pcr_answer, 0, digest, &bytes), TPM2_OK);
	assert_int_equal(bytes, sizeof(expected));
	assert_memory_equal(digest, expected, bytes);
	assert_int_equal(read_pcr(no_bank_answer, 0, digest, &bytes), TPM2_OK);
	assert_int_equal(bytes, 0);
	for (size_t size = 1; size < strlen(pcr_answer) / 2; size++) {
		assert_int_equal(read_pcr(pcr_answer, size, digest, &bytes), TPM2_BAD_ANSWER);
		assert_int_equal(bytes, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(recorded_secrets),
		cmocka_unit_test(pin_is_never_sent),
		cmocka_unit_test(salted_secrets_are_never_sent),
		cmocka_unit_test(not_salted),
		cmocka_unit_test(a_salt_needs_a_point),
		cmocka_unit_test(pin_is_asked_for_last),
		cmocka_unit_test(a_busy_tpm_is_asked_again),
		cmocka_unit_test(what_refusals_mean),
		cmocka_unit_test(a_changing_pcr_starts_anew),
		cmocka_unit_test(silence),
		cmocka_unit_test(another_state_is_told),
		cmocka_unit_test(pcrs_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
