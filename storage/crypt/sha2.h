/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SHA-256 and SHA-512 as libcrypto's C interface has them (FIPS 180-4), declared
 * here so that freestanding code needs no header of OpenSSL. The structures are
 * laid out as SHA256_CTX and SHA512_CTX; every function returns 1.
 */
#ifndef STORAGE_CRYPT_SHA2_H
#define STORAGE_CRYPT_SHA2_H

#include <stddef.h>
#include <stdint.h>

#define SHA256_BYTES 32
#define SHA512_BYTES 64

struct sha256 {
	uint32_t state[8];
	uint32_t bits_low, bits_high;
	uint32_t block[16];
	uint32_t buffered, digest_bytes;
};

struct sha512 {
	uint64_t state[8];
	uint64_t bits_low, bits_high;
	uint64_t block[16];
	uint32_t buffered, digest_bytes;
};

_Static_assert(sizeof(struct sha256) == 112, "SHA256_CTX");
_Static_assert(sizeof(struct sha512) == 216, "SHA512_CTX");

int SHA256_Init(struct sha256 *context);
int SHA256_Update(struct sha256 *context, const void *data, size_t bytes);
int SHA256_Final(uint8_t digest[SHA256_BYTES], struct sha256 *context);

int SHA512_Init(struct sha512 *context);
int SHA512_Update(struct sha512 *context, const void *data, size_t bytes);
int SHA512_Final(uint8_t digest[SHA512_BYTES], struct sha512 *context);

#endif
