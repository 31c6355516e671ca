/* SPDX-License-Identifier: Apache-2.0 */
/* Public keys in PEM against OpenSSL, which has written them; cut, changed and of other kinds. */
#include "keymgmt/rsa_key.h"
#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct rsa_key read_key;

/* Of its own size, so that a read behind it is seen. */
static bool read_exactly(const char *pem, size_t bytes)
{
	char *exact = malloc(bytes ? bytes : 1);
	bool right;

	memcpy(exact, pem, bytes);
	right = rsa_key_read(&read_key, exact, bytes);
	free(exact);
	return right;
}

static size_t pem_of(EVP_PKEY *key, char pem[2048])
{
	BIO *bio = BIO_new(BIO_s_mem());
	int bytes;

	assert_int_equal(PEM_write_bio_PUBKEY(bio, key), 1);
	bytes = BIO_read(bio, pem, 2047);
	assert_true(bytes > 0);
	pem[bytes] = 0;
	BIO_free(bio);
	return (size_t)bytes;
}

static void check(EVP_PKEY *key, size_t bits)
{
	uint8_t modulus[512], *der = NULL, digest[32];
	BIGNUM *n = NULL, *e = NULL;
	char pem[2048];
	size_t bytes = pem_of(key, pem);
	int der_bytes = i2d_PublicKey(key, &der);

	assert_true(read_exactly(pem, bytes));
	assert_int_equal(EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_N, &n), 1);
	assert_int_equal(EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &e), 1);
	assert_int_equal(BN_bn2bin(n, modulus), bits / 8);
	assert_int_equal(read_key.bytes, bits / 8);
	assert_memory_equal(read_key.modulus, modulus, bits / 8);
	assert_int_equal(read_key.exponent, BN_get_word(e));
	SHA256(der, (size_t)der_bytes, digest);
	assert_memory_equal(read_key.fingerprint, digest, sizeof(digest));
	BN_free(n);
	BN_free(e);
	OPENSSL_free(der);
}

static void keys(void **state)
{
	static const size_t sizes[] = {2048, 3072, 4096};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		EVP_PKEY *key = EVP_RSA_gen((unsigned)sizes[i]);

		check(key, sizes[i]);
		EVP_PKEY_free(key);
	}
}

static void other_keys(void **state)
{
	EVP_PKEY *small = EVP_RSA_gen(1024), *curve = EVP_EC_gen("P-256");
	char pem[2048];

	(void)state;
	assert_false(read_exactly(pem, pem_of(small, pem)));
	assert_false(read_exactly(pem, pem_of(curve, pem)));
	assert_false(read_exactly("", 0));
	assert_false(read_exactly("-----BEGIN PUBLIC KEY-----\n", 27));
	assert_false(read_exactly("-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n", 51));
	EVP_PKEY_free(small);
	EVP_PKEY_free(curve);
}

/* A key cut before its end is none; a changed one is none, or another one. */
static void cut_and_changed(void **state)
{
	EVP_PKEY *key = EVP_RSA_gen(2048);
	char pem[2048];
	size_t bytes = pem_of(key, pem), end = (size_t)(strstr(pem, "\n-----END") - pem);
	struct rsa_key whole;

	(void)state;
	for (size_t cut = 0; cut < end; cut++)
		assert_false(read_exactly(pem, cut));
	assert_true(read_exactly(pem, bytes));
	whole = read_key;
	for (size_t at = 0; at < end; at++) {
		char was = pem[at];

		pem[at] = was == 'A' ? 'B' : 'A';
		assert_false(read_exactly(pem, bytes) && !memcmp(&whole, &read_key, sizeof(whole)));
		pem[at] = was;
	}
	EVP_PKEY_free(key);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys),
		cmocka_unit_test(other_keys),
		cmocka_unit_test(cut_and_changed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
