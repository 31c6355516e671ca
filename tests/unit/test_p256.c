/* SPDX-License-Identifier: Apache-2.0 */
/* P-256 against OpenSSL's own, which does not use these routines alone, and the vectors of RFC 5903. */
#include "keymgmt/p256.h"
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/obj_mac.h>
#include <openssl/rand.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* secret * point, or secret * base point with `point` NULL. */
static struct p256_point multiplied(const uint8_t secret[32], const struct p256_point *point)
{
	EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
	EC_POINT *from = EC_POINT_new(group), *to = EC_POINT_new(group);
	BIGNUM *number = BN_bin2bn(secret, 32, NULL);
	struct p256_point result;
	uint8_t bytes[65] = {4};

	if (point) {
		memcpy(bytes + 1, point, 64);
		assert_int_equal(EC_POINT_oct2point(group, from, bytes, sizeof(bytes), NULL), 1);
	}
	assert_int_equal(EC_POINT_mul(group, to, point ? NULL : number, point ? from : NULL, point ? number : NULL, NULL), 1);
	assert_int_equal(EC_POINT_point2oct(group, to, POINT_CONVERSION_UNCOMPRESSED, bytes, sizeof(bytes), NULL), 65);
	memcpy(&result, bytes + 1, 64);
	BN_free(number);
	EC_POINT_free(from);
	EC_POINT_free(to);
	EC_GROUP_free(group);
	return result;
}

static void check(const uint8_t secret[32], const struct p256_point *peer)
{
	struct p256_point own, expected = multiplied(secret, NULL), both = multiplied(secret, peer);
	uint8_t shared[32];

	assert_true(p256_agree(secret, peer, &own, shared));
	assert_memory_equal(&own, &expected, sizeof(own));
	assert_memory_equal(shared, both.x, sizeof(shared));
}

static void random_keys(void **state)
{
	uint8_t secret[32];

	(void)state;
	for (unsigned i = 0; i < 200; i++) {
		struct p256_point peer;

		RAND_bytes(secret, sizeof(secret));
		secret[0] &= 0x7f;
		peer = multiplied(secret, NULL);
		RAND_bytes(secret, sizeof(secret));
		secret[0] &= 0x7f;
		check(secret, &peer);
	}
}

/* Sums of a point and itself, and those that end at infinity in between. */
static void small_and_large_keys(void **state)
{
	static const uint8_t order[32] = {0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51};
	uint8_t secret[32] = {[31] = 1}, shared[32];
	struct p256_point base = multiplied(secret, NULL), own;

	(void)state;
	for (uint8_t i = 1; i < 20; i++) {
		memset(secret, 0, sizeof(secret));
		secret[31] = i;
		check(secret, &base);
		memcpy(secret, order, sizeof(secret));
		secret[31] -= i;
		check(secret, &base);
	}
	assert_false(p256_agree(order, &base, &own, shared));
	memset(secret, 0xff, sizeof(secret));
	assert_false(p256_agree(secret, &base, &own, shared));
	memset(secret, 0, sizeof(secret));
	assert_false(p256_agree(secret, &base, &own, shared));
}

static void points_that_are_none(void **state)
{
	uint8_t secret[32] = {[31] = 5}, shared[32];
	struct p256_point base = multiplied(secret, NULL), peer, own;

	(void)state;
	for (unsigned bit = 0; bit < 512; bit++) {
		peer = base;
		((uint8_t *)&peer)[bit / 8] ^= (uint8_t)(1u << bit % 8);
		memset(shared, 0xa5, sizeof(shared));
		assert_false(p256_agree(secret, &peer, &own, shared));
		assert_memory_equal(shared, (uint8_t[32]){0}, sizeof(shared));
	}
	memset(&peer, 0, sizeof(peer));
	assert_false(p256_agree(secret, &peer, &own, shared));
	memset(&peer, 0xff, sizeof(peer));
	assert_false(p256_agree(secret, &peer, &own, shared));
}

/* A point of the curve whose x is small, and the same with p added: not below p, so not its form. */
static void coordinates_are_reduced(void **state)
{
	EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
	EC_POINT *point = EC_POINT_new(group);
	BIGNUM *x = BN_new(), *y = BN_new(), *p = BN_new();
	uint8_t secret[32] = {[31] = 5}, shared[32];
	struct p256_point peer, own;

	(void)state;
	EC_GROUP_get_curve(group, p, NULL, NULL, NULL);
	for (BN_set_word(x, 1); !EC_POINT_set_compressed_coordinates(group, point, x, 0, NULL); BN_add_word(x, 1))
		;
	EC_POINT_get_affine_coordinates(group, point, x, y, NULL);
	BN_bn2binpad(x, peer.x, 32);
	BN_bn2binpad(y, peer.y, 32);
	assert_true(p256_agree(secret, &peer, &own, shared));
	BN_add(x, x, p);
	assert_int_equal(BN_bn2binpad(x, peer.x, 32), 32);
	assert_false(p256_agree(secret, &peer, &own, shared));
	BN_free(x);
	BN_free(y);
	BN_free(p);
	EC_POINT_free(point);
	EC_GROUP_free(group);
}

static void bytes_of(const char *hex, uint8_t *out)
{
	for (size_t i = 0; hex[2 * i]; i++) {
		unsigned byte;

		assert_int_equal(sscanf(hex + 2 * i, "%2x", &byte), 1);
		out[i] = (uint8_t)byte;
	}
}

/* RFC 5903, 8.1 */
static void rfc5903(void **state)
{
	uint8_t secret[32], expected[32], shared[32];
	struct p256_point peer, own;

	(void)state;
	bytes_of("C88F01F510D9AC3F70A292DAA2316DE544E9AAB8AFE84049C62A9C57862D1433", secret);
	bytes_of("D12DFB5289C8D4F81208B70270398C342296970A0BCCB74C736FC7554494BF63", peer.x);
	bytes_of("56FBF3CA366CC23E8157854C13C58D6AAC23F046ADA30F8353E74F33039872AB", peer.y);
	assert_true(p256_agree(secret, &peer, &own, shared));
	bytes_of("DAD0B65394221CF9B051E1FECA5787D098DFE637FC90B9EF945D0C3772581180", expected);
	assert_memory_equal(own.x, expected, 32);
	bytes_of("5271A0461CDB8252D61F1C456FA3E59AB1F45B33ACCF5F58389E0577B8990BB3", expected);
	assert_memory_equal(own.y, expected, 32);
	bytes_of("D6840F6B42F6EDAFD13116E0E12565202FEF8E9ECE7DCE03812464D04B9442DE", expected);
	assert_memory_equal(shared, expected, 32);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rfc5903),
		cmocka_unit_test(random_keys),
		cmocka_unit_test(small_and_large_keys),
		cmocka_unit_test(points_that_are_none),
		cmocka_unit_test(coordinates_are_reduced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
