/* SPDX-License-Identifier: Apache-2.0 */
/* A TPM that plays a recording back, and can be made to answer something else. */
#ifndef TESTS_UNIT_TPM2_REPLAY_H
#define TESTS_UNIT_TPM2_REPLAY_H

#include "keymgmt/tpm2_wire.h"
#include "storage/volume/luks2_json.h"
#include "storage/volume/pcr_signatures.h"
#include "tests/unit/tpm2_recorded.h"
#include "tests/unit/zero.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define REPLAY_BYTES 4096

struct replay {
	const struct recording *recording;
	bool strict; /* every command must be the recorded one */
	unsigned count, pauses, sent[0x200];
	uint32_t open[8]; /* handles that were given out and not flushed */
	unsigned opened;
	/* Changes the answer to a command. NULL: none. Returns what submit returns. */
	int (*change)(struct replay *replay, uint32_t code, uint8_t *response, size_t *bytes);
	unsigned at;  /* for `change` */
	uint32_t on;  /* for `change` */
	size_t size;  /* for `change` */
	uint32_t rc;  /* for `change` */
	unsigned left; /* for `change` */
	uint8_t mask; /* for `change` */
};

static inline size_t replay_bytes_of(const char *hex, uint8_t *out)
{
	size_t bytes = strlen(hex) / 2;

	for (size_t i = 0; i < bytes; i++)
		out[i] = (uint8_t)(luks2_hex_value(hex[2 * i]) << 4 | luks2_hex_value(hex[2 * i + 1]));
	return bytes;
}

static inline uint32_t replay_be32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static inline void replay_note_flush(struct replay *replay, uint32_t handle)
{
	for (unsigned i = 0; i < replay->opened; i++)
		if (replay->open[i] == handle) {
			replay->open[i] = replay->open[--replay->opened];
			return;
		}
	fail_msg("flushed what was not open: %08x", handle);
}

/* How often the recording has a command. */
static inline unsigned replay_times(const struct recording *recording, const uint8_t *command)
{
	static uint8_t recorded[REPLAY_BYTES];
	unsigned times = 0;

	for (unsigned i = 0; recording->exchange[i].command; i++) {
		replay_bytes_of(recording->exchange[i].command, recorded);
		times += !memcmp(recorded + 6, command + 6, 4);
	}
	return times;
}

/* The recorded answer to this command, of several the next one. */
static inline size_t replay_answer(struct replay *replay, const uint8_t *command, size_t bytes, uint8_t *response)
{
	static uint8_t recorded[REPLAY_BYTES];
	unsigned times = replay_times(replay->recording, command);
	unsigned skip = times ? replay->sent[replay_be32(command + 6)] % times : 0;

	for (unsigned i = 0; replay->recording->exchange[i].command; i++) {
		const struct exchange *exchange = &replay->recording->exchange[i];
		size_t recorded_bytes = replay_bytes_of(exchange->command, recorded);

		if (replay->strict ? i != replay->count : memcmp(recorded + 6, command + 6, 4) || skip--)
			continue;
		if (replay->strict) {
			assert_int_equal(bytes, recorded_bytes);
			assert_memory_equal(command, recorded, bytes);
		}
		return replay_bytes_of(exchange->response, response);
	}
	fail_msg("a command that was not recorded: %08x", replay_be32(command + 6));
	return 0;
}

static inline bool replay_opens(uint32_t code)
{
	return code == TPM2_CC_CREATE_PRIMARY || code == TPM2_CC_LOAD || code == TPM2_CC_LOAD_EXTERNAL ||
	       code == TPM2_CC_START_AUTH_SESSION;
}

