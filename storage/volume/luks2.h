/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading and unlocking a LUKS2 header (LUKS2 On-Disk Format Specification 1.1),
 * detached, in a partition of its own. Everything on the disk is hostile: a copy
 * is read once, its checksum and JSON are checked whole, and only the typed
 * description in `struct luks2` is used afterwards.
 *
 * No allocation: big buffers stand in a scratch area of LUKS2_SCRATCH_BYTES that
 * the caller gives, and the working memory of argon2id comes from its callback.
 * Every function wipes the secrets it made on every way out. Vector registers are
 * used; a caller for whom they matter saves them.
 */
#ifndef STORAGE_VOLUME_LUKS2_H
#define STORAGE_VOLUME_LUKS2_H

#include "keymgmt/argon2.h"
#include "keymgmt/pkcs11.h"
#include "keymgmt/tpm2.h"
#include "storage/crypt/hash.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LUKS2_KEYSLOTS	32
#define LUKS2_DIGESTS	8
#define LUKS2_ALL_KEYSLOTS UINT32_MAX
#define LUKS2_TPM2_TOKENS 8 /* that are looked at; further ones are ignored */
#define LUKS2_PKCS11_TOKENS 8 /* likewise */
#define LUKS2_MAX_KEY	64 /* bytes of a volume key or of a key-slot area's key */
#define LUKS2_MAX_SALT	64
#define LUKS2_MAX_NODES 4096 /* values in the JSON text */

/* The largest header copy (4 MiB) and the tree of its JSON. */
#define LUKS2_SCRATCH_BYTES (0x400000 + LUKS2_MAX_NODES * 64)

enum luks2_error {
	LUKS2_OK,
	LUKS2_UNREADABLE,	/* the source reported a read error */
	LUKS2_NO_HEADER,	/* neither copy bears LUKS2's mark */
	LUKS2_DAMAGED,		/* no copy is whole; luks2.copy[] tells about each */
	LUKS2_MALFORMED,	/* a whole copy describes something that cannot be */
	LUKS2_UNSUPPORTED,	/* valid LUKS2 that we cannot use */
	LUKS2_REENCRYPTING,	/* requirement online-reencrypt */
	LUKS2_NO_TOKEN,		/* no token of type underseal */
	LUKS2_TOKEN_MISMATCH,	/* the token names another partition or other bounds */
	LUKS2_WRONG_PASSPHRASE, /* opens no key slot */
	LUKS2_NO_MEMORY,	/* argon2id's memory could not be had */
};

/* One sentence for a person; luks2.detail says more where it is not empty. */
const char *luks2_error_text(enum luks2_error error);

/* Where header bytes come from. `read` gets ranges within [0, bytes) and returns 0, or -1 on an error. */
struct luks2_source {
	int (*read)(void *context, uint64_t offset, void *buffer, size_t bytes);
	void *context;
	uint64_t bytes;
};

enum luks2_copy {
	LUKS2_COPY_ABSENT, /* no mark of LUKS2 where it should be */
	LUKS2_COPY_DAMAGED,
	LUKS2_COPY_WHOLE,
};

enum luks2_kdf { LUKS2_PBKDF2, LUKS2_ARGON2ID };

struct luks2_keyslot {
	bool present;
	uint8_t priority;     /* 0 only when asked for, 1 normal, 2 first */
	const char *unusable; /* why this slot cannot be used, or NULL */
	uint32_t key_bytes;   /* of the volume key in it */
	enum luks2_kdf kdf;
	enum hash_kind kdf_hash; /* pbkdf2 */
	uint32_t iterations;	 /* pbkdf2 */
	struct argon2_cost cost; /* argon2id */
	uint8_t salt[LUKS2_MAX_SALT];
	size_t salt_bytes;
	uint32_t stripes; /* of the anti-forensic splitter */
	enum hash_kind af_hash;
	uint32_t area_key_bytes; /* aes-xts-plain64, 512-byte sectors from 0 */
	uint64_t area_offset;	 /* in the header source, bytes */
	uint64_t area_bytes;
};

struct luks2_digest {
	bool usable;
	uint32_t keyslots, segments; /* bit masks */
	enum hash_kind hash;
	uint32_t iterations;
	uint8_t salt[LUKS2_MAX_SALT], digest[HASH_MAX_BYTES];
	size_t salt_bytes, digest_bytes;
};

/* The one crypt segment: aes-xts-plain64. */
struct luks2_segment {
	uint32_t sector_bytes;
	uint64_t offset;   /* on the data partition, bytes */
	uint64_t bytes;	   /* 0: up to the partition's end */
	uint64_t iv_tweak; /* of its first sector, 512-byte units */
};

/* What a data partition is called and where it lies; GUIDs as GPT stores them, LBAs inclusive. */
struct luks2_place {
	uint8_t partuuid[16], disk_guid[16];
	uint64_t first_lba, last_lba;
	uint32_t lba_bytes;
};

struct luks2 {
	enum luks2_copy copy[2]; /* primary, secondary */
	unsigned chosen;	 /* the copy that the rest was read from */
	const char *detail;	 /* a clause about the last error, or "" */
	uint64_t header_bytes;	 /* of one copy */
	uint64_t sequence;
	char uuid[40], label[48];
	struct luks2_keyslot keyslot[LUKS2_KEYSLOTS];
	struct luks2_digest digest[LUKS2_DIGESTS];
	struct luks2_segment segment;
	bool has_token;
	struct luks2_place token;
	struct tpm2_token tpm2[LUKS2_TPM2_TOKENS]; /* in the order of the header */
	unsigned tpm2_tokens;
	struct pkcs11_token pkcs11[LUKS2_PKCS11_TOKENS]; /* likewise */
	unsigned pkcs11_tokens;
};

/*
 * Reads both copies, chooses the newer whole one and describes it. `scratch` is
 * LUKS2_SCRATCH_BYTES, 16-byte aligned. On an error `copy` and `detail` are
 * valid, and `uuid` where a whole copy was found.
 */
enum luks2_error luks2_read(struct luks2 *header, const struct luks2_source *source, void *scratch);

/* Compares the token with the partition it is found to protect. LUKS2_OK, LUKS2_NO_TOKEN or
 * LUKS2_TOKEN_MISMATCH. */
enum luks2_error luks2_check_place(struct luks2 *header, const struct luks2_place *place);

struct luks2_key {
	uint8_t key[LUKS2_MAX_KEY];
	uint32_t key_bytes;
	unsigned keyslot;
};

/*
 * Tries the passphrase on every usable slot of the bit mask `keyslots` in order of
 * priority. On success the caller wipes `key`; on an error it is zeroes. `scratch`
 * as above, wiped.
 */
enum luks2_error luks2_unlock(struct luks2 *header, const struct luks2_source *source, uint32_t keyslots,
	const void *passphrase, size_t passphrase_bytes, const struct argon2_memory *memory, void *scratch,
	struct luks2_key *key);

/*
 * Reads a GUID in its text form (8-4-4-4-12 hex digits, any case) into the order of
 * bytes GPT uses (first three groups little endian). False when it is none.
 */
bool luks2_parse_guid(const char *text, size_t bytes, uint8_t guid[16]);

/* Merges `stripes` blocks of `key_bytes` at `split` into the key (LUKS1's anti-forensic splitter). */
void luks2_af_merge(
	const uint8_t *split, uint32_t stripes, enum hash_kind hash, uint8_t *key, size_t key_bytes);

#endif
