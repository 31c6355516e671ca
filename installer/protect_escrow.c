/* SPDX-License-Identifier: Apache-2.0 */
#include "installer/protect_escrow.h"
#include "installer/exits.h"
#include "installer/rehearse.h"
#include "storage/port.h"

#define TEXT_TO_COME 1024 /* bytes by which the header's text may grow while the boundary moves */

static int add_token(struct volume *v, const struct escrow *escrow)
{
	size_t bytes;

	if (state_add_token(&v->state, escrow->token))
		return EXITS_FAILED;
	state_text(&v->state, &bytes);
	if (bytes + TEXT_TO_COME > pair_json_capacity(&v->pair)) {
		log_error("the header has no room for the wrapped key: give fewer certificates");
		return EXITS_REFUSED;
	}
	return volume_commit(v) ? EXITS_FAILED : EXITS_OK;
}

/* On the header in memory: with the token, the boot program must still open it. */
static int rehearse(const struct escrow *escrow, const struct volume *v, int image, const struct secrets *secrets)
{
	const struct header_options options = {
		.header_bytes = v->header_bytes, .volume_bytes = v->bytes, .token = v->state.token};
	const struct target target = {.path = HEADER_IMAGE_NAME, .fd = image};
	struct volume in_memory;
	int err = volume_open_image(&in_memory, &target, v->bytes, v->header_bytes);

	if (!err)
		err = add_token(&in_memory, escrow);
	volume_close(&in_memory);
	return err ? err : rehearse_unlock(image, &options, secrets);
}

static int check(const struct escrow *escrow, const struct volume *v, const struct gpt *gpt)
{
	struct volume now;
	int err = volume_open(&now, gpt, &v->data, &v->header, -1, 0);

	if (!err)
		err = escrow_check_token(escrow, now.state.root);
	volume_close(&now);
	return err;
}

int protect_escrow(struct escrow *escrow, struct volume *v, const struct gpt *gpt, int image,
	const struct secrets *secrets)
{
	const struct escrow_place place = {
		.target = v->target, .disk_guid = gpt->disk_guid, .partuuid = v->data.uuid, .uuid = pair_uuid(&v->pair)};
	int err, kept;

	if (!escrow->request->count)
		return EXITS_OK;
	kept = escrow_take_token(escrow, v->state.root);
	err = kept ? EXITS_OK : escrow_seal(escrow, &place, secrets->key);
	if (!err && !kept)
		err = rehearse(escrow, v, image, secrets);
	if (!err)
		err = escrow_store(escrow);
	if (!err && !kept)
		err = add_token(v, escrow);
	return err ? err : check(escrow, v, gpt);
}
