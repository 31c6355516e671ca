/* SPDX-License-Identifier: Apache-2.0 */
#include "installer/exits.h"
#include "installer/header.h"
#include "installer/keys.h"
#include "installer/keys_escrow.h"
#include "installer/luks_json.h"
#include "installer/slots.h"
#include "storage/port.h"
#include "storage/volume/luks2.h"
#include <json-c/json.h>
#include <stdlib.h>

#define NONE UINT32_MAX

struct rotation {
	const struct keys_options *options;
	struct secrets *old, *new;
	struct escrow escrow;
	unsigned slot; /* of the new recovery key */
};

/* The number of a token of an escrow that is not the new one, or NONE. */
static uint32_t old_token(const struct rotation *r, struct json_object *root)
{
	json_object_object_foreach(luks_get(root, "tokens"), number, token)
	{
		if (escrow_is_other(&r->escrow, token))
			return strtoul(number, NULL, 10);
	}
	return NONE;
}

/* The number of a slot of another recovery key than the new one, or NONE. */
static uint32_t old_slot(const struct rotation *r, struct json_object *root)
{
	for (unsigned i = 0; i < LUKS2_KEYSLOTS; i++)
		if (i != r->slot && slots_kind(root, i) == SLOT_RECOVERY)
			return i;
	return NONE;
}

static int open_header(struct rotation *r, struct edit *e)
{
	const struct keys_options *o = r->options;
	int err = escrow_open(&r->escrow, &o->escrow);

	if (!err)
		err = escrow_check_file(&r->escrow, NULL);
	if (!err)
		err = edit_open_writable(e, o->target, o->partition);
	if (err || o->escrow.count || old_token(r, e->volume.state.root) == NONE)
		return err;
	log_error("the header has an escrow: give --escrow CERT.pem for the new one, or remove it first");
	return EXITS_REFUSED;
}

static int make_new(struct rotation *r, struct edit *e)
{
	const struct keys_options *o = r->options;
	int err = secrets_passphrase(r->old, o->passphrase_file, 0);

	if (!err)
		err = header_unlock(e->image, r->old);
	if (!err)
		err = secrets_recovery_key(r->new);
	if (!err)
		err = header_add_recovery(e->image, r->old, r->new, &r->slot);
	if (!err && o->escrow.count)
		err = keys_escrow_seal(e, &r->escrow, r->old);
	if (!err)
		err = edit_prove(e, r->new);
	if (!err)
		err = escrow_store(&r->escrow);
	if (!err)
		err = edit_commit(e, r->slot);
	if (!err && o->escrow.count)
		err = keys_escrow_check(e, &r->escrow);
	return err;
}

/* A recovery key that nobody has seen must not be the only one. */
static int show(const struct rotation *r)
{
	int err;

	log_info("The new recovery key in slot %u, which is not shown again: write it down and keep it away from this "
		 "computer.",
		r->slot);
	err = secrets_show(r->new);
	if (err)
		log_error("the new recovery key could not be shown: nothing was removed; remove slot %u and try again",
			r->slot);
	return err;
}

/* Takes one old thing away, which is *found. */
static int remove_one(struct rotation *r, struct edit *e, int *found)
{
	int err = edit_open_writable(e, r->options->target, r->options->partition);
	uint32_t slot = err ? NONE : old_slot(r, e->volume.state.root);
	uint32_t token = err ? NONE : old_token(r, e->volume.state.root);

	*found = slot != NONE || token != NONE;
	if (err || !*found)
		return err;
	err = slot != NONE ? header_remove_slot(e->image, slot) : header_remove_token(e->image, token);
	if (!err)
		err = edit_prove(e, r->new);
	if (!err)
		err = edit_commit(e, slot); /* NONE is EDIT_NO_SLOT */
	if (!err)
		log_info("%s %u of partition %u is removed", slot != NONE ? "slot" : "token",
			slot != NONE ? slot : token, e->data.number);
	return err;
}

_Static_assert(NONE == EDIT_NO_SLOT, "no slot to remove is none to write");

static int rotate(struct edit *e, const struct keys_options *o, struct secrets *old)
{
	struct rotation r = {.options = o, .old = old, .new = secrets_new()};
	int found = 1, err = r.new ? open_header(&r, e) : EXITS_FAILED;

	if (!err)
		err = make_new(&r, e);
	if (!err)
		err = show(&r);
	while (!err && found) {
		edit_close(e);
		err = remove_one(&r, e, &found);
	}
	secrets_free(r.new);
	escrow_close(&r.escrow);
	return err;
}

int keys_rotate(const struct keys_options *options)
{
	return keys_edit(options, rotate);
}
