/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unsealing against what a real TPM has answered: the same commands byte for byte,
 * and for every answer every way to be cut, lengthened or changed. Whatever
 * happens: no handle stays open, no secret stays behind, no PIN is sent.
 */
#include "storage/crypt/hash.h"
#include "tests/unit/tpm2_replay.h"

static struct tpm2 tpm;
static struct replay replay;
static struct tpm2_secret secret;

static const struct recording *const recordings[] = {&recorded_ecc, &recorded_ecc_pin, &recorded_rsa};

#define RECORDINGS (sizeof(recordings) / sizeof(recordings[0]))

static void begin(const struct recording *recording)
{
	memset(&replay, 0, sizeof(replay));
	memset(&tpm, 0xa5, sizeof(tpm));
	replay.recording = recording;
	tpm.submit = replay_submit;
	tpm.pause = replay_pause;
	tpm.context = &replay;
	tpm.max_response = sizeof(tpm.response);
}

static bool is_zero(const void *data, size_t bytes)
{
	const uint8_t *at = data;

	while (bytes && !*at) {
		at++;
		bytes--;
	}
	return !bytes;
}

/* What holds after every call. */
static void assert_clean(enum tpm2_result result)
{
	assert_int_equal(replay.opened, 0);
	assert_true(is_zero(tpm.command, sizeof(tpm.command)));
	assert_true(is_zero(tpm.response, sizeof(tpm.response)));
	if (result)
		assert_true(is_zero(&secret, sizeof(secret)));
	else
		assert_true(secret.bytes && secret.bytes <= TPM2_MAX_SECRET);
}

/* Unseals the recording's token with its PIN; the replay has been prepared. */
static enum tpm2_result unseal(void)
{
	struct tpm2_token token = replay_token(replay.recording);
	const char *pin = replay.recording->pin;
	enum tpm2_result result;

	assert_null(token.unusable);
	memset(&secret, 0xa5, sizeof(secret));
	result = tpm2_unseal(&tpm, &token, pin, pin ? strlen(pin) : 0, &secret);
	assert_clean(result);
	return result;
}

static bool secret_is_right(void)
{
	uint8_t expected[TPM2_MAX_SECRET];
	size_t bytes = replay_bytes_of(replay.recording->secret, expected);

	return secret.bytes == bytes && !memcmp(secret.data, expected, bytes);
}

