/* SPDX-License-Identifier: Apache-2.0 */
#include "installer/edit.h"
#include "installer/exits.h"
#include "installer/header.h"
#include "installer/header_slots.h"
#include "installer/keys.h"
#include "installer/rehearse.h"
#include "installer/stop.h"
#include "storage/port.h"
#include <stdlib.h>

/* A token that can be renewed, and the one slot it opens. */
struct old {
	uint32_t pcrs;
	int pin;
	unsigned slot;
};

/* The token of slot o->slot, or the only one. */
static int choose(const struct luks2 *header, const struct keys_options *o, struct old *old)
{
	unsigned found = 0;

	for (unsigned i = 0; i < header->tpm2_tokens; i++) {
		const struct tpm2_token *token = &header->tpm2[i];

		if (token->unusable || !token->pcrs || token->signed_pcrs || __builtin_popcount(token->keyslots) != 1 ||
			(o->slot_given && token->keyslots != 1u << o->slot))
			continue;
		*old = (struct old){token->pcrs, token->pin, __builtin_ctz(token->keyslots)};
		found++;
	}
	if (found == 1)
		return EXITS_OK;
	if (found)
		log_error("--slot N is missing: several slots have TPM tokens, see underseal list");
	else if (o->slot_given)
		log_error("slot %u has no TPM token that could be renewed, see underseal list", o->slot);
	else
		log_error("there is no TPM token that could be renewed: make one with underseal enroll --tpm2");
	return EXITS_REFUSED;
}

static int find_old(const struct edit *e, const struct keys_options *o, struct old *old)
{
	struct luks2 *header = calloc(1, sizeof *header);
	int err = header ? rehearse_read(e->image, e->volume.header_bytes, header) : EXITS_FAILED;

	if (!err)
		err = choose(header, o, old);
	free(header);
	return err;
}

/* The passphrase has opened another slot; this one goes when the new one is on the disk. */
static int remove_old(struct edit *e, const struct old *old, struct secrets *secrets)
{
	int err = header_remove_slot(e->image, old->slot);

	if (!err)
		err = edit_prove(e, secrets);
	if (!err)
		err = edit_commit(e, old->slot);
	if (err)
		log_error("the old slot %u is still there: underseal remove wipes it", old->slot);
	else
		log_info("slot %u of partition %u is removed", old->slot, e->data.number);
	return err;
}

static int reseal(struct edit *e, const struct keys_options *o, struct secrets *secrets)
{
	struct tpm2_slot_options tpm2 = o->tpm2;
	struct old old = {0};
	unsigned slot;
	int err = edit_open_writable(e, o->target, o->partition);

	if (err) {
		tpm2_slot_tell_way(e);
		return err;
	}
	err = find_old(e, o, &old);
	if (!err)
		err = secrets_passphrase(secrets, o->passphrase_file, 0);
	if (!err)
		err = header_unlock(e->image, secrets);
	if (err)
		return err;
	tpm2.measured.pcrs = old.pcrs;
	tpm2.pin = old.pin;
	err = tpm2_slot_add(e, &tpm2, secrets, &slot);
	if (!err)
		err = edit_commit(e, slot);
	if (err)
		return err;
	log_info("slot %u of partition %u is new", slot, e->data.number);
	return remove_old(e, &old, secrets);
}

int keys_reseal(const struct keys_options *options)
{
	struct edit e = EDIT_NONE;
	struct secrets *secrets;
	int err;

	stop_catch_signals();
	secrets = secrets_new();
	err = secrets ? reseal(&e, options, secrets) : EXITS_FAILED;
	secrets_free(secrets);
	edit_close(&e);
	return err;
}
