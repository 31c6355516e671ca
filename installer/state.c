/* SPDX-License-Identifier: Apache-2.0 */
#include "installer/state.h"
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REQUIREMENT "online-reencrypt-v2"
#define CIPHER	    "aes-xts-plain64"

/* `path` is keys with dots between; NULL when one is missing. */
static struct json_object *get(struct json_object *object, const char *path)
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

static const char *text_of(struct json_object *object, const char *path)
{
	struct json_object *value = get(object, path);

	return json_object_is_type(value, json_type_string) ? json_object_get_string(value) : "";
}

/* LUKS2 writes 64-bit numbers as decimal strings. Returns 0 or -1. */
static int number_of(struct json_object *object, const char *path, uint64_t *value)
{
	const char *text = text_of(object, path);
	char *end;

	if (*text < '0' || *text > '9')
		return -1;
	errno = 0;
	*value = strtoull(text, &end, 10);
	return errno || *end ? -1 : 0;
}

static struct json_object *number(uint64_t value)
{
	char text[24];

	snprintf(text, sizeof text, "%llu", (unsigned long long)value);
	return json_object_new_string(text);
}

static int has_flag(struct json_object *segment, const char *flag)
{
	struct json_object *flags = get(segment, "flags");

	if (!json_object_is_type(flags, json_type_array))
		return 0;
	for (size_t i = 0; i < json_object_array_length(flags); i++) {
		const char *text = json_object_get_string(json_object_array_get_idx(flags, i));

		if (text && !strcmp(text, flag))
			return 1;
	}
	return 0;
}

static int is_backup(struct json_object *segment)
{
	return has_flag(segment, "backup-previous") || has_flag(segment, "backup-final");
}

/* The key of the reencrypt slot, or NULL. */
static const char *reencrypt_slot(struct json_object *root)
{
	json_object_object_foreach(
		get(root, "keyslots"), key, slot) if (!strcmp(text_of(slot, "type"), "reencrypt")) return key;
	return NULL;
}

static struct json_object *segment_flagged(struct json_object *root, const char *flag)
{
	json_object_object_foreach(get(root, "segments"), key, segment)
	{
		(void)key;
		if (has_flag(segment, flag))
			return segment;
	}
	return NULL;
}

/* The key of the digest that binds the volume key. */
static const char *volume_digest(struct json_object *root)
{
	const char *slot = reencrypt_slot(root);

	json_object_object_foreach(get(root, "digests"), key, digest)
	{
		struct json_object *slots = get(digest, "keyslots");
		const char *first =
			json_object_is_type(slots, json_type_array) && json_object_array_length(slots)
				? json_object_get_string(json_object_array_get_idx(slots, 0))
				: NULL;

		if (first && (!slot || strcmp(first, slot)))
			return key;
	}
	return NULL;
}

/* The five members every LUKS2 text has (section 3.1). */
static int is_header(struct json_object *root)
{
	static const char *const members[] = {"keyslots", "tokens", "segments", "digests", "config"};

	for (size_t i = 0; i < sizeof members / sizeof *members; i++)
		if (!json_object_is_type(get(root, members[i]), json_type_object))
			return 0;
	return 1;
}

static int parse_token(struct header_state *state)
{
	struct header_token *out = &state->token;
	uint64_t lba_bytes;

	json_object_object_foreach(get(state->root, "tokens"), key, token)
	{
		(void)key;
		if (strcmp(text_of(token, "type"), "underseal"))
			continue;
		if (number_of(token, "first_lba", &out->first_lba) ||
			number_of(token, "last_lba", &out->last_lba) ||
			number_of(token, "lba_size", &lba_bytes))
			return -1;
		out->lba_bytes = lba_bytes;
		snprintf(out->partuuid, sizeof out->partuuid, "%s", text_of(token, "partuuid"));
		snprintf(out->disk_guid, sizeof out->disk_guid, "%s", text_of(token, "disk_guid"));
		state->has_token = 1;
		return 0;
	}
	return 0;
}

