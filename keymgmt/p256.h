/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Elliptic-curve Diffie-Hellman on NIST P-256 (SP 800-56A, 5.7.1.2), with the field
 * and point arithmetic of libcrypto's assembly. No allocation. The time it takes does
 * not depend on the secret.
 */
#ifndef KEYMGMT_P256_H
#define KEYMGMT_P256_H

#include <stdbool.h>
#include <stdint.h>

#define P256_BYTES 32

struct p256_point {
	uint8_t x[P256_BYTES], y[P256_BYTES]; /* big endian */
};

/*
 * `own` becomes the public key of `secret`, `shared` the x coordinate that it shares
 * with `peer`. False, and `shared` zeroes, when `peer` is no point of the curve or
 * `secret` no private key (which one of 2^32 random numbers is not).
 */
bool p256_agree(const uint8_t secret[P256_BYTES], const struct p256_point *peer, struct p256_point *own,
	uint8_t shared[P256_BYTES]);

#endif
