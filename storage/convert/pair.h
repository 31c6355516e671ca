/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two copies of a LUKS2 header (LUKS2 On-Disk Format Specification 1.1.1,
 * sections 2.1 and 2.4) as one durable cell: read gives the newest valid copy,
 * write replaces both in an order that leaves a valid one at every moment. What
 * the JSON text says is the caller's affair.
 */
#ifndef STORAGE_CONVERT_PAIR_H
#define STORAGE_CONVERT_PAIR_H

#include "storage/convert/convert.h"

#define PAIR_BINARY_BYTES 4096
#define PAIR_COPY_MIN	  0x4000 /* the smallest copy, binary header and JSON, bytes */

struct header_pair {
	uint8_t *image; /* copy_bytes; the newest copy, its checksum field included */
	size_t capacity;
	size_t copy_bytes; /* of each copy; the second begins here */
	uint64_t sequence;
	unsigned newest; /* 0: the copy at offset 0; 1: the other */
	int valid[2];
	int stale; /* the copies differ in sequence, or one is invalid */
};

/*
 * Reads both copies; the caller gave `image` and `capacity`. Returns 0, or -1
 * when neither copy is valid or the header is larger than `capacity`.
 */
int pair_read(struct header_pair *pair, const struct convert_port *port);

/* The newest JSON text: NUL-terminated only when shorter than its area. */
const char *pair_json(const struct header_pair *pair);
size_t pair_json_capacity(const struct header_pair *pair);

/* The UUID text of the newest copy, NUL-terminated. */
const char *pair_uuid(const struct header_pair *pair);

/*
 * Commits `json` of `bytes` as the next sequence number. The copy that is not
 * the newest goes first. Returns 0 with both durable, or -1: the port failed, or
 * the text does not fit (nothing is written then).
 */
int pair_write(struct header_pair *pair, const struct convert_port *port, const char *json, size_t bytes);

#endif
