/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Data of a disk between plaintext and ciphertext, in place, run by run of the disk's
 * map: what is clear or guarded stays as it is.
 *
 * A block of XTS depends on its key, the sector's number and its own place in the
 * sector, and on nothing else of the sector (IEEE 1619, 5.3; sectors are multiples of
 * 16 bytes, so nothing is stolen). So a part of a cipher sector is transformed without
 * the rest, where the cipher's sector is larger than the disk's.
 */
#ifndef STORAGE_VOLUME_TRANSFORM_H
#define STORAGE_VOLUME_TRANSFORM_H

#include "storage/crypt/scope.h"
#include "storage/volume/map.h"

/* Where the data lies, piece by piece; all of a sector may be another piece's. */
struct pieces {
	/* Memory and length of piece `index`; what is asked for is there. */
	uint8_t *(*piece)(const void *context, uint32_t index, uint32_t *bytes);
	const void *context;
};

/* `at` is the place on the disk, in bytes; it and `bytes` are multiples of 16. */
void transform_pieces(const struct disk_map *map, uint64_t at, uint64_t bytes, bool encrypt, const struct pieces *pieces,
	struct cipher_scope *scope);
void transform_memory(const struct disk_map *map, uint64_t at, uint8_t *memory, uint32_t bytes, bool encrypt,
	struct cipher_scope *scope);

#endif
