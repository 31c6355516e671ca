/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files that describe a LUKS2 header from its JSON text. */
#ifndef STORAGE_VOLUME_LUKS2_JSON_H
#define STORAGE_VOLUME_LUKS2_JSON_H

#include "storage/volume/json.h"
#include "storage/volume/luks2.h"

/* Fills the description from the root of the JSON text. Sets header->detail on an error. */
enum luks2_error luks2_describe(struct luks2 *header, const struct json_node *root);

/*
 * Fills header->keyslot from the object `keyslots` and checks that the areas lie
 * within `keyslots_bytes` behind the header copies. NULL, or what is wrong.
 */
const char *luks2_parse_keyslots(
	const struct json_node *object, struct luks2 *header, uint64_t keyslots_bytes);

/* The number that names an object, "0" upwards, below `limit`. */
bool luks2_number_of(const struct json_node *member, uint32_t limit, uint32_t *number);

/* An array of object numbers below `limit` (at most 32), each in a string, as a bit mask. */
bool luks2_parse_set(const struct json_node *array, uint32_t limit, uint32_t *mask);

/* Fills a token from its object of type systemd-tpm2; what is wrong stands in token->unusable. */
void luks2_parse_tpm2(const struct json_node *object, struct tpm2_token *token);
/* The same of type systemd-pkcs11. */
void luks2_parse_pkcs11(const struct json_node *object, struct pkcs11_token *token);

/*
 * Gives the values in an object of type underseal-pcrs to those of `count` tokens
 * that they make the policy of: a record that is wrong, or of a token that is gone,
 * says nothing about any.
 */
void luks2_take_record(const struct json_node *object, struct tpm2_token *tokens, unsigned count);

/* A string of exactly `bytes` bytes in hexadecimal digits. */
bool luks2_parse_hex(const struct json_node *node, uint8_t *out, size_t bytes);

/* Of a hexadecimal digit, either case; -1 for anything else. */
int luks2_hex_value(char c);

/* A hash by its name; false for those we do not have. */
bool luks2_parse_hash(const struct json_node *node, enum hash_kind *hash);

#endif
