/* SPDX-License-Identifier: Apache-2.0 */
/* AES-XTS against OpenSSL's own interface, sector by sector. */
#include "storage/crypt/wipe.h"
#include "storage/crypt/xts.h"
#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#define MAX_BYTES (64 * 1024)

static void fill_random(uint8_t *out, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		out[i] = (uint8_t)(random() >> 8);
}

/* The judge: one data unit through EVP. */
static void reference(const uint8_t *key, size_t key_bytes, uint64_t tweak, const uint8_t *in, uint8_t *out,
	size_t bytes, int encrypt)
{
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	uint8_t iv[16] = {0};
	int written;

	for (int i = 0; i < 8; i++)
		iv[i] = (uint8_t)(tweak >> (8 * i));
	assert_int_equal(EVP_CipherInit_ex(context, key_bytes == 64 ? EVP_aes_256_xts() : EVP_aes_128_xts(),
				 NULL, key, iv, encrypt),
		1);
	assert_int_equal(EVP_CipherUpdate(context, out, &written, in, (int)bytes), 1);
	assert_int_equal(written, bytes);
	EVP_CIPHER_CTX_free(context);
}

static void self_test_holds(void **state)
{
	(void)state;
	assert_int_equal(xts_self_test(), 0);
}

static void equals_openssl(void **state)
{
	static uint8_t plain[MAX_BYTES], expected[MAX_BYTES], cipher[MAX_BYTES], back[MAX_BYTES];

	(void)state;
	for (int round = 0; round < 200; round++) {
		uint32_t sector_size = 512u << (random() % 4);
		size_t bytes = sector_size * (1 + (size_t)random() % (MAX_BYTES / sector_size));
		size_t key_bytes = random() % 2 ? 64 : 32;
		uint64_t tweak = ((uint64_t)random() << 33) ^ (uint64_t)random();
		struct xts_key key;
		uint8_t raw[64];

		fill_random(raw, sizeof(raw));
		fill_random(plain, bytes);
		assert_int_equal(xts_key_init(&key, raw, key_bytes), 0);
		for (size_t at = 0; at < bytes; at += sector_size)
			reference(
				raw, key_bytes, tweak + at / 512, plain + at, expected + at, sector_size, 1);
		xts_encrypt(&key, tweak, sector_size, plain, cipher, bytes);
		assert_memory_equal(cipher, expected, bytes);
		xts_decrypt(&key, tweak, sector_size, cipher, back, bytes);
		assert_memory_equal(back, plain, bytes);
		xts_decrypt(&key, tweak, sector_size, cipher, cipher, bytes);
		assert_memory_equal(cipher, plain, bytes);
	}
}

/* Any position in memory, and not a byte beyond the run. */
static void unaligned_and_bounded(void **state)
{
	static uint8_t buffer[4096 + 64], expected[4096];
	uint8_t raw[64];
	struct xts_key key;

	(void)state;
	fill_random(raw, sizeof(raw));
	assert_int_equal(xts_key_init(&key, raw, sizeof(raw)), 0);
	for (size_t shift = 1; shift < 32; shift += 5) {
		memset(buffer, 0x5a, sizeof(buffer));
		reference(raw, 64, 7, buffer + shift, expected, 4096, 1);
		xts_encrypt(&key, 7, 4096, buffer + shift, buffer + shift, 4096);
		assert_memory_equal(buffer + shift, expected, 4096);
		for (size_t i = 0; i < sizeof(buffer); i++)
			if (i < shift || i >= shift + 4096)
				assert_int_equal(buffer[i], 0x5a);
	}
}

static void bad_keys_are_refused(void **state)
{
	struct xts_key key;
	uint8_t raw[64];

	(void)state;
	fill_random(raw, sizeof(raw));
	for (size_t bytes = 0; bytes <= 64; bytes++)
		assert_int_equal(xts_key_init(&key, raw, bytes), bytes == 32 || bytes == 64 ? 0 : -1);
	memcpy(raw + 32, raw, 32);
	assert_int_equal(xts_key_init(&key, raw, 64), -1);
	raw[63] ^= 0x80;
	assert_int_equal(xts_key_init(&key, raw, 64), 0);
	memcpy(raw + 16, raw, 16);
	assert_int_equal(xts_key_init(&key, raw, 32), -1);
}

static void wipe_leaves_zeroes(void **state)
{
	uint8_t secret[100];

	(void)state;
	memset(secret, 0xaa, sizeof(secret));
	secret_wipe(secret + 1, sizeof(secret) - 2);
	assert_int_equal(secret[0], 0xaa);
	assert_int_equal(secret[99], 0xaa);
	for (int i = 1; i < 99; i++)
		assert_int_equal(secret[i], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(self_test_holds),
		cmocka_unit_test(equals_openssl),
		cmocka_unit_test(unaligned_and_bounded),
		cmocka_unit_test(bad_keys_are_refused),
		cmocka_unit_test(wipe_leaves_zeroes),
	};
	const char *given = getenv("SEED");
	unsigned seed = given ? (unsigned)strtoul(given, NULL, 0) : (unsigned)time(NULL);

	printf("SEED=%u\n", seed);
	srandom(seed);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
