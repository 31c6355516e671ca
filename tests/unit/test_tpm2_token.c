/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens of type systemd-tpm2: those that systemd-cryptenroll wrote, and every slip in one. */
#include "keymgmt/base64.h"
#include "tests/unit/tpm2_replay.h"

static void recorded_tokens(void **state)
{
	struct tpm2_token token = replay_token(&recorded_ecc);

	(void)state;
	assert_null(token.unusable);
	assert_int_equal(token.keyslots, 1u << 1);
	assert_int_equal(token.pcrs, 1u << 7);
	assert_int_equal(token.bank, TPM2_SHA256);
	assert_int_equal(token.primary, TPM2_PRIMARY_ECC);
	assert_false(token.pin);
	token = replay_token(&recorded_ecc_pin);
	assert_null(token.unusable);
	assert_int_equal(token.keyslots, 1u << 2);
	assert_int_equal(token.pcrs, 1u << 7 | 1u << 12);
	assert_true(token.pin);
	token = replay_token(&recorded_rsa);
	assert_null(token.unusable);
	assert_int_equal(token.primary, TPM2_PRIMARY_RSA);
}

static struct tpm2_token changed(const char *from, const char *to)
{
	return replay_changed(&recorded_ecc, from, to);
}

static void older_and_other_forms(void **state)
{
	static const struct {
		const char *name;
		enum tpm2_bank bank;
	} banks[] = {{"sha1", TPM2_SHA1}, {"sha384", TPM2_SHA384}, {"sha512", TPM2_SHA512}};
	struct tpm2_token token = changed("\"tpm2-pcr-bank\":\"sha256\",", "");

	(void)state;
	assert_null(token.unusable);
	assert_int_equal(token.bank, TPM2_SHA256);
	for (unsigned i = 0; i < 3; i++) {
		char bank[40];

		snprintf(bank, sizeof(bank), "-bank\":\"%s\"", banks[i].name);
		token = changed("-bank\":\"sha256\"", bank);
		assert_null(token.unusable);
		assert_int_equal(token.bank, banks[i].bank);
	}
	token = changed("\"tpm2-primary-alg\":\"ecc\",", "");
	assert_null(token.unusable);
	assert_int_equal(token.primary, TPM2_PRIMARY_ECC);
	token = changed(",\"tpm2-pin\":false", "");
	assert_null(token.unusable);
	assert_false(token.pin);
	token = changed("[7]", "[]");
	assert_null(token.unusable);
	assert_int_equal(token.pcrs, 0);
	token = changed("[7]", "[0,23,7]");
	assert_null(token.unusable);
	assert_int_equal(token.pcrs, 1u << 0 | 1u << 7 | 1u << 23);
	token = changed("8b5682d8", "8B5682D8");
	assert_null(token.unusable);
}

