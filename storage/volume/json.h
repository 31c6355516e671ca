/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A strict JSON reader (RFC 8259) for hostile text: no allocation, bounded depth,
 * UTF-8 and escapes checked. Beyond the RFC it refuses duplicate member names,
 * NUL characters in strings, and anything but white space after the value.
 *
 * The text is changed in place: strings are unescaped where they stand, so that a
 * node's bytes are what the string means. The tree lives in nodes the caller gives.
 */
#ifndef STORAGE_VOLUME_JSON_H
#define STORAGE_VOLUME_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JSON_MAX_DEPTH 12

enum json_type { JSON_NULL, JSON_BOOLEAN, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json_node {
	enum json_type type;
	const char *name; /* of a member of an object; not NUL-terminated */
	uint32_t name_bytes;
	uint32_t text_bytes;
	const char *text;	       /* of a string (unescaped), a number or a boolean (as written) */
	const struct json_node *child; /* first element or member */
	const struct json_node *next;  /* next element or member of the same parent */
};

struct json_error {
	const char *text; /* what is wrong, part of a sentence */
	size_t at;	  /* byte offset in the text */
};

/*
 * Parses `bytes` bytes of `text` into `nodes`. Returns the root, or NULL with
 * `error` filled. The nodes point into `text`.
 */
const struct json_node *json_parse(
	char *text, size_t bytes, struct json_node *nodes, size_t capacity, struct json_error *error);

/* The member `name` of an object; NULL when there is none, or `object` is NULL or no object. */
const struct json_node *json_member(const struct json_node *object, const char *name);

/* The first element of an array or member of an object; NULL when empty, or of another type. */
const struct json_node *json_first(const struct json_node *node, enum json_type type);

/* Whether `node` is a string equal to `text`. NULL is not. */
bool json_is(const struct json_node *node, const char *text);

/* A JSON number without fraction and exponent in 0..UINT32_MAX. False otherwise, or for NULL. */
bool json_u32(const struct json_node *node, uint32_t *value);

/* A string of decimal digits without leading zeroes that fits 64 bits: LUKS2's form of large numbers. */
bool json_u64_string(const struct json_node *node, uint64_t *value);

/* Decodes a base64 string (RFC 4648, padded, nothing else); false when it is malformed or longer than
 * `capacity`. */
bool json_base64(const struct json_node *node, uint8_t *out, size_t capacity, size_t *bytes);

/* Copies a string with its NUL; false when it does not fit `capacity`. */
bool json_copy(const struct json_node *node, char *out, size_t capacity);

#endif