static inline int replay_submit(
	void *context, const uint8_t *command, size_t command_bytes, uint8_t *response, size_t *response_bytes)
{
	struct replay *replay = context;
	uint32_t code = replay_be32(command + 6);
	static uint8_t answer[REPLAY_BYTES];
	size_t bytes;
	int result = 0;

	assert_true(command_bytes >= 10 && replay_be32(command + 2) == command_bytes);
	assert_true(code < 0x200);
	bytes = replay_answer(replay, command, command_bytes, answer);
	replay->count++;
	replay->sent[code]++;
	if (code == TPM2_CC_FLUSH_CONTEXT)
		replay_note_flush(replay, replay_be32(command + 10));
	if (replay->change)
		result = replay->change(replay, code, answer, &bytes);
	if (result)
		return result;
	assert_true(bytes <= *response_bytes);
	memcpy(response, answer, bytes);
	*response_bytes = bytes;
	/* One whose header is wrong says nothing about handles. */
	if (replay_opens(code) && !memcmp(answer, command, 2) && replay_be32(answer + 2) >= 14 &&
		replay_be32(answer + 2) <= bytes && !replay_be32(answer + 6) &&
		replay_be32(answer + 10))
		replay->open[replay->opened++] = replay_be32(answer + 10);
	return 0;
}

static inline void replay_pause(void *context)
{
	((struct replay *)context)->pauses++;
}

static inline bool replay_random(void *context, uint8_t *bytes, size_t count)
{
	(void)context;
	memset(bytes, 0x5a, count);
	return true;
}

/* The recording's token by way of the parser. */
static inline struct tpm2_token replay_token(const struct recording *recording)
{
	static struct json_node nodes[64];
	struct tpm2_token token;
	struct json_error error;
	char *text = strdup(recording->token);
	const struct json_node *root = json_parse(text, strlen(text), nodes, 64, &error);

	assert_non_null(root);
	luks2_parse_tpm2(root, &token);
	free(text);
	return token;
}

/* The same with `from` in its text replaced by `to`. */
static inline struct tpm2_token replay_changed(const struct recording *recording, const char *from, const char *to)
{
	const char *at = strstr(recording->token, from);
	struct recording other = {0};
	struct tpm2_token token;
	char *text;

	assert_non_null(at);
	assert_int_not_equal(
		asprintf(&text, "%.*s%s%s", (int)(at - recording->token), recording->token, to, at + strlen(from)), -1);
	other.token = text;
	token = replay_token(&other);
	free(text);
	return token;
}

/* ---- one unsealing ---- */

static struct tpm2 tpm;
static struct replay replay;
static struct tpm2_secret secret;

/* What the recording has, by way of the parser; NULL when it has none. */
static inline const struct tpm2_signatures *replay_signatures(const struct recording *recording)
{
	static struct tpm2_signatures signatures;
	static struct json_node nodes[PCR_SIGNATURES_NODES];
	char *text;

	if (!recording->signatures)
		return NULL;
	text = strdup(recording->signatures);
	assert_null(pcr_signatures_read(&signatures, text, strlen(text), nodes));
	free(text);
	return &signatures;
}

static inline void begin(const struct recording *recording)
{
	memset(&replay, 0, sizeof(replay));
	memset(&tpm, 0xa5, sizeof(tpm));
	replay.recording = recording;
	tpm.submit = replay_submit;
	tpm.pause = replay_pause;
	tpm.random = recording->salted ? replay_random : NULL;
	tpm.signatures = replay_signatures(recording);
	tpm.context = &replay;
	tpm.max_response = sizeof(tpm.response);
}

/* What holds after every call. */
static inline void assert_clean(enum tpm2_result result)
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
static inline enum tpm2_result unseal(void)
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

static inline bool secret_is_right(void)
{
	uint8_t expected[TPM2_MAX_SECRET];
	size_t bytes = replay_bytes_of(replay.recording->secret, expected);

	return secret.bytes == bytes && !memcmp(secret.data, expected, bytes);
}

/* ---- what `change` can be ---- */

static inline void set_size(uint8_t *response, size_t bytes)
{
	response[2] = response[3] = 0;
	response[4] = (uint8_t)(bytes >> 8);
	response[5] = (uint8_t)bytes;
}

static inline int cut(struct replay *self, uint32_t code, uint8_t *response, size_t *bytes)
{
	if (code != self->on)
		return 0;
	if (self->at)
		set_size(response, self->size);
	*bytes = self->size;
	return 0;
}

static inline int flip(struct replay *self, uint32_t code, uint8_t *response, size_t *bytes)
{
	(void)bytes;
	if (code == self->on)
		response[self->at] ^= self->mask;
	return 0;
}

#endif
