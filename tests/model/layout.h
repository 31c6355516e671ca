/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a model disk holds: the ranges of a protected one, and the content that a
 * test finds at the start.
 *
 *   clear | A: ciphertext | guarded | clear | B: ciphertext | clear
 */
#ifndef TESTS_MODEL_LAYOUT_H
#define TESTS_MODEL_LAYOUT_H

#include "storage/volume/map.h"

#define LAYOUT_A_FIRST 64u
#define LAYOUT_GUARDED 64u /* sectors, right after A */

struct layout {
	uint32_t lba_size;
	uint64_t sectors; /* a multiple of 64 and at least 1024 */
	uint8_t *medium;
	const struct disk_map *map; /* without ranges where the disk is not protected */
	unsigned number;	    /* of the disk: each has content of its own */
};

uint64_t layout_a_last(uint64_t sectors);
uint64_t layout_b_first(uint64_t sectors);
uint64_t layout_b_last(uint64_t sectors);

void layout_key(struct xts_key *key, unsigned number);
/* The ranges of a protected disk; A's cipher works on sectors of `cipher_a` bytes. Ends the program when they do not fit. */
void layout_map(struct disk_map *map, uint32_t lba_size, uint64_t sectors, uint32_t cipher_a, const struct xts_key *a,
	const struct xts_key *b);
/* What every sector holds at the start, in clear. */
void layout_pattern(const struct layout *layout, uint64_t lba, uint8_t *out);
/* Fills the medium with it, encrypted where the map says ciphertext. */
void layout_fill(const struct layout *layout);
/* Sectors of the medium as their owner should see them. Shares no thought with a mediator about runs. */
void layout_plain(const struct layout *layout, uint64_t lba, uint64_t count, uint8_t *out);

#endif