/* The moving segments: ciphertext, then perhaps a zone in doubt, then plaintext, without a gap. */
static int parse_segments(struct header_state *state, uint64_t volume_bytes)
{
	uint64_t at = 0;
	char key[16];

	for (int i = 0;; i++) {
		struct json_object *segment;
		uint64_t offset, size, tweak;
		int crypt;

		snprintf(key, sizeof key, "%d", i);
		segment = get(get(state->root, "segments"), key);
		if (!segment || is_backup(segment))
			return at == volume_bytes ? 0 : -1;
		crypt = !strcmp(text_of(segment, "type"), "crypt");
		if (!crypt && strcmp(text_of(segment, "type"), "linear"))
			return -1;
		if (number_of(segment, "offset", &offset) || offset != at || at >= volume_bytes)
			return -1;
		if (!strcmp(text_of(segment, "size"), "dynamic"))
			size = volume_bytes - at;
		else if (number_of(segment, "size", &size) || size > volume_bytes - at)
			return -1;
		if (crypt && (number_of(segment, "iv_tweak", &tweak) || tweak != offset / 512))
			return -1;
		if (crypt && has_flag(segment, "in-reencryption")) {
			state->at.done = offset;
			state->at.hot = size;
		} else if (crypt) {
			if (offset)
				return -1;
			state->at.done = size;
		}
		at += size;
	}
}

static int parse_conversion(struct header_state *state, uint64_t volume_bytes)
{
	const char *key = reencrypt_slot(state->root);
	struct json_object *slot = key ? get(get(state->root, "keyslots"), key) : NULL;

	if (!slot || strcmp(text_of(slot, "mode"), "encrypt") ||
		strcmp(text_of(slot, "direction"), "forward") ||
		strcmp(text_of(slot, "area.type"), "checksum") ||
		strcmp(text_of(slot, "area.hash"), "sha256"))
		return -1;
	if (number_of(slot, "area.offset", &state->area_offset) ||
		number_of(slot, "area.size", &state->area_bytes))
		return -1;
	state->unit = json_object_get_int(get(slot, "area.sector_size"));
	return parse_segments(state, volume_bytes);
}

/* Any requirement but the one we know means that somebody else is at work. */
static int parse_requirements(struct header_state *state)
{
	struct json_object *list = get(state->root, "config.requirements.mandatory");
	const char *name;

	if (!list)
		return 0;
	if (!json_object_is_type(list, json_type_array) || json_object_array_length(list) != 1)
		return -1;
	name = json_object_get_string(json_object_array_get_idx(list, 0));
	state->converting = name && !strcmp(name, REQUIREMENT);
	return state->converting ? 0 : -1;
}

int state_parse(
	struct header_state *state, const char *json, size_t bytes, uint64_t volume_bytes, const char **why)
{
	struct json_tokener *tokener = json_tokener_new();
	struct json_object *final;

	memset(state, 0, sizeof *state);
	*why = "its JSON text is malformed";
	state->root = tokener ? json_tokener_parse_ex(tokener, json, strnlen(json, bytes)) : NULL;
	json_tokener_free(tokener);
	if (!is_header(state->root))
		return -1;
	*why = "it bears requirements that underseal does not know";
	if (parse_requirements(state))
		return -1;
	*why = "its underseal token is malformed";
	if (parse_token(state))
		return -1;
	*why = "its segments are not those of one encrypted volume";
	final = state->converting ? segment_flagged(state->root, "backup-final")
				  : get(state->root, "segments.0");
	snprintf(state->cipher, sizeof state->cipher, "%s", text_of(final, "encryption"));
	state->sector_size = json_object_get_int(get(final, "sector_size"));
	if (strcmp(text_of(final, "type"), "crypt") || strcmp(text_of(final, "offset"), "0"))
		return -1;
	*why = "its state of encryption is not one that underseal leaves";
	if (state->converting && (strcmp(state->cipher, CIPHER) || parse_conversion(state, volume_bytes)))
		return -1;
	return 0;
}

void state_free(struct header_state *state)
{
	json_object_put(state->root);
	state->root = NULL;
}

static struct json_object *segment_new(const char *type, uint64_t offset, uint64_t size)
{
	struct json_object *segment = json_object_new_object();

	json_object_object_add(segment, "type", json_object_new_string(type));
	json_object_object_add(segment, "offset", number(offset));
	json_object_object_add(segment, "size", size ? number(size) : json_object_new_string("dynamic"));
	return segment;
}

