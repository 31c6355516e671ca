/* SPDX-License-Identifier: Apache-2.0 */
#include "installer/edit.h"
#include "installer/exits.h"
#include "installer/keys.h"
#include "installer/slots.h"
#include "storage/port.h"
#include "storage/volume/luks2.h"

/* What would be left to open the volume with. */
struct rest {
	unsigned typed, others;
};

static struct rest count_rest(struct json_object *root, unsigned without)
{
	struct rest rest = {0, 0};

	for (unsigned i = 0; i < LUKS2_KEYSLOTS; i++) {
		int kind = i == without ? -1 : slots_kind(root, i);

		rest.typed += kind >= 0 && slots_typed(kind);
		rest.others += kind >= 0 && !slots_typed(kind);
	}
	return rest;
}

static int check(const struct edit *e, const struct keys_options *o, struct rest *rest)
{
	int kind = slots_kind(e->volume.state.root, o->slot);

	if (kind < 0) {
		log_error("partition %u has no key slot %u", e->data.number, o->slot);
		return EXITS_REFUSED;
	}
	*rest = count_rest(e->volume.state.root, o->slot);
	if (rest->typed || (o->force && rest->others))
		return EXITS_OK;
	if (rest->others)
		log_error("without slot %u (%s) no passphrase or recovery key would stay: a TPM that is cleared or a "
			  "card that is lost would be the end of the data. Enroll a recovery key first, or say --force",
			o->slot, slots_kind_text(kind));
	else
		log_error("slot %u (%s) is the only one: without it nobody can read the data again. Enroll another "
			  "first",
			o->slot, slots_kind_text(kind));
	return EXITS_REFUSED;
}

/* A passphrase or recovery key that is given opens a slot that stays. */
static int prove(const struct edit *e, struct secrets *rest)
{
	int err = edit_prove(e, rest);

	if (err == EXITS_PASSPHRASE)
		log_error("it must be one of a slot that stays; nothing was changed");
	return err;
}

static int remove_slot(struct edit *e, const struct keys_options *o, struct secrets *secrets)
{
	struct rest rest = {0, 0};
	int err = edit_open_writable(e, o->target, o->partition);

	if (!err)
		err = check(e, o, &rest);
	if (!err && rest.typed)
		err = secrets_passphrase(secrets, o->passphrase_file, 0);
	if (!err)
		err = header_remove_slot(e->image, o->slot);
	if (!err && rest.typed)
		err = prove(e, secrets);
	if (!err)
		err = edit_commit(e, o->slot);
	if (!err)
		log_info("slot %u of partition %u is removed", o->slot, e->data.number);
	return err;
}

int keys_remove(const struct keys_options *options)
{
	return keys_edit(options, remove_slot);
}
