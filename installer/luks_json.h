/* SPDX-License-Identifier: Apache-2.0 */
/* Looking things up in the JSON text of a LUKS2 header; nothing here trusts its shape. */
#ifndef INSTALLER_LUKS_JSON_H
#define INSTALLER_LUKS_JSON_H

#include <stdint.h>

struct json_object;

/* `path` is keys with dots between; NULL when one is missing. */
struct json_object *luks_get(struct json_object *object, const char *path);

/* The text at `path`, or "" when there is none. */
const char *luks_text(struct json_object *object, const char *path);

/* LUKS2 writes 64-bit numbers as decimal strings. Returns 0 or -1. */
int luks_number(struct json_object *object, const char *path, uint64_t *value);

/* Whether a segment bears `flag`; a segment that does, or NULL. */
int luks_has_flag(struct json_object *segment, const char *flag);
struct json_object *luks_segment_flagged(struct json_object *root, const char *flag);

/* The key of the slot that describes a re-encryption, or NULL. */
const char *luks_reencrypt_slot(struct json_object *root);

/* The key of the digest that binds the volume key, or NULL. */
const char *luks_volume_digest(struct json_object *root);

#endif
