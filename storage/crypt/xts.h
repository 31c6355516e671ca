/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AES-XTS over runs of sectors, `aes-xts-plain64` of dm-crypt and LUKS2
 * (IEEE 1619; the tweak is the sector number in 512-byte units, 64-bit little
 * endian, zero extended). Freestanding, no allocation. The caller brackets calls
 * with port_vectors_save/restore.
 */
#ifndef STORAGE_CRYPT_XTS_H
#define STORAGE_CRYPT_XTS_H

#include <stddef.h>
#include <stdint.h>

/* Expanded key schedules: encrypt, decrypt, tweak. Laid out as libcrypto's AES_KEY. */
struct xts_key {
	struct xts_schedule {
		uint32_t round_keys[60];
		int32_t rounds;
		uint32_t pad[3];
	} encrypt, decrypt, tweak;
} __attribute__((aligned(16)));

/*
 * Expands `key` of `bytes` 32 (AES-128) or 64 (AES-256): first half data key,
 * second half tweak key. Returns 0, or -1 for another length or equal halves.
 */
int xts_key_init(struct xts_key *schedule, const uint8_t *key, size_t bytes);

/*
 * Encrypts or decrypts `bytes` (a multiple of `sector_size`) from `source` to
 * `target`; they may be the same address but not overlap otherwise. `tweak` is
 * the first sector's number in 512-byte units; it advances by sector_size/512
 * per sector. `sector_size` is 512, 1024, 2048 or 4096.
 */
void xts_encrypt(const struct xts_key *key, uint64_t tweak, uint32_t sector_size, const void *source,
		 void *target, size_t bytes);
void xts_decrypt(const struct xts_key *key, uint64_t tweak, uint32_t sector_size, const void *source,
		 void *target, size_t bytes);

/* Runs the known-answer vectors; returns 0 when every one holds. To be called once at start. */
int xts_self_test(void);

#endif
