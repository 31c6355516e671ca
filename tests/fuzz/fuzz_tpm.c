/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any TPM at all. The input begins with a byte: bit 0 gives a PIN, bit 1 makes the
 * token one that wants it, bit 2 has the header of every answer made right, so that the fuzzer
 * gets behind it, bit 3 gives random bytes for a salt,
 * bit 4 has the token want signed PCRs. Then one answer after the other: two bytes of length, the bytes. What is opened
 * must be flushed, and no secret may stay behind.
 */
#include "keymgmt/tpm2_wire.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

struct answers {
	const uint8_t *at;
	size_t left;
	bool headers;
	unsigned commands;
};

static uint32_t be32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void make_header(const uint8_t *command, uint8_t *response, size_t bytes)
{
	if (bytes < 10)
		return;
	memcpy(response, command, 2);
	memset(response + 2, 0, 8);
	response[4] = (uint8_t)(bytes >> 8);
	response[5] = (uint8_t)bytes;
}

static int submit(void *context, const uint8_t *command, size_t command_bytes, uint8_t *response, size_t *response_bytes)
{
	struct answers *answers = context;
	size_t bytes;

	if (command_bytes < 10 || be32(command + 2) != command_bytes || answers->commands++ > 100000)
		abort();
	if (answers->left < 2)
		return -1;
	bytes = (size_t)answers->at[0] << 8 | answers->at[1];
	answers->at += 2;
	answers->left -= 2;
	if (bytes > answers->left)
		bytes = answers->left;
	if (bytes > *response_bytes)
		bytes = *response_bytes;
	memcpy(response, answers->at, bytes);
	answers->at += bytes;
	answers->left -= bytes;
	if (answers->headers)
		make_header(command, response, bytes);
	*response_bytes = bytes;
	return 0;
}

static void wait_a_little(void *context)
{
	(void)context;
}

static bool random_bytes(void *context, uint8_t *bytes, size_t count)
{
	(void)context;
	memset(bytes, 0x5a, count);
	return true;
}

static void check_zero(const void *memory, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		if (((const uint8_t *)memory)[i])
			abort();
}

/* A token whose blob is whole, and whose policy is what a digest of zeroes meets. */
static struct tpm2_token make_token(bool pin)
{
	struct tpm2_token token = {.keyslots = 1, .pcrs = 1 << 7, .bank = TPM2_SHA256, .pin = pin};
	static const uint8_t blob[] = {0, 1, 0x42, 0, 46, 0, 8, 0, 11, 0, 0, 0, 0x12, 0, 32};

	memcpy(token.blob, blob, sizeof(blob));
	token.blob_bytes = sizeof(blob) + 32 + 4;
	return token;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	static struct tpm2 tpm = {.submit = submit, .pause = wait_a_little, .max_response = TPM2_RESPONSE_BYTES};
	static const struct tpm2_signatures signatures = {.count = 1, .signature = {{.bytes = 256}}};
	struct answers answers = {.at = data + 1, .left = bytes - 1};
	uint8_t digest[TPM2_MAX_DIGEST], name[TPM2_NAME_BYTES];
	struct tpm2_token token;
	struct tpm2_secret secret;
	enum tpm2_result result;
	size_t read;

	if (!bytes)
		return 0;
	token = make_token(data[0] & 2);
	if (tpm2_check_blob(&token, name))
		abort();
	if (data[0] & 16) {
		token.signed_pcrs = 1u << 12;
		token.signer.bytes = 256;
		tpm.signatures = &signatures;
	}
	answers.headers = data[0] & 4;
	tpm.random = data[0] & 8 ? random_bytes : NULL;
	tpm.context = &answers;
	result = tpm2_unseal(&tpm, &token, data[0] & 1 ? "4321" : NULL, 4, &secret);
	check_zero(tpm.command, sizeof(tpm.command));
	check_zero(tpm.response, sizeof(tpm.response));
	if (result)
		check_zero(&secret, sizeof(secret));
	else if (!secret.bytes || secret.bytes > TPM2_MAX_SECRET || token.pin)
		abort(); /* nobody has ever answered with the HMAC of this PIN */
	if (!tpm2_pcr_read(&tpm, TPM2_SHA256, 7, digest, &read) && read > sizeof(digest))
		abort();
	return 0;
}
