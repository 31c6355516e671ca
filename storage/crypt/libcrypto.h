/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The AES-NI routines inside Debian's libcrypto.a that we link without the rest
 * of the library. The names are internal to libcrypto and promised by nobody:
 * the known answers of xts_self_test() are what pins them.
 *
 * They clobber xmm0-15 and the caller-saved registers, keep no state and use no
 * red zone. The data key of a decryption is a decryption schedule; the tweak key
 * is an encryption schedule in both directions.
 */
#ifndef STORAGE_CRYPT_LIBCRYPTO_H
#define STORAGE_CRYPT_LIBCRYPTO_H

#include "storage/crypt/xts.h"

/* 0, or negative for a number of bits that is no AES key. */
int aesni_set_encrypt_key(const uint8_t *key, int bits, struct xts_schedule *schedule);
int aesni_set_decrypt_key(const uint8_t *key, int bits, struct xts_schedule *schedule);

/* One block of 16 bytes. */
void aesni_encrypt(const uint8_t *source, uint8_t *target, const struct xts_schedule *schedule);

/* One data unit of `bytes` >= 16; `tweak` is not changed. In place is fine. */
void aesni_xts_encrypt(const uint8_t *source, uint8_t *target, size_t bytes, const struct xts_schedule *data,
	const struct xts_schedule *tweak_key, const uint8_t tweak[16]);
void aesni_xts_decrypt(const uint8_t *source, uint8_t *target, size_t bytes, const struct xts_schedule *data,
	const struct xts_schedule *tweak_key, const uint8_t tweak[16]);

#endif
