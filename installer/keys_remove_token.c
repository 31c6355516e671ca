/* SPDX-License-Identifier: Apache-2.0 */
#include "installer/edit.h"
#include "installer/exits.h"
#include "installer/keys.h"
#include "installer/luks_json.h"
#include "storage/port.h"
#include <json-c/json.h>
#include <stdio.h>

static int check(const struct edit *e, unsigned number)
{
	struct json_object *token, *slots;
	char path[32];

	snprintf(path, sizeof path, "tokens.%u", number);
	token = luks_get(e->volume.state.root, path);
	slots = luks_get(token, "keyslots");
	if (!token)
		log_error("partition %u has no token %u", e->data.number, number);
	else if (!strcmp(luks_text(token, "type"), "underseal"))
		log_error("token %u says which partition this header is for: without it nothing starts", number);
	else if (json_object_is_type(slots, json_type_array) && json_object_array_length(slots))
		log_error("token %u belongs to key slot %s: remove that", number,
			json_object_get_string(json_object_array_get_idx(slots, 0)));
	else
		return EXITS_OK;
	return EXITS_REFUSED;
}

static int remove_token(struct edit *e, const struct keys_options *o, struct secrets *secrets)
{
	int err = edit_open_writable(e, o->target, o->partition);

	if (!err)
		err = check(e, o->token);
	if (!err)
		err = secrets_passphrase(secrets, o->passphrase_file, 0);
	if (!err)
		err = header_remove_token(e->image, o->token);
	if (!err)
		err = edit_prove(e, secrets);
	if (!err)
		err = edit_commit(e, EDIT_NO_SLOT);
	if (!err)
		log_info("token %u of partition %u is removed", o->token, e->data.number);
	return err;
}

int keys_remove_token(const struct keys_options *options)
{
	return keys_edit(options, remove_token);
}
