/* SPDX-License-Identifier: Apache-2.0 */
/*
 * LUKS2 headers through libcryptsetup. It works on an image of the header in
 * memory, never on the disk: the disk is written by our own ordered commits.
 */
#ifndef INSTALLER_HEADER_H
#define INSTALLER_HEADER_H

#include "installer/secrets.h"
#include "installer/state.h"
#include <libcryptsetup.h>

#define HEADER_DEFAULT_BYTES (16ull << 20)
/* What is left of 1 MiB behind the GPT of a disk with 4096-byte sectors. */
#define HEADER_LEAST_BYTES (1000ull << 10)
#define HEADER_MOST_BYTES  (128ull << 20)

struct header_options {
	uint64_t header_bytes;
	uint64_t volume_bytes;
	uint32_t sector_size; /* of the cipher */
	uint32_t pbkdf_kib;   /* argon2id memory; 0: 256 MiB, so that every machine can open it at boot */
	uint32_t pbkdf_ms;    /* time one try shall take; 0: 2000 */
	struct header_token token;
};

#define HEADER_IMAGE_NAME "the header's image" /* in error lines */

/* An empty image file of `bytes` in memory: a descriptor, or -1 after an error line. */
int header_image(uint64_t bytes);

/*
 * Makes in `image` the header of a volume of which nothing is encrypted yet: a
 * new volume key in one slot under the passphrase, the token, and the
 * re-encryption requirement. Returns an exit code.
 */
int header_make(int image, const struct header_options *options, const struct secrets *secrets);

/* libcryptsetup's view of `image`, nothing loaded yet; NULL when it fails. The caller frees it. */
struct crypt_device *header_device(int image);

/* argon2id of that cost; 0: the defaults of header_options. */
struct crypt_pbkdf_type header_pbkdf(uint32_t kib, uint32_t ms);

/* Takes the volume key out of `image` into secrets->key and ->schedule. Returns an exit code. */
int header_unlock(int image, struct secrets *secrets);

#endif
