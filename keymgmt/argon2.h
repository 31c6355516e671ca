/* SPDX-License-Identifier: Apache-2.0 */
/* Argon2id (RFC 9106) by libargon2, on one thread and in the caller's memory. */
#ifndef KEYMGMT_ARGON2_H
#define KEYMGMT_ARGON2_H

#include <stddef.h>
#include <stdint.h>

/* Where the derivation's working memory comes from: up to gigabytes, so it is taken late and given back soon.
 */
struct argon2_memory {
	/* Returns `bytes` bytes aligned to 64, or NULL. */
	void *(*take)(void *context, size_t bytes);
	/* Takes them back, already wiped. */
	void (*give_back)(void *context, void *memory, size_t bytes);
	void *context;
};

struct argon2_cost {
	uint32_t passes;
	uint32_t memory_kib;
	uint32_t lanes;
};

enum argon2_result {
	ARGON2_DONE = 0,
	ARGON2_NO_MEMORY = -1, /* `take` returned NULL */
	ARGON2_BAD_COST = -2,  /* a parameter outside RFC 9106's bounds */
};

/*
 * Derives `key_bytes` (at least 4) bytes. The number of lanes changes the result
 * but not the number of threads, which is one. One derivation at a time.
 */
enum argon2_result argon2id(const struct argon2_cost *cost, const struct argon2_memory *memory,
	const void *passphrase, size_t passphrase_bytes, const void *salt, size_t salt_bytes, uint8_t *key,
	size_t key_bytes);

#endif