static struct json_object *segment_crypt(
	const struct header_state *state, uint64_t offset, uint64_t size, int hot)
{
	struct json_object *segment = segment_new("crypt", offset, size);

	json_object_object_add(segment, "iv_tweak", number(offset / 512));
	json_object_object_add(segment, "encryption", json_object_new_string(state->cipher));
	json_object_object_add(segment, "sector_size", json_object_new_int(state->sector_size));
	if (hot) {
		struct json_object *flags = json_object_new_array();

		json_object_array_add(flags, json_object_new_string("in-reencryption"));
		json_object_object_add(segment, "flags", flags);
	}
	return segment;
}

static void append(struct json_object *segments, struct json_object *segment)
{
	char key[16];

	snprintf(key, sizeof key, "%d", json_object_object_length(segments));
	json_object_object_add(segments, key, segment);
}

/* Puts `segments` in place and names those that are ciphertext in the volume key's digest. */
static int replace_segments(struct header_state *state, struct json_object *segments)
{
	const char *digest = volume_digest(state->root);
	struct json_object *bound = json_object_new_array();

	json_object_object_foreach(segments, key, segment) if (!strcmp(text_of(segment, "type"), "crypt"))
		json_object_array_add(bound, json_object_new_string(key));
	json_object_object_add(state->root, "segments", segments);
	if (!digest) {
		json_object_put(bound);
		return -1;
	}
	json_object_object_add(get(get(state->root, "digests"), digest), "segments", bound);
	return 0;
}

int state_move(struct header_state *state, const struct convert_state *at, uint64_t volume_bytes)
{
	struct json_object *previous = segment_flagged(state->root, "backup-previous");
	struct json_object *final = segment_flagged(state->root, "backup-final");
	struct json_object *segments;
	uint64_t end = at->done + at->hot;

	if (!previous || !final)
		return -1;
	segments = json_object_new_object();
	/* Both with their size: stock cryptsetup repairs no zone without one. */
	if (at->done)
		append(segments, segment_crypt(state, 0, at->done, 0));
	if (at->hot)
		append(segments, segment_crypt(state, at->done, at->hot, 1));
	if (end < volume_bytes)
		append(segments, segment_new("linear", end, 0));
	append(segments, json_object_get(previous));
	append(segments, json_object_get(final));
	state->at = *at;
	return replace_segments(state, segments);
}

int state_finish(struct header_state *state)
{
	struct json_object *final = segment_flagged(state->root, "backup-final");
	const char *digest = volume_digest(state->root), *slot = reencrypt_slot(state->root);
	struct json_object *digests, *kept, *segments;

	if (!final || !digest || !slot)
		return -1;
	kept = json_object_new_object();
	digests = get(state->root, "digests");
	json_object_object_add(kept, digest, json_object_get(get(digests, digest)));
	json_object_object_add(state->root, "digests", kept);
	json_object_object_del(get(state->root, "keyslots"), slot);
	json_object_object_del(get(state->root, "config"), "requirements");
	segments = json_object_new_object();
	append(segments, json_object_get(final));
	json_object_object_del(final, "flags");
	state->converting = 0;
	return replace_segments(state, segments);
}

const char *state_text(struct header_state *state, size_t *bytes)
{
	return json_object_to_json_string_length(
		state->root, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, bytes);
}

void state_token_text(char *text, size_t capacity, const struct header_token *token)
{
	snprintf(text, capacity,
		"{\"type\":\"underseal\",\"keyslots\":[],\"partuuid\":\"%s\",\"first_lba\":\"%llu\","
		"\"last_lba\":\"%llu\",\"disk_guid\":\"%s\",\"lba_size\":\"%u\"}",
		token->partuuid, (unsigned long long)token->first_lba, (unsigned long long)token->last_lba,
		token->disk_guid, token->lba_bytes);
}

int state_token_matches(
	const struct header_token *token, const struct gpt *gpt, const struct gpt_partition *data)
{
	return !strcmp(token->partuuid, data->uuid) && !strcmp(token->disk_guid, gpt->disk_guid) &&
	       token->first_lba == data->first_lba && token->last_lba == data->last_lba &&
	       token->lba_bytes == gpt->target->lba_bytes;
}
