/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON text that follows the present one, and the token. */
#include "installer/luks_json.h"
#include "installer/state.h"
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#define MOST_TOKENS 32 /* of a header */

static struct json_object *number(uint64_t value)
{
	char text[24];

	snprintf(text, sizeof text, "%llu", (unsigned long long)value);
	return json_object_new_string(text);
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
	const char *digest = luks_volume_digest(state->root);
	struct json_object *bound = json_object_new_array();

	json_object_object_foreach(segments, key, segment)
	{
		if (!strcmp(luks_text(segment, "type"), "crypt"))
			json_object_array_add(bound, json_object_new_string(key));
	}
	json_object_object_add(state->root, "segments", segments);
	if (!digest) {
		json_object_put(bound);
		return -1;
	}
	json_object_object_add(luks_get(luks_get(state->root, "digests"), digest), "segments", bound);
	return 0;
}

int state_move(struct header_state *state, const struct convert_state *at, uint64_t volume_bytes)
{
	struct json_object *previous = luks_segment_flagged(state->root, "backup-previous");
	struct json_object *final = luks_segment_flagged(state->root, "backup-final");
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
	struct json_object *final = luks_segment_flagged(state->root, "backup-final");
	const char *digest = luks_volume_digest(state->root), *slot = luks_reencrypt_slot(state->root);
	struct json_object *digests, *kept, *segments;

	if (!final || !digest || !slot)
		return -1;
	kept = json_object_new_object();
	digests = luks_get(state->root, "digests");
	json_object_object_add(kept, digest, json_object_get(luks_get(digests, digest)));
	json_object_object_add(state->root, "digests", kept);
	json_object_object_del(luks_get(state->root, "keyslots"), slot);
	json_object_object_del(luks_get(state->root, "config"), "requirements");
	segments = json_object_new_object();
	append(segments, json_object_get(final));
	json_object_object_del(final, "flags");
	state->converting = 0;
	return replace_segments(state, segments);
}

int state_add_token(struct header_state *state, const char *token)
{
	struct json_object *tokens = luks_get(state->root, "tokens"), *added = json_tokener_parse(token);
	char key[16];

	for (unsigned i = 0; tokens && added && i < MOST_TOKENS; i++) {
		snprintf(key, sizeof key, "%u", i);
		if (luks_get(tokens, key))
			continue;
		json_object_object_add(tokens, key, added);
		return 0;
	}
	json_object_put(added);
	return -1;
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
