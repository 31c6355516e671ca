/* SPDX-License-Identifier: Apache-2.0 */
/* tpm2-pcr-signature.json: what is taken out of it, and tokens that ask for it. */
#include "tests/unit/tpm2_replay.h"

#define HEX "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define ONE "{\"pcrs\":[12],\"pkfp\":\"" HEX "\",\"pol\":\"ff" "0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\",\"sig\":\"Zm9vYg==\"}"

static struct tpm2_signatures signatures;

static const char *read_text(const char *text)
{
	static struct json_node nodes[PCR_SIGNATURES_NODES];
	char *copy = strdup(text);
	const char *why = pcr_signatures_read(&signatures, copy, strlen(copy), nodes);

	free(copy);
	return why;
}

static void one(void **state)
{
	(void)state;
	assert_null(read_text("{\"sha1\":[" ONE "],\"sha256\":[" ONE "]}"));
	assert_int_equal(signatures.count, 1);
	assert_int_equal(signatures.signature[0].signer[31], 0x1f);
	assert_int_equal(signatures.signature[0].policy[0], 0xff);
	assert_int_equal(signatures.signature[0].bytes, 4);
	assert_memory_equal(signatures.signature[0].data, "foob", 4);
}

static void what_cannot_be_used_is_left_out(void **state)
{
	static const char *const none[] = {"{}", "[]", "{\"sha1\":[" ONE "]}", "{\"sha256\":" ONE "}", "{\"sha256\":[]}",
		"{\"sha256\":[1,{},[" ONE "]]}", "{\"sha256\":[{\"pkfp\":\"" HEX "\",\"pol\":\"" HEX "\"}]}",
		"{\"sha256\":[{\"pkfp\":\"" HEX "\",\"pol\":\"" HEX "00\",\"sig\":\"Zm9v\"}]}",
		"{\"sha256\":[{\"pkfp\":\"00\",\"pol\":\"" HEX "\",\"sig\":\"Zm9v\"}]}",
		"{\"sha256\":[{\"pkfp\":\"" HEX "\",\"pol\":\"" HEX "\",\"sig\":\"Zm9\"}]}"};

	(void)state;
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		assert_string_equal(read_text(none[i]), "it has no signature for the bank of SHA-256");
		assert_int_equal(signatures.count, 0);
	}
	assert_non_null(read_text("{\"sha256\":[" ONE "]"));
	assert_int_equal(signatures.count, 0);
	assert_null(read_text("{\"sha256\":[null," ONE ",7," ONE "]}"));
	assert_int_equal(signatures.count, 2);
}

static void as_many_as_there_is_room_for(void **state)
{
	char text[16384] = "{\"sha256\":[" ONE;

	(void)state;
	for (unsigned i = 1; i < TPM2_MAX_SIGNATURES + 3; i++)
		strcat(text, "," ONE);
	strcat(text, "]}");
	assert_null(read_text(text));
	assert_int_equal(signatures.count, TPM2_MAX_SIGNATURES);
}

static void tokens(void **state)
{
	static const char *const slips[][2] = {{"\"tpm2_pubkey\":", "\"other\":"}, {"\"tpm2_pubkey_pcrs\":", "\"other\":"},
		{"\"tpm2_pubkey_pcrs\":[12]", "\"tpm2_pubkey_pcrs\":[]"}, {"\"tpm2_pubkey_pcrs\":[12]", "\"tpm2_pubkey_pcrs\":[24]"},
		{"\"tpm2_pubkey\":\"", "\"tpm2_pubkey\":\"AAAA"}};
	struct tpm2_token token = replay_token(&recorded_signed);

	(void)state;
	assert_null(token.unusable);
	assert_int_equal(token.pcrs, 1u << 7);
	assert_int_equal(token.signed_pcrs, 1u << 12);
	assert_int_equal(token.signer.bytes, 256);
	assert_int_equal(token.signer.exponent, 65537);
	for (size_t i = 0; i < sizeof(slips) / sizeof(slips[0]); i++)
		assert_string_equal(replay_changed(&recorded_signed, slips[i][0], slips[i][1]).unusable, "its key for signed measurements cannot be used");
	assert_string_equal(replay_changed(&recorded_signed, "-bank\":\"sha256\"", "-bank\":\"sha1\"").unusable,
		"its signed measurements are of a bank other than SHA-256");
}

static void wrong_or_missing_signatures(void **state)
{
	struct tpm2_signatures others = *replay_signatures(&recorded_signed);

	(void)state;
	begin(&recorded_signed);
	tpm.signatures = NULL;
	assert_int_equal(unseal(), TPM2_NOT_SIGNED);
	begin(&recorded_signed);
	others.signature[0].signer[3] ^= 1;
	tpm.signatures = &others;
	assert_int_equal(unseal(), TPM2_NOT_SIGNED);
	assert_int_equal(replay.sent[TPM2_CC_LOAD_EXTERNAL], 0);
	begin(&recorded_signed);
	others.signature[0].signer[3] ^= 1;
	others.signature[0].policy[3] ^= 1;
	tpm.signatures = &others;
	assert_int_equal(unseal(), TPM2_NOT_SIGNED);
	assert_int_equal(replay.sent[TPM2_CC_UNSEAL], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one),
		cmocka_unit_test(what_cannot_be_used_is_left_out),
		cmocka_unit_test(as_many_as_there_is_room_for),
		cmocka_unit_test(tokens),
		cmocka_unit_test(wrong_or_missing_signatures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