static void recorded_secrets(void **state)
{
	(void)state;
	for (size_t i = 0; i < RECORDINGS; i++) {
		begin(recordings[i]);
		replay.strict = true;
		assert_int_equal(unseal(), TPM2_OK);
		assert_true(secret_is_right());
		assert_int_equal(replay.sent[TPM2_CC_FLUSH_CONTEXT], 3);
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

/* ---- answers that are not what they should be ---- */

static void set_size(uint8_t *response, size_t bytes)
{
	response[2] = response[3] = 0;
	response[4] = (uint8_t)(bytes >> 8);
	response[5] = (uint8_t)bytes;
}

static int cut(struct replay *self, uint32_t code, uint8_t *response, size_t *bytes)
{
	if (code != self->on)
		return 0;
	if (self->at)
		set_size(response, self->size);
	*bytes = self->size;
	return 0;
}

static size_t recorded_response(const struct recording *recording, unsigned i, uint32_t *code)
{
	uint8_t command[REPLAY_BYTES];

	replay_bytes_of(recording->exchange[i].command, command);
	*code = replay_be32(command + 6);
	return strlen(recording->exchange[i].response) / 2;
}

/* Cut short, with the size told as it was (0) or as it is now (1). */
static void cut_answers_are_refused(void **state)
{
	uint32_t code;

	(void)state;
	for (size_t r = 0; r < RECORDINGS; r++)
		for (unsigned i = 0; recordings[r]->exchange[i].command; i++) {
			size_t bytes = recorded_response(recordings[r], i, &code);

			for (size_t size = 0; size < 2 * bytes; size++) {
				enum tpm2_result result;

				begin(recordings[r]);
				replay.change = cut;
				replay.on = code;
				replay.size = size / 2;
				replay.at = size % 2;
				result = unseal();
				if (result != (code == TPM2_CC_FLUSH_CONTEXT ? TPM2_OK : TPM2_BAD_ANSWER))
					fail_msg("%x cut to %zu: %d", code, size / 2, result);
			}
		}
}

static int lengthen(struct replay *self, uint32_t code, uint8_t *response, size_t *bytes)
{
	if (code != self->on)
		return 0;
	for (size_t i = 0; i < self->size; i++)
		response[(*bytes)++] = 0;
	set_size(response, *bytes);
	return 0;
}

static void long_answers_are_refused(void **state)
{
	static const size_t more[] = {1, 2, 34, 300};
	uint32_t code;

	(void)state;
	for (size_t r = 0; r < RECORDINGS; r++)
		for (unsigned i = 0; recordings[r]->exchange[i].command; i++) {
			recorded_response(recordings[r], i, &code);
			if (code == TPM2_CC_FLUSH_CONTEXT)
				continue;
			for (unsigned n = 0; n < 4; n++) {
				begin(recordings[r]);
				replay.change = lengthen;
				replay.on = code;
				replay.size = more[n];
				assert_int_equal(unseal(), TPM2_BAD_ANSWER);
			}
		}
}

static int flip(struct replay *self, uint32_t code, uint8_t *response, size_t *bytes)
{
	(void)bytes;
	if (code == self->on)
		response[self->at] ^= self->mask;
	return 0;
}

/* A changed byte may be one that nothing depends on, or the secret itself where no PIN proves it. */
static void changed_answers_do_no_harm(void **state)
{
	static const uint8_t masks[] = {1, 0x80, 0xff};
	uint32_t code;

	(void)state;
	for (size_t r = 0; r < RECORDINGS; r++)
		for (unsigned i = 0; recordings[r]->exchange[i].command; i++) {
			size_t bytes = recorded_response(recordings[r], i, &code);

			for (unsigned at = 0; code != TPM2_CC_FLUSH_CONTEXT && at < bytes; at++)
				for (unsigned m = 0; m < sizeof(masks); m++) {
					begin(recordings[r]);
					replay.change = flip;
					replay.on = code;
					replay.at = at;
					replay.mask = masks[m];
					if (unseal() == TPM2_OK &&
						(recordings[r]->pin || code != TPM2_CC_UNSEAL) && !secret_is_right())
						fail_msg("%x changed at %u: a wrong secret", code, at);
				}
		}
}

/* With a PIN every byte of the answer to TPM2_Unseal counts. */
static void answer_is_proven(void **state)
{
	const struct recording *recording = &recorded_ecc_pin;
	unsigned i = 0, proven = 0;
	uint32_t code;
	size_t bytes;

	(void)state;
	do
		bytes = recorded_response(recording, i++, &code);
	while (code != TPM2_CC_UNSEAL);
	for (unsigned at = 10; at < bytes; at++, proven++) {
		begin(recording);
		replay.change = flip;
		replay.on = code;
		replay.at = at;
		replay.mask = 1;
		assert_int_equal(unseal(), TPM2_BAD_ANSWER);
	}
	assert_true(proven > 80);
}

static int lie_about_size(struct replay *self, uint32_t code, uint8_t *response, size_t *bytes)
{
	(void)bytes;
	if (code == self->on)
		memset(response + 2, 0xff, 4);
	return 0;
}

static void impossible_sizes(void **state)
{
	(void)state;
	begin(&recorded_ecc);
	replay.change = lie_about_size;
	replay.on = TPM2_CC_LOAD;
	assert_int_equal(unseal(), TPM2_BAD_ANSWER);
}

/* The transport is never promised more room than it takes. */
static int look_at_room(void *context, const uint8_t *command, size_t command_bytes, uint8_t *response, size_t *response_bytes)
{
	assert_int_equal(*response_bytes, 1024);
	return replay_submit(context, command, command_bytes, response, response_bytes);
}

/* One that leaves the count as it was, as firmware's does. */
static int count_nothing(void *context, const uint8_t *command, size_t command_bytes, uint8_t *response, size_t *response_bytes)
{
	size_t room = *response_bytes;
	int result = replay_submit(context, command, command_bytes, response, response_bytes);

	*response_bytes = room;
	return result;
}

static void rooms(void **state)
{
	(void)state;
	begin(&recorded_ecc);
	tpm.max_response = 1024;
	tpm.submit = look_at_room;
	assert_int_equal(unseal(), TPM2_OK);
	begin(&recorded_ecc_pin);
	tpm.max_response = SIZE_MAX;
	tpm.submit = count_nothing;
	assert_int_equal(unseal(), TPM2_OK);
	assert_true(secret_is_right());
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
		cmocka_unit_test(pin_is_asked_for_last),
		cmocka_unit_test(cut_answers_are_refused),
		cmocka_unit_test(long_answers_are_refused),
		cmocka_unit_test(changed_answers_do_no_harm),
		cmocka_unit_test(answer_is_proven),
		cmocka_unit_test(impossible_sizes),
		cmocka_unit_test(rooms),
		cmocka_unit_test(a_busy_tpm_is_asked_again),
		cmocka_unit_test(what_refusals_mean),
		cmocka_unit_test(a_changing_pcr_starts_anew),
		cmocka_unit_test(silence),
		cmocka_unit_test(another_state_is_told),
		cmocka_unit_test(pcrs_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
