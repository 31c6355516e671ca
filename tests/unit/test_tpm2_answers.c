/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For every answer of a recorded unsealing every way to be cut, lengthened or
 * changed. Whatever happens: no handle stays open, no secret stays behind.
 */
#include "tests/unit/tpm2_replay.h"

static const struct recording *const recordings[] = {&recorded_ecc, &recorded_ecc_pin, &recorded_rsa,
	&recorded_salted, &recorded_salted_pin, &recorded_signed};

#define RECORDINGS (sizeof(recordings) / sizeof(recordings[0]))

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

/* A changed byte may be one that nothing depends on, or the secret itself where neither PIN nor salt proves it. */
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
						(recordings[r]->pin || recordings[r]->salted || code != TPM2_CC_UNSEAL) &&
						!secret_is_right())
						fail_msg("%x changed at %u: a wrong secret", code, at);
				}
		}
}

static void check_proven(const struct recording *recording)
{
	unsigned i = 0, proven = 0;
	uint32_t code;
	size_t bytes;

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

/* With a PIN or a salt every byte of the answer to TPM2_Unseal counts. */
static void answer_is_proven(void **state)
{
	(void)state;
	check_proven(&recorded_ecc_pin);
	check_proven(&recorded_salted);
	check_proven(&recorded_salted_pin);
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
static int look_at_room(
	void *context, const uint8_t *command, size_t command_bytes, uint8_t *response, size_t *response_bytes)
{
	assert_int_equal(*response_bytes, 1024);
	return replay_submit(context, command, command_bytes, response, response_bytes);
}

/* One that leaves the count as it was, as firmware's does. */
static int count_nothing(
	void *context, const uint8_t *command, size_t command_bytes, uint8_t *response, size_t *response_bytes)
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cut_answers_are_refused),
		cmocka_unit_test(long_answers_are_refused),
		cmocka_unit_test(changed_answers_do_no_harm),
		cmocka_unit_test(answer_is_proven),
		cmocka_unit_test(impossible_sizes),
		cmocka_unit_test(rooms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
