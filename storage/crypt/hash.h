/* SPDX-License-Identifier: Apache-2.0 */
/* A hash function chosen at run time, by the names LUKS2 uses. No allocation; the state is the caller's to
 * wipe. */
#ifndef STORAGE_CRYPT_HASH_H
#define STORAGE_CRYPT_HASH_H

#include "storage/crypt/sha2.h"

enum hash_kind { HASH_SHA256, HASH_SHA512 };

#define HASH_MAX_BYTES 64
#define HASH_MAX_BLOCK 128

struct hash {
	enum hash_kind kind;
	union {
		struct sha256 sha256;
		struct sha512 sha512;
	} state;
};

/* Digest and block length of `kind` in bytes. */
size_t hash_bytes(enum hash_kind kind);
size_t hash_block_bytes(enum hash_kind kind);

void hash_init(struct hash *hash, enum hash_kind kind);
void hash_update(struct hash *hash, const void *data, size_t bytes);
/* Writes hash_bytes(kind) bytes; the state is wiped. */
void hash_final(struct hash *hash, uint8_t *digest);

#endif
