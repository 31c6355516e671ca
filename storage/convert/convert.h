/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Encrypts a volume in place, from its first byte to its last, so that a power
 * cut at any write loses nothing. The state on the disk is LUKS2's own
 * re-encryption state (LUKS2 On-Disk Format Specification 1.1.1, section 5;
 * `online-reencrypt-v2`, mode encrypt, direction forward, resilience checksum):
 * stock cryptsetup opens, repairs or finishes whatever this engine leaves.
 *
 *     [0, done)            ciphertext
 *     [done, done + hot)   in doubt; the SHA-256 of every plaintext unit is in
 *                          the checksum area of the header
 *     the rest             plaintext
 *
 * A zone is moved in four steps, each durable before the next begins:
 * checksums -> header (zone in doubt) -> data -> header (zone done). Behind the last
 * zone the checksums are cleared before the header becomes an ordinary one.
 *
 * Freestanding, no allocation. One thread at a time per struct convert.
 */
#ifndef STORAGE_CONVERT_CONVERT_H
#define STORAGE_CONVERT_CONVERT_H

#include "storage/convert/sum.h"
#include "storage/crypt/xts.h"
#include <stddef.h>
#include <stdint.h>

#define CONVERT_PIECE	 512  /* the least a medium writes whole, bytes */
#define CONVERT_UNIT_MAX 4096 /* largest unit that bears one checksum, bytes */

enum convert_result {
	CONVERT_DONE = 0,
	CONVERT_MORE = 1,
	CONVERT_EIO = -1,      /* the port failed; the state on the disk is sound, try again */
	CONVERT_EDAMAGED = -2, /* a unit in doubt is neither its plaintext nor its ciphertext */
	CONVERT_EINVAL = -3,   /* sizes that do not fit together */
};

/* Where the boundary stands, in bytes from the start of the volume. */
struct convert_state {
	uint64_t done;
	uint64_t hot;
};

enum convert_part { CONVERT_DATA, CONVERT_HEADER };

/*
 * What the engine asks of its surroundings. Offsets are bytes from the start of
 * the volume (CONVERT_DATA) or of the header (CONVERT_HEADER). Every function
 * returns 0, or -1 after telling a person why.
 */
struct convert_port {
	void *context;
	int (*read)(void *context, enum convert_part part, uint64_t offset, void *buffer, size_t bytes);
	int (*write)(
		void *context, enum convert_part part, uint64_t offset, const void *buffer, size_t bytes);
	/* Returns when every earlier write to `part` survives a power cut. */
	int (*sync)(void *context, enum convert_part part);
	/*
	 * Commits `state` to both copies of the header; durable on return. When
	 * `done` is the whole volume, the header becomes an ordinary one.
	 */
	int (*commit)(void *context, const struct convert_state *state);
};

struct convert {
	/* Filled by the caller, constant afterwards. */
	const struct convert_port *port;
	const struct xts_key *key;
	uint64_t bytes;	      /* of the volume, a multiple of sector_size */
	uint32_t sector_size; /* of the cipher, bytes */
	uint32_t unit;	      /* bytes under one checksum: `sector_size` of the reencrypt slot's area */
	uint64_t area_offset; /* the checksum area, in bytes of the header */
	uint64_t area_bytes;
	uint8_t *zone; /* zone_bytes; holds the hot zone */
	size_t zone_bytes;
	uint8_t *sums; /* zone_bytes / unit * SUM_BYTES */
	/* Given as read from the header, then kept by the engine. */
	struct convert_state state;
	uint64_t damaged; /* after CONVERT_EDAMAGED: offset of the unit in the volume, bytes */
};

/*
 * The largest zone, in bytes, that fits both `wanted` and the checksum area:
 * a multiple of `unit`, 0 when not even one unit fits.
 */
size_t convert_zone_bytes(uint64_t wanted, uint64_t area_bytes, uint32_t unit);

/* Checks that the caller's fields fit together. Returns 0 or CONVERT_EINVAL. */
int convert_check(const struct convert *convert);

/*
 * One step: repairs the zone in doubt if there is one, else encrypts the next
 * zone. After CONVERT_MORE no zone is in doubt, so it is a good place to pause;
 * CONVERT_DONE: the volume is ciphertext and its header says so.
 */
enum convert_result convert_step(struct convert *convert);

#endif
