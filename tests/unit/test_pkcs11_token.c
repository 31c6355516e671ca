/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens of type systemd-pkcs11: what the parser takes, and what it says of the others. */
#include "storage/volume/luks2_json.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* As systemd-cryptenroll 252 has written it for a key in SoftHSM. */
static const char recorded[] =
	"{\"type\":\"systemd-pkcs11\",\"keyslots\":[\"1\"],\"pkcs11-uri\":\"pkcs11:token=card\",\"pkcs11-"
	"key\":\"jhGsJv2j+uZS4LTbl7uLUHl5Ik0ScIJlTmnVCOmnlQkXVgRiS3KSPfni1zk9CgUdX8nxlnb3quEegRcReCRUUQgZ"
	"dOx1d5ih8MXz3QyTakVOYIIcBtRokYMAjVfVI8gbAxfvJP6tGBTEmhDUHJkvwEkMzxhFGe1xBHpDDQrGUjO9/lWYfC72ua/I"
	"M/5/D0VtHMhBZMOuhjJvbgNWUZOewcA5xG6E9Rhz452qVhfDRyPJ9qNgFLMlEy3k+scQ/ecXWl96LD8b1x6r3jLPEzQnSrZR"
	"KLmvW2nyXOOTrrxNclNRCt1w5eIOy271+82QzFwufLo3IzWeuIB2mUOYUXTFjQ==\"}";

static struct pkcs11_token parse_text(char *text, size_t bytes)
{
	static struct json_node nodes[64];
	struct pkcs11_token token;
	struct json_error error;
	const struct json_node *root = json_parse(text, bytes, nodes, 64, &error);

	assert_non_null(root);
	memset(&token, 0xa5, sizeof(token));
	luks2_parse_pkcs11(root, &token);
	return token;
}

/* So many bytes of 0x55, 0xaa, 0x55, ... in base64, with what stands before and behind it. */
static struct pkcs11_token parse(const char *before, size_t bytes, const char *behind)
{
	char text[2000];
	size_t at = (size_t)sprintf(text, "%s\"", before);

	for (size_t i = 0; i < bytes / 3; i++)
		at += (size_t)sprintf(text + at, "%s", i % 2 ? "qlWq" : "VapV");
	at += (size_t)sprintf(text + at, "%s\"%s", bytes % 3 == 1 ? "qg==" : bytes % 3 == 2 ? "qlU=" : "", behind);
	return parse_text(text, at);
}

#define HEAD "{\"type\":\"systemd-pkcs11\",\"keyslots\":[\"3\"],\"pkcs11-uri\":\"pkcs11:token=x\",\"pkcs11-key\":"

static void of_systemd(void **state)
{
	static const uint8_t begins[] = {0x8e, 0x11, 0xac, 0x26, 0xfd, 0xa3}, ends[] = {0x43, 0x98, 0x51, 0x74, 0xc5, 0x8d};
	char text[sizeof(recorded)];
	struct pkcs11_token token;

	(void)state;
	memcpy(text, recorded, sizeof(recorded));
	token = parse_text(text, sizeof(recorded) - 1);
	assert_null(token.unusable);
	assert_int_equal(token.keyslots, 1u << 1);
	assert_memory_equal(token.encrypted, begins, sizeof(begins));
	assert_memory_equal(token.encrypted + sizeof(token.encrypted) - sizeof(ends), ends, sizeof(ends));
}

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
		cmocka_unit_test(of_systemd),
		cmocka_unit_test(whole),
		cmocka_unit_test(slips),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
