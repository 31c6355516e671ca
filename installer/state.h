/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the JSON text of a header says about the encryption in progress, and the
 * text for the next state (LUKS2 On-Disk Format Specification 1.1.1, sections
 * 3.2, 3.3, 3.6 and 5).
 */
#ifndef INSTALLER_STATE_H
#define INSTALLER_STATE_H

#include "installer/gpt.h"
#include "storage/convert/convert.h"

/* The token of type `underseal`: which partition of which disk this header is for. */
struct header_token {
	char partuuid[UUID_TEXT];
	char disk_guid[UUID_TEXT];
	uint64_t first_lba, last_lba;
	uint32_t lba_bytes;
};

struct header_state {
	struct json_object *root;
	int has_token;
	struct header_token token;
	char cipher[32];
	uint32_t sector_size;
	int converting; /* the volume is not wholly ciphertext; the fields below are set */
	struct convert_state at;
	uint32_t unit;
	uint64_t area_offset, area_bytes;
};

/*
 * Reads `json` of at most `bytes`, for a volume of `volume_bytes`. Returns 0, or
 * -1 with *why a sentence when it is no header that underseal makes.
 */
int state_parse(
	struct header_state *state, const char *json, size_t bytes, uint64_t volume_bytes, const char **why);
void state_free(struct header_state *state);

/*
 * Changes the text to say `at`; state_finish turns it into the text of an
 * ordinary header. Each returns 0 or -1.
 */
int state_move(struct header_state *state, const struct convert_state *at, uint64_t volume_bytes);
int state_finish(struct header_state *state);

/* One more token, of the JSON text `token`; 0, or -1 when it is none or there is no number left. */
int state_add_token(struct header_state *state, const char *token);

/* The text as it goes to the disk; valid until the next call on `state`. */
const char *state_text(struct header_state *state, size_t *bytes);

/* The token's JSON text into `text`. */
void state_token_text(char *text, size_t capacity, const struct header_token *token);

/* Whether `token` names exactly this partition of this disk. */
int state_token_matches(
	const struct header_token *token, const struct gpt *gpt, const struct gpt_partition *data);

#endif
