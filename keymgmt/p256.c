/* SPDX-License-Identifier: Apache-2.0 */
#include "keymgmt/p256.h"
#include "storage/crypt/wipe.h"
#include <string.h>

/* A number modulo p, lowest word first; in Montgomery's form but where said otherwise. */
typedef uint64_t number[4];

/* In Jacobian coordinates; z is zero at infinity. */
struct point {
	number x, y, z;
} __attribute__((aligned(32)));

/*
 * Of libcrypto's ecp_nistz256-x86_64.o, which is linked without the rest of the
 * library. The names are internal to it: test_p256 pins them. They use no red zone and
 * keep no state; the results are below p.
 */
void ecp_nistz256_mul_mont(number result, const number a, const number b);
void ecp_nistz256_sqr_mont(number result, const number a);
void ecp_nistz256_to_mont(number result, const number a);
void ecp_nistz256_from_mont(number result, const number a);
void ecp_nistz256_add(number result, const number a, const number b);
void ecp_nistz256_sub(number result, const number a, const number b);
void ecp_nistz256_point_double(struct point *result, const struct point *a);
void ecp_nistz256_point_add(struct point *result, const struct point *a, const struct point *b);

/* The prime, the group's order, b of the equation, the base point (SP 800-186, 3.2.1.3). */
static const uint8_t prime[P256_BYTES] = {0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff,
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
static const uint8_t order[P256_BYTES] = {0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51};
static const uint8_t curve_b[P256_BYTES] = {0x5a, 0xc6, 0x35, 0xd8, 0xaa, 0x3a, 0x93, 0xe7, 0xb3, 0xeb, 0xbd, 0x55, 0x76,
	0x98, 0x86, 0xbc, 0x65, 0x1d, 0x06, 0xb0, 0xcc, 0x53, 0xb0, 0xf6, 0x3b, 0xce, 0x3c, 0x3e, 0x27, 0xd2, 0x60, 0x4b};
static const struct p256_point base = {
	{0x6b, 0x17, 0xd1, 0xf2, 0xe1, 0x2c, 0x42, 0x47, 0xf8, 0xbc, 0xe6, 0xe5, 0x63, 0xa4, 0x40, 0xf2, 0x77, 0x03, 0x7d,
		0x81, 0x2d, 0xeb, 0x33, 0xa0, 0xf4, 0xa1, 0x39, 0x45, 0xd8, 0x98, 0xc2, 0x96},
	{0x4f, 0xe3, 0x42, 0xe2, 0xfe, 0x1a, 0x7f, 0x9b, 0x8e, 0xe7, 0xeb, 0x4a, 0x7c, 0x0f, 0x9e, 0x16, 0x2b, 0xce, 0x33,
		0x57, 0x6b, 0x31, 0x5e, 0xce, 0xcb, 0xb6, 0x40, 0x68, 0x37, 0xbf, 0x51, 0xf5},
};
static const uint8_t one[P256_BYTES] = {[P256_BYTES - 1] = 1};

static void get(number result, const uint8_t bytes[P256_BYTES])
{
	for (unsigned i = 0; i < 4; i++) {
		uint64_t word;

		memcpy(&word, bytes + 8 * (3 - i), sizeof(word));
		result[i] = __builtin_bswap64(word);
	}
	ecp_nistz256_to_mont(result, result);
}

static void put(const number value, uint8_t bytes[P256_BYTES])
{
	number plain;

	ecp_nistz256_from_mont(plain, value);
	for (unsigned i = 0; i < 4; i++) {
		uint64_t word = __builtin_bswap64(plain[i]);

		memcpy(bytes + 8 * (3 - i), &word, sizeof(word));
	}
	secret_wipe(plain, sizeof(plain));
}

/* y^2 = x^3 - 3x + b */
static bool on_curve(const struct point *point)
{
	number left, right, term;

	ecp_nistz256_sqr_mont(left, point->y);
	ecp_nistz256_sqr_mont(right, point->x);
	ecp_nistz256_mul_mont(right, right, point->x);
	for (unsigned i = 0; i < 3; i++)
		ecp_nistz256_sub(right, right, point->x);
	get(term, curve_b);
	ecp_nistz256_add(right, right, term);
	return !memcmp(left, right, sizeof(left));
}

static bool read_point(struct point *result, const struct p256_point *point)
{
	if (memcmp(point->x, prime, P256_BYTES) >= 0 || memcmp(point->y, prime, P256_BYTES) >= 0)
		return false;
	get(result->x, point->x);
	get(result->y, point->y);
	get(result->z, one);
	return on_curve(result);
}

/* Fermat: the power of p - 2, which is no secret. */
static void invert(number result, const number a)
{
	uint8_t power[P256_BYTES];

	memcpy(power, prime, sizeof(power));
	power[P256_BYTES - 1] -= 2;
	get(result, one);
	for (unsigned bit = 0; bit < 8 * P256_BYTES; bit++) {
		ecp_nistz256_sqr_mont(result, result);
		if (power[bit / 8] >> (7 - bit % 8) & 1)
			ecp_nistz256_mul_mont(result, result, a);
	}
}

static void write_point(const struct point *point, struct p256_point *result)
{
	number inverse, power, value;

	invert(inverse, point->z);
	ecp_nistz256_sqr_mont(power, inverse);
	ecp_nistz256_mul_mont(value, point->x, power);
	put(value, result->x);
	ecp_nistz256_mul_mont(power, power, inverse);
	ecp_nistz256_mul_mont(value, point->y, power);
	put(value, result->y);
	secret_wipe(inverse, sizeof(inverse));
	secret_wipe(power, sizeof(power));
	secret_wipe(value, sizeof(value));
}

/* `*to` becomes `*from` when `bit` is 1, without a branch. */
static void move_if(uint64_t bit, struct point *to, const struct point *from)
{
	uint64_t *target = to->x, mask = 0 - bit;
	const uint64_t *source = from->x;

	for (size_t i = 0; i < sizeof(*to) / sizeof(*target); i++)
		target[i] ^= mask & (target[i] ^ source[i]);
}

/* Doubles, and always adds, from the highest bit down. */
static void multiply(struct point *result, const uint8_t secret[P256_BYTES], const struct point *point)
{
	struct point sum;

	memset(result, 0, sizeof(*result));
	for (unsigned bit = 0; bit < 8 * P256_BYTES; bit++) {
		ecp_nistz256_point_double(result, result);
		ecp_nistz256_point_add(&sum, result, point);
		move_if(secret[bit / 8] >> (7 - bit % 8) & 1, result, &sum);
	}
	secret_wipe(&sum, sizeof(sum));
}

bool p256_agree(const uint8_t secret[P256_BYTES], const struct p256_point *peer, struct p256_point *own,
	uint8_t shared[P256_BYTES])
{
	static const uint8_t zero[P256_BYTES];
	struct p256_point both;
	struct point point, product;

	memset(shared, 0, P256_BYTES);
	if (!read_point(&point, peer) || !memcmp(secret, zero, P256_BYTES) || memcmp(secret, order, P256_BYTES) >= 0)
		return false;
	multiply(&product, secret, &point);
	write_point(&product, &both);
	memcpy(shared, both.x, P256_BYTES);
	read_point(&point, &base);
	multiply(&product, secret, &point);
	write_point(&product, own);
	secret_wipe(&both, sizeof(both));
	secret_wipe(&product, sizeof(product));
	return true;
}
