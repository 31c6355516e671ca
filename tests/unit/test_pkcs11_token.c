/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens of type systemd-pkcs11: what the parser takes, and what it says of the others. */
#include "storage/volume/luks2_json.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* So many bytes of 0x55, 0xaa, 0x55, ... in base64, with what stands before and behind it. */
static struct pkcs11_token parse(const char *before, size_t bytes, const char *behind)
{
	static struct json_node nodes[64];
	struct pkcs11_token token;
	struct json_error error;
	char text[2000];
	size_t at = (size_t)sprintf(text, "%s\"", before);
	const struct json_node *root;

	for (size_t i = 0; i < bytes / 3; i++)
		at += (size_t)sprintf(text + at, "%s", i % 2 ? "qlWq" : "VapV");
	at += (size_t)sprintf(text + at, "%s\"%s", bytes % 3 == 1 ? "qg==" : bytes % 3 == 2 ? "qlU=" : "", behind);
	root = json_parse(text, at, nodes, 64, &error);
	assert_non_null(root);
	memset(&token, 0xa5, sizeof(token));
	luks2_parse_pkcs11(root, &token);
	return token;
}

#define HEAD "{\"type\":\"systemd-pkcs11\",\"keyslots\":[\"3\"],\"pkcs11-uri\":\"pkcs11:token=x\",\"pkcs11-key\":"

static void whole(void **state)
{
	struct pkcs11_token token = parse(HEAD, 256, "}");

	(void)state;
	assert_null(token.unusable);
	assert_int_equal(token.keyslots, 1u << 3);
	for (unsigned i = 0; i < 255; i++)
		assert_int_equal(token.encrypted[i], i % 2 ? 0xaa : 0x55);
}

static void slips(void **state)
{
	static const struct {
		const char *before;
		size_t bytes;
		const char *behind, *says;
	} rows[] = {
		{HEAD, 128, "}", "2048 bits"},
		{HEAD, 255, "}", "2048 bits"},
		{HEAD, 257, "}", "2048 bits"},
		{HEAD, 512, "}", "2048 bits"},
		{HEAD, 0, "}", "2048 bits"},
		{HEAD "[", 256, "]}", "2048 bits"},
		{"{\"keyslots\":[\"3\"],\"other\":", 256, "}", "2048 bits"},
		{"{\"pkcs11-key\":", 256, "}", "key slot"},
		{"{\"keyslots\":[],\"pkcs11-key\":", 256, "}", "key slot"},
		{"{\"keyslots\":[\"32\"],\"pkcs11-key\":", 256, "}", "key slot"},
		{"{\"keyslots\":[3],\"pkcs11-key\":", 256, "}", "key slot"},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct pkcs11_token token = parse(rows[i].before, rows[i].bytes, rows[i].behind);

		if (!token.unusable || !strstr(token.unusable, rows[i].says))
			fail_msg("row %u: %s", i, token.unusable ? token.unusable : "taken");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole),
		cmocka_unit_test(slips),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
