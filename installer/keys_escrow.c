/* SPDX-License-Identifier: Apache-2.0 */
#include "installer/keys_escrow.h"
#include "installer/exits.h"
#include "installer/header.h"
#include "installer/keys.h"
#include "storage/port.h"

int keys_escrow_check(const struct edit *e, const struct escrow *escrow)
{
	struct volume now;
	int err = edit_read_back(e, &now);

	if (!err)
		err = escrow_check_token(escrow, now.state.root);
	volume_close(&now);
	return err;
}

int keys_escrow_seal(const struct edit *e, struct escrow *escrow, const struct secrets *secrets)
{
	const struct escrow_place place = {
		.target = &e->target,
		.disk_guid = e->gpt->disk_guid,
		.partuuid = e->data.uuid,
		.uuid = pair_uuid(&e->volume.pair),
	};

	int err = escrow_seal(escrow, &place, secrets->key);

	return err ? err : header_add_token(e->image, escrow->token);
}

static int enroll_with(struct edit *e, const struct keys_options *o, struct escrow *escrow, struct secrets *secrets)
{
	int err = escrow_open(escrow, &o->escrow);

	if (!err)
		err = escrow_check_file(escrow, NULL);
	if (!err)
		err = edit_open_writable(e, o->target, o->partition);
	if (!err)
		err = secrets_passphrase(secrets, o->passphrase_file, 0);
	if (!err)
		err = header_unlock(e->image, secrets);
	if (!err)
		err = keys_escrow_seal(e, escrow, secrets);
	if (!err)
		err = edit_prove(e, secrets);
	if (!err)
		err = escrow_store(escrow);
	if (!err)
		err = edit_commit(e, EDIT_NO_SLOT);
	if (!err)
		err = keys_escrow_check(e, escrow);
	if (!err)
		log_info("the header of partition %u holds the volume key for %u certificate%s", e->data.number,
			o->escrow.count, o->escrow.count == 1 ? "" : "s");
	return err;
}

static int enroll(struct edit *e, const struct keys_options *o, struct secrets *secrets)
{
	struct escrow escrow = {0};
	int err = enroll_with(e, o, &escrow, secrets);

	escrow_close(&escrow);
	return err;
}

int keys_escrow(const struct keys_options *options)
{
	return keys_edit(options, enroll);
}
