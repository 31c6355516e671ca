/* SPDX-License-Identifier: Apache-2.0 */
#include "installer/edit.h"
#include "installer/exits.h"
#include "installer/header.h"
#include "installer/keys.h"
#include "installer/stop.h"
#include "storage/port.h"

static int take_new(const struct keys_options *o, struct secrets *new)
{
	if (o->new == KEYS_RECOVERY)
		return secrets_recovery_key(new);
	return secrets_passphrase(new, o->new_passphrase_file, 1);
}

static int add(const struct edit *e, const struct keys_options *o, const struct secrets *old,
	const struct secrets *new, unsigned *slot)
{
	if (o->new == KEYS_RECOVERY)
		return header_add_recovery(e->image, old, new, slot);
	log_info("making the key slot; deriving its key takes some seconds");
	return header_add_passphrase(e->image, old, new, &o->cost, slot);
}

static int add_typed(const struct edit *e, const struct keys_options *o, const struct secrets *old, struct secrets *new,
	unsigned *slot)
{
	int err = take_new(o, new);

	if (!err)
		err = add(e, o, old, new, slot);
	return err ? err : edit_prove(e, new);
}

/* A recovery key that nobody has seen is a slot for nobody. */
static int show(const struct secrets *recovery, unsigned slot)
{
	int err;

	log_info("The recovery key, which is not shown again: write it down and keep it away from this computer.");
	err = secrets_show(recovery);
	if (err)
		log_error("the recovery key could not be shown: remove slot %u and try again", slot);
	return err;
}

static int enroll(struct edit *e, const struct keys_options *o, struct secrets *old, struct secrets *new)
{
	unsigned slot;
	int err = edit_open_writable(e, o->target, o->partition);

	if (err && o->new == KEYS_TPM2)
		tpm2_slot_tell_way(e);
	if (!err)
		err = secrets_passphrase(old, o->passphrase_file, 0);
	if (!err)
		err = header_unlock(e->image, old);
	if (!err)
		err = o->new == KEYS_TPM2 ? tpm2_slot_add(e, &o->tpm2, old, &slot) : add_typed(e, o, old, new, &slot);
	if (!err)
		err = edit_commit(e, slot);
	if (err)
		return err;
	log_info("slot %u of partition %u is new", slot, e->data.number);
	return o->new == KEYS_RECOVERY ? show(new, slot) : EXITS_OK;
}

int keys_enroll(const struct keys_options *options)
{
	struct edit e = EDIT_NONE;
	struct secrets *old, *new;
	int err;

	stop_catch_signals();
	old = secrets_new();
	new = secrets_new();
	err = old && new ? enroll(&e, options, old, new) : EXITS_FAILED;
	secrets_free(old);
	secrets_free(new);
	edit_close(&e);
	return err;
}
