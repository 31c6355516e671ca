/* SPDX-License-Identifier: Apache-2.0 */
#include "installer/luks_json.h"
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct json_object *luks_get(struct json_object *object, const char *path)
{
	char key[64];

	while (object && *path) {
		size_t length = strcspn(path, ".");

		snprintf(key, sizeof key, "%.*s", (int)length, path);
		path += length + (path[length] == '.');
		if (!json_object_is_type(object, json_type_object) ||
			!json_object_object_get_ex(object, key, &object))
			return NULL;
	}
	return object;
}

const char *luks_text(struct json_object *object, const char *path)
{
	struct json_object *value = luks_get(object, path);

	return json_object_is_type(value, json_type_string) ? json_object_get_string(value) : "";
}

int luks_number(struct json_object *object, const char *path, uint64_t *value)
{
	const char *text = luks_text(object, path);
	char *end;

	if (*text < '0' || *text > '9')
		return -1;
	errno = 0;
	*value = strtoull(text, &end, 10);
	return errno || *end ? -1 : 0;
}

int luks_has_flag(struct json_object *segment, const char *flag)
{
	struct json_object *flags = luks_get(segment, "flags");

	if (!json_object_is_type(flags, json_type_array))
		return 0;
	for (size_t i = 0; i < json_object_array_length(flags); i++) {
		const char *text = json_object_get_string(json_object_array_get_idx(flags, i));

		if (text && !strcmp(text, flag))
			return 1;
	}
	return 0;
}

const char *luks_reencrypt_slot(struct json_object *root)
{
	json_object_object_foreach(luks_get(root, "keyslots"), key, slot)
	{
		if (!strcmp(luks_text(slot, "type"), "reencrypt"))
			return key;
	}
	return NULL;
}

struct json_object *luks_segment_flagged(struct json_object *root, const char *flag)
{
	json_object_object_foreach(luks_get(root, "segments"), key, segment)
	{
		(void)key;
		if (luks_has_flag(segment, flag))
			return segment;
	}
	return NULL;
}

const char *luks_volume_digest(struct json_object *root)
{
	const char *slot = luks_reencrypt_slot(root);

	json_object_object_foreach(luks_get(root, "digests"), key, digest)
	{
		struct json_object *slots = luks_get(digest, "keyslots");
		const char *first =
			json_object_is_type(slots, json_type_array) && json_object_array_length(slots)
				? json_object_get_string(json_object_array_get_idx(slots, 0))
				: NULL;

		if (first && (!slot || strcmp(first, slot)))
			return key;
	}
	return NULL;
}
