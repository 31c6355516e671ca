/* SPDX-License-Identifier: Apache-2.0 */
#include "installer/state.h"
#include "installer/luks_json.h"
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#define REQUIREMENT "online-reencrypt-v2"
#define CIPHER	    "aes-xts-plain64"

static int is_backup(struct json_object *segment)
{
	return luks_has_flag(segment, "backup-previous") || luks_has_flag(segment, "backup-final");
}

/* The five members every LUKS2 text has (section 3.1). */
static int is_header(struct json_object *root)
{
	static const char *const members[] = {"keyslots", "tokens", "segments", "digests", "config"};

	for (size_t i = 0; i < sizeof members / sizeof *members; i++)
		if (!json_object_is_type(luks_get(root, members[i]), json_type_object))
			return 0;
	return 1;
}

static int parse_token(struct header_state *state)
{
	struct header_token *out = &state->token;
	uint64_t lba_bytes;

	json_object_object_foreach(luks_get(state->root, "tokens"), key, token)
	{
		(void)key;
		if (strcmp(luks_text(token, "type"), "underseal"))
			continue;
		if (luks_number(token, "first_lba", &out->first_lba) ||
			luks_number(token, "last_lba", &out->last_lba) ||
			luks_number(token, "lba_size", &lba_bytes))
			return -1;
		out->lba_bytes = lba_bytes;
		snprintf(out->partuuid, sizeof out->partuuid, "%s", luks_text(token, "partuuid"));
		snprintf(out->disk_guid, sizeof out->disk_guid, "%s", luks_text(token, "disk_guid"));
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
		segment = luks_get(luks_get(state->root, "segments"), key);
		if (!segment || is_backup(segment))
			return at == volume_bytes ? 0 : -1;
		crypt = !strcmp(luks_text(segment, "type"), "crypt");
		if (!crypt && strcmp(luks_text(segment, "type"), "linear"))
			return -1;
		if (luks_number(segment, "offset", &offset) || offset != at || at >= volume_bytes)
			return -1;
		if (!strcmp(luks_text(segment, "size"), "dynamic"))
			size = volume_bytes - at;
		else if (luks_number(segment, "size", &size) || size > volume_bytes - at)
			return -1;
		if (crypt && (luks_number(segment, "iv_tweak", &tweak) || tweak != offset / 512))
			return -1;
		if (crypt && luks_has_flag(segment, "in-reencryption")) {
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
	const char *key = luks_reencrypt_slot(state->root);
	struct json_object *slot = key ? luks_get(luks_get(state->root, "keyslots"), key) : NULL;

	if (!slot || strcmp(luks_text(slot, "mode"), "encrypt") ||
		strcmp(luks_text(slot, "direction"), "forward") ||
		strcmp(luks_text(slot, "area.type"), "checksum") ||
		strcmp(luks_text(slot, "area.hash"), "sha256"))
		return -1;
	if (luks_number(slot, "area.offset", &state->area_offset) ||
		luks_number(slot, "area.size", &state->area_bytes))
		return -1;
	state->unit = json_object_get_int(luks_get(slot, "area.sector_size"));
	return parse_segments(state, volume_bytes);
}

/* Any requirement but the one we know means that somebody else is at work. */
static int parse_requirements(struct header_state *state)
{
	struct json_object *list = luks_get(state->root, "config.requirements.mandatory");
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
	final = state->converting ? luks_segment_flagged(state->root, "backup-final")
				  : luks_get(state->root, "segments.0");
	snprintf(state->cipher, sizeof state->cipher, "%s", luks_text(final, "encryption"));
	state->sector_size = json_object_get_int(luks_get(final, "sector_size"));
	if (strcmp(luks_text(final, "type"), "crypt") || strcmp(luks_text(final, "offset"), "0"))
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