static void slips_make_it_unusable(void **state)
{
	static const struct {
		const char *from, *to, *says;
	} slips[] = {
		{"[\"1\"]", "[]", "key slot"},
		{"[\"1\"]", "[1]", "key slot"},
		{"[\"1\"]", "[\"32\"]", "key slot"},
		{"[\"1\"]", "\"1\"", "key slot"},
		{"[\"1\"]", "[\"1\",\"1\"]", "key slot"},
		{"[7]", "[24]", "PCRs"},
		{"[7]", "[7,7]", "PCRs"},
		{"[7]", "[\"7\"]", "PCRs"},
		{"[7]", "[-1]", "PCRs"},
		{"[7]", "7", "PCRs"},
		{"\"tpm2-pcrs\":[7],", "", "PCRs"},
		{"-bank\":\"sha256\"", "-bank\":\"sm3\"", "bank"},
		{"-bank\":\"sha256\"", "-bank\":7", "bank"},
		{"alg\":\"ecc\"", "alg\":\"dsa\"", "primary key"},
		{"alg\":\"ecc\"", "alg\":null", "primary key"},
		{"pin\":false", "pin\":\"false\"", "PIN"},
		{"8b5682d8", "8b5682d", "policy hash"},
		{"8b5682d8", "8b5682d8ff", "policy hash"},
		{"8b5682d8", "8b5682dg", "policy hash"},
		{"8b5682d8", "8b5682d9", "not that of its sealed key"},
		{"\"AJ4AIFSs", "\"AJ8AIFSs", "incomplete"},
		{"\"AJ4AIFSs", "\"AJ0AIFSs", "incomplete"},
		{"\"AJ4AIFSs", "\"AAAAIFSs", "incomplete"},
		{"\"AJ4AIFSs", "\"AJ4AIFS!", "sealed key cannot be used"},
		{"HpKfp7+\"", "HpKfp7\"", "sealed key cannot be used"},
		{"HpKfp7+\"", "HpKfp7+AAAA\"", "incomplete"},
		{"OAAgACwAAABIA", "OAAEACwAAABIA", "kind that is not known"},
		{"OAAgACwAAABIA", "OAAgADAAAABIA", "kind that is not known"},
		{"\"tpm2-pin\"", "\"tpm2_pubkey\":\"x\",\"tpm2-pin\"", "signed measurements"},
		{"\"tpm2-pin\"", "\"tpm2_srk\":\"x\",\"tpm2-pin\"", "newer systemd"},
		{"\"tpm2-pin\"", "\"tpm2_salt\":\"x\",\"tpm2-pin\"", "newer systemd"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(slips) / sizeof(slips[0]); i++) {
		struct tpm2_token token = changed(slips[i].from, slips[i].to);

		if (!token.unusable || !strstr(token.unusable, slips[i].says))
			fail_msg("%s for %s: %s", slips[i].to, slips[i].from, token.unusable ? token.unusable : "taken");
	}
}

/* A blob larger than the room for it. */
static void large_blob(void **state)
{
	char text[3000] = "\"";
	struct tpm2_token token;

	(void)state;
	memset(text + 1, 'A', 2000);
	token = changed("\"tpm2-blob\":\"", "\"tpm2-blob\":\"AAAA");
	assert_non_null(token.unusable);
	memcpy(text, "\"tpm2-blob\":\"", 13);
	memset(text + 13, 'A', 4 * (TPM2_MAX_BLOB / 3));
	token = changed("\"tpm2-blob\":\"", text);
	assert_string_equal(token.unusable, "its sealed key cannot be used");
}

/* ---- records of the PCRs ---- */

static const char zeroes[] = "0000000000000000000000000000000000000000000000000000000000000000";

/* The token of a recording that a record in this text has been beside. */
static struct tpm2_token recorded_as(const struct recording *recording, const char *format, ...)
{
	static struct json_node nodes[64];
	struct tpm2_token token = replay_token(recording);
	struct json_error error;
	const struct json_node *root;
	char *text;
	va_list list;

	va_start(list, format);
	assert_int_not_equal(vasprintf(&text, format, list), -1);
	va_end(list);
	root = json_parse(text, strlen(text), nodes, 64, &error);
	assert_non_null(root);
	luks2_take_record(root, &token, 1);
	free(text);
	return token;
}

/* The recordings were made with PCRs that were zero, so their policies are those of zeroes. */
static void records(void **state)
{
	static const struct tpm2_pcrs zero = {.mask = 1u << 7 | 1u << 12};
	struct tpm2_token token = recorded_as(&recorded_ecc, "{\"sha256\":{\"7\":\"%s\"}}", zeroes);

	(void)state;
	assert_int_equal(token.recorded.mask, 1u << 7);
	token = recorded_as(&recorded_rsa, "{\"sha256\":{\"7\":\"%s\"}}", zeroes);
	assert_int_equal(token.recorded.mask, 1u << 7);
	token = recorded_as(&recorded_ecc_pin, "{\"sha256\":{\"12\":\"%s\",\"7\":\"%s\"}}", zeroes, zeroes);
	assert_memory_equal(&token.recorded, &zero, sizeof(zero));
}

static void records_that_are_wrong(void **state)
{
	static const char *const texts[] = {"{}", "[]", "{\"sha256\":[\"%s\"]}", "{\"sha1\":{\"7\":\"%s\"}}",
		"{\"sha256\":{\"7\":\"1%s\"}}", "{\"sha256\":{\"7\":\"1%.63s\"}}",
		"{\"sha256\":{\"7\":\"x%.63s\"}}", "{\"sha256\":{\"7\":\"%.62s\"}}", "{\"sha256\":{\"07\":\"%s\"}}",
		"{\"sha256\":{\"24\":\"%s\"}}", "{\"sha256\":{\"7\":0}}", "{\"sha256\":{\"8\":\"%s\"}}",
		"{\"sha256\":{\"7\":\"%s\",\"12\":\"00\"}}", "{\"sha256\":{}}"};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_int_equal(recorded_as(&recorded_ecc, texts[i], zeroes).recorded.mask, 0);
	/* Values of a token without a PIN do not make the policy of one with it. */
	assert_int_equal(recorded_as(&recorded_ecc_pin, "{\"sha256\":{\"7\":\"%s\"}}", zeroes).recorded.mask, 0);
}

static void policy_without_pcrs(void **state)
{
	static const struct tpm2_pcrs none;
	/* TPM2_PolicyAuthValue on a new session. */
	static const char hex[] = "8fcd2169ab92694e0c633f1ab772842b8241bbc20288981fc7ac1eddc1fddb0e";
	uint8_t digest[TPM2_POLICY_BYTES], expected[TPM2_POLICY_BYTES];

	(void)state;
	tpm2_policy_digest(&none, true, digest);
	replay_bytes_of(hex, expected);
	assert_memory_equal(digest, expected, sizeof(digest));
	tpm2_policy_digest(&none, false, digest);
	assert_true(is_zero(digest, sizeof(digest)));
}

static void a_sentence_for_each_pcr(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2 * TPM2_PCRS; i++) {
		const char *text = tpm2_pcr_text(i);

		assert_int_equal(text[strlen(text) - 1], '.');
	}
	assert_non_null(strstr(tpm2_pcr_text(7), "Secure Boot"));
	assert_non_null(strstr(tpm2_pcr_text(12), "underseal.conf"));
	assert_string_equal(tpm2_pcr_text(13), tpm2_pcr_text(9));
}

static void base64_vectors(void **state)
{
	static const char *const vectors[][2] = {{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"},
		{"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}, {"\xfb\xff\xbf", "+/+/"}};

	(void)state;
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		size_t bytes = strlen(vectors[i][0]), characters = strlen(vectors[i][1]);
		uint8_t *text = malloc(characters ? characters : 1);

		assert_int_equal(BASE64_BYTES(bytes), characters);
		assert_int_equal(base64_encode((const uint8_t *)vectors[i][0], bytes, text), characters);
		assert_memory_equal(text, vectors[i][1], characters);
		free(text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(recorded_tokens),
		cmocka_unit_test(older_and_other_forms),
		cmocka_unit_test(slips_make_it_unusable),
		cmocka_unit_test(large_blob),
		cmocka_unit_test(records),
		cmocka_unit_test(records_that_are_wrong),
		cmocka_unit_test(policy_without_pcrs),
		cmocka_unit_test(a_sentence_for_each_pcr),
		cmocka_unit_test(base64_vectors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
