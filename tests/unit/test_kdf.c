/* SPDX-License-Identifier: Apache-2.0 */
/* Hashes, HMAC, PBKDF2 and Argon2id: published answers, then OpenSSL and libargon2's plain interface as
 * judges. */
#include "keymgmt/argon2.h"
#include "keymgmt/hmac.h"
#include "keymgmt/pbkdf2.h"
#include <argon2.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

static void assert_hex(const uint8_t *bytes, size_t count, const char *hex)
{
	char text[2 * 128 + 1];

	assert_int_equal(strlen(hex), 2 * count);
	for (size_t i = 0; i < count; i++)
		sprintf(text + 2 * i, "%02x", bytes[i]);
	assert_string_equal(text, hex);
}

static void fill_random(uint8_t *out, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		out[i] = (uint8_t)(random() >> 8);
}

/* FIPS 180-4 examples: "abc". */
static void hash_known_answers(void **state)
{
	struct hash hash;
	uint8_t digest[HASH_MAX_BYTES];

	(void)state;
	hash_init(&hash, HASH_SHA256);
	hash_update(&hash, "a", 1);
	hash_update(&hash, "bc", 2);
	hash_final(&hash, digest);
	assert_hex(digest, 32, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	hash_init(&hash, HASH_SHA512);
	hash_update(&hash, "abc", 3);
	hash_final(&hash, digest);
	assert_hex(digest, 64,
		"ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
		"2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f");
}

static void final_wipes_the_state(void **state)
{
	static const struct hash zero;
	struct hash hash;
	uint8_t digest[HASH_MAX_BYTES];

	(void)state;
	hash_init(&hash, HASH_SHA512);
	hash_update(&hash, "secret", 6);
	hash_final(&hash, digest);
	assert_memory_equal(&hash, &zero, sizeof(hash));
}

/* RFC 4231, test cases 2 and 6 (a key longer than the block of SHA-256). */
static void hmac_known_answers(void **state)
{
	static const char text[] = "Test Using Larger Than Block-Size Key - Hash Key First";
	struct hmac hmac;
	uint8_t mac[HASH_MAX_BYTES], key[131];

	(void)state;
	hmac_init(&hmac, HASH_SHA256, "Jefe", 4);
	hmac_update(&hmac, "what do ya want for nothing?", 28);
	hmac_final(&hmac, mac);
	assert_hex(mac, 32, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	memset(key, 0xaa, sizeof(key));
	hmac_init(&hmac, HASH_SHA256, key, sizeof(key));
	hmac_update(&hmac, text, strlen(text));
	hmac_final(&hmac, mac);
	assert_hex(mac, 32, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

static void hmac_equals_openssl(void **state)
{
	uint8_t key[300], text[300], mac[HASH_MAX_BYTES], expected[HASH_MAX_BYTES];

	(void)state;
	for (int round = 0; round < 500; round++) {
		enum hash_kind kind = random() % 2 ? HASH_SHA256 : HASH_SHA512;
		size_t key_bytes = (size_t)random() % sizeof(key), bytes = (size_t)random() % sizeof(text);
		size_t cut = bytes ? (size_t)random() % bytes : 0;
		struct hmac hmac;

		fill_random(key, key_bytes);
		fill_random(text, bytes);
		hmac_init(&hmac, kind, key, key_bytes);
		hmac_update(&hmac, text, cut);
		hmac_update(&hmac, text + cut, bytes - cut);
		hmac_final(&hmac, mac);
		HMAC(kind == HASH_SHA256 ? EVP_sha256() : EVP_sha512(), key, (int)key_bytes, text, bytes,
			expected, NULL);
		assert_memory_equal(mac, expected, hash_bytes(kind));
	}
}

/* RFC 7914, section 11. */
static void pbkdf2_known_answer(void **state)
{
	uint8_t key[64];

	(void)state;
	pbkdf2(HASH_SHA256, "passwd", 6, "salt", 4, 1, key, sizeof(key));
	assert_hex(key, 64,
		"55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc"
		"49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783");
}

static void pbkdf2_equals_openssl(void **state)
{
	uint8_t passphrase[200], salt[64], key[160], expected[160];

	(void)state;
	for (int round = 0; round < 100; round++) {
		enum hash_kind kind = random() % 2 ? HASH_SHA256 : HASH_SHA512;
		size_t bytes = (size_t)random() % sizeof(passphrase),
		       wanted = 1 + (size_t)random() % sizeof(key);
		size_t salt_bytes = (size_t)random() % sizeof(salt);
		uint32_t iterations = 1 + (uint32_t)random() % 50;

		fill_random(passphrase, bytes);
		fill_random(salt, salt_bytes);
		memset(key, 0x11, sizeof(key));
		memset(expected, 0x11, sizeof(expected));
		pbkdf2(kind, passphrase, bytes, salt, salt_bytes, iterations, key, wanted);
		PKCS5_PBKDF2_HMAC((char *)passphrase, (int)bytes, salt, (int)salt_bytes, (int)iterations,
			kind == HASH_SHA256 ? EVP_sha256() : EVP_sha512(), (int)wanted, expected);
		assert_memory_equal(key, expected, sizeof(key));
	}
}

/* Memory for Argon2 that remembers whether it came back, and came back empty. */
static size_t taken_bytes;
static unsigned taken, given_back, dirty;

static void *take(void *context, size_t bytes)
{
	(void)context;
	taken++;
	taken_bytes = bytes;
	return aligned_alloc(64, bytes);
}

static void *take_nothing(void *context, size_t bytes)
{
	(void)context;
	(void)bytes;
	return NULL;
}

static void give_back(void *context, void *memory, size_t bytes)
{
	(void)context;
	given_back++;
	for (size_t i = 0; i < bytes; i++)
		dirty += ((uint8_t *)memory)[i] != 0;
	assert_int_equal(bytes, taken_bytes);
	free(memory);
}

static const struct argon2_memory memory = {.take = take, .give_back = give_back};
static const struct argon2_memory no_memory = {.take = take_nothing, .give_back = give_back};

static void argon2id_equals_libargon2(void **state)
{
	uint8_t passphrase[64], salt[32], key[64], expected[64];

	(void)state;
	taken = given_back = dirty = 0;
	for (int round = 0; round < 12; round++) {
		struct argon2_cost cost = {1 + (uint32_t)random() % 4, 64 + (uint32_t)random() % 512,
			1 + (uint32_t)random() % 4};
		size_t bytes = (size_t)random() % sizeof(passphrase);

		fill_random(passphrase, sizeof(passphrase));
		fill_random(salt, sizeof(salt));
		assert_int_equal(
			argon2id(&cost, &memory, passphrase, bytes, salt, sizeof(salt), key, sizeof(key)),
			ARGON2_DONE);
		assert_int_equal(argon2id_hash_raw(cost.passes, cost.memory_kib, cost.lanes, passphrase,
					 bytes, salt, sizeof(salt), expected, sizeof(expected)),
			0);
		assert_memory_equal(key, expected, sizeof(key));
	}
	assert_int_equal(taken, 12);
	assert_int_equal(given_back, 12);
	assert_int_equal(dirty, 0);
}

static void argon2id_failures_are_told_apart(void **state)
{
	struct argon2_cost cost = {1, 64, 1}, none = {1, 64, 0};
	uint8_t key[32] = {1}, zero[32] = {0};

	(void)state;
	assert_int_equal(argon2id(&cost, &no_memory, "x", 1, "saltsalt", 8, key, 32), ARGON2_NO_MEMORY);
	assert_memory_equal(key, zero, 32);
	assert_int_equal(argon2id(&none, &memory, "x", 1, "saltsalt", 8, key, 32), ARGON2_BAD_COST);
	assert_int_equal(argon2id(&cost, &memory, "x", 1, "short", 5, key, 32), ARGON2_BAD_COST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hash_known_answers),
		cmocka_unit_test(final_wipes_the_state),
		cmocka_unit_test(hmac_known_answers),
		cmocka_unit_test(hmac_equals_openssl),
		cmocka_unit_test(pbkdf2_known_answer),
		cmocka_unit_test(pbkdf2_equals_openssl),
		cmocka_unit_test(argon2id_equals_libargon2),
		cmocka_unit_test(argon2id_failures_are_told_apart),
	};
	const char *given = getenv("SEED");
	unsigned seed = given ? (unsigned)strtoul(given, NULL, 0) : (unsigned)time(NULL);

	printf("SEED=%u\n", seed);
	srandom(seed);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
