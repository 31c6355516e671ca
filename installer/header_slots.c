/* SPDX-License-Identifier: Apache-2.0 */
#include "installer/header_slots.h"
#include "installer/exits.h"
#include "installer/header.h"
#include "installer/luks_json.h"
#include "installer/slots.h"
#include "storage/port.h"
#include <errno.h>
#include <json-c/json.h>
#include <libcryptsetup.h>
#include <stdio.h>
#include <stdlib.h>

#define RANDOM_KEY_ITERATIONS 1000

/* The header in the image, or NULL after an error line. */
static struct crypt_device *load(int image)
{
	struct crypt_device *device = header_device(image);
	int err = device ? crypt_load(device, CRYPT_LUKS2, NULL) : -1;

	if (!err)
		return device;
	crypt_free(device);
	log_error("the header cannot be read");
	return NULL;
}

static int has_free_number(struct crypt_device *device)
{
	for (int i = 0; i < crypt_keyslot_max(CRYPT_LUKS2); i++)
		if (crypt_keyslot_status(device, i) == CRYPT_SLOT_INACTIVE)
			return 1;
	return 0;
}

static int add(struct crypt_device *device, const struct crypt_pbkdf_type *pbkdf, const struct secrets *key,
	const struct secrets *new, unsigned *slot)
{
	int added;

	if (!has_free_number(device)) {
		log_error("all %d key slots are in use; remove one first", crypt_keyslot_max(CRYPT_LUKS2));
		return EXITS_REFUSED;
	}
	added = crypt_set_pbkdf_type(device, pbkdf);
	if (!added)
		added = crypt_keyslot_add_by_volume_key(device, CRYPT_ANY_SLOT, (const char *)key->key,
			sizeof key->key, new->passphrase, new->passphrase_bytes);
	/* All that is given to it is valid: what the library calls an invalid argument is a full area. */
	if (added == -ENOSPC || added == -EINVAL) {
		log_error("the header partition has no room for another key slot; remove one first");
		return EXITS_REFUSED;
	}
	if (added < 0) {
		log_error("the key slot cannot be made: %s", strerror(-added));
		return EXITS_FAILED;
	}
	*slot = added;
	return EXITS_OK;
}

int header_add_passphrase(int image, const struct secrets *key, const struct secrets *new,
	const struct header_cost *cost, unsigned *slot)
{
	const struct crypt_pbkdf_type pbkdf = header_pbkdf(cost->kib, cost->ms);
	struct crypt_device *device = load(image);
	int err = device ? add(device, &pbkdf, key, new, slot) : EXITS_FAILED;

	crypt_free(device);
	return err;
}

/* A token that does not say which slots it is of is the new slot's. */
static int set_tokens(struct crypt_device *device, struct json_object *const *tokens, unsigned count, unsigned slot)
{
	char number[16];

	snprintf(number, sizeof number, "%u", slot);
	for (unsigned i = 0; i < count; i++) {
		if (!luks_get(tokens[i], "keyslots")) {
			struct json_object *list = json_object_new_array();

			json_object_array_add(list, json_object_new_string(number));
			json_object_object_add(tokens[i], "keyslots", list);
		}
		if (crypt_token_json_set(device, CRYPT_ANY_TOKEN,
			    json_object_to_json_string_ext(tokens[i], JSON_C_TO_STRING_PLAIN)) < 0) {
			log_error("the token of the new slot cannot be made: the header may have no room for it");
			return EXITS_REFUSED;
		}
	}
	return EXITS_OK;
}

int header_add_with_tokens(int image, const struct secrets *key, const struct secrets *new,
	struct json_object *const *tokens, unsigned count, unsigned *slot)
{
	const struct crypt_pbkdf_type pbkdf = {
		.type = CRYPT_KDF_PBKDF2,
		.hash = "sha512",
		.iterations = RANDOM_KEY_ITERATIONS,
		.flags = CRYPT_PBKDF_NO_BENCHMARK,
	};
	struct crypt_device *device = load(image);
	int err = device ? add(device, &pbkdf, key, new, slot) : EXITS_FAILED;

	if (!err)
		err = set_tokens(device, tokens, count, *slot);
	crypt_free(device);
	return err;
}

int header_add_recovery(int image, const struct secrets *key, const struct secrets *new, unsigned *slot)
{
	struct json_object *token = json_object_new_object();
	int err;

	json_object_object_add(token, "type", json_object_new_string("systemd-recovery"));
	err = header_add_with_tokens(image, key, new, &token, 1, slot);
	json_object_put(token);
	return err;
}

int header_check_key(int image, const struct secrets *key)
{
	struct crypt_device *device = load(image);
	int err = device ? crypt_volume_key_verify(device, (const char *)key->key, sizeof key->key) : -1;

	crypt_free(device);
	if (err >= 0)
		return EXITS_OK;
	log_error("the volume key that was kept is not the one of this volume");
	return EXITS_REFUSED;
}

int header_add_token(int image, const char *token)
{
	struct crypt_device *device = load(image);
	int added = device ? crypt_token_json_set(device, CRYPT_ANY_TOKEN, token) : -1;

	crypt_free(device);
	if (added >= 0)
		return EXITS_OK;
	/* The text is valid: what is missing is a number, or room in the header's text. */
	log_error("the header has no room for another token of %zu bytes; remove one first", strlen(token));
	return EXITS_REFUSED;
}

int header_remove_token(int image, unsigned number)
{
	struct crypt_device *device = load(image);
	int err = device ? crypt_token_json_set(device, (int)number, NULL) : -1;

	crypt_free(device);
	if (err >= 0)
		return EXITS_OK;
	log_error("token %u cannot be removed", number);
	return EXITS_FAILED;
}

/* The header's text; the caller frees it. NULL when there is none. */
static struct json_object *text_of(struct crypt_device *device)
{
	const char *text;

	return crypt_dump_json(device, &text, 0) ? NULL : json_tokener_parse(text);
}

static int is_of_slot_alone(struct json_object *token, unsigned slot)
{
	return slots_named(token, slot) && json_object_array_length(luks_get(token, "keyslots")) == 1;
}

/* Whether the token is a record of ours of a policy that no other token has. */
static int is_of_nothing(struct json_object *token, struct json_object *root)
{
	return !strcmp(luks_text(token, "type"), SLOTS_RECORD) &&
	       !slots_has_policy(root, SLOTS_TPM2, luks_text(token, SLOTS_POLICY));
}

/*
 * A token of the slot alone would open nothing afterwards; with it goes what is
 * recorded of it. The library takes the slot out of the others.
 */
static int remove_tokens(struct crypt_device *device, unsigned slot)
{
	struct json_object *root = text_of(device);
	int err = 0;

	if (!luks_get(root, "tokens")) {
		json_object_put(root);
		return -1;
	}
	for (int records = 0; records < 2; records++) {
		json_object_object_foreach(luks_get(root, "tokens"), name, token)
		{
			if (!(records ? is_of_nothing(token, root) : is_of_slot_alone(token, slot)))
				continue;
			if (crypt_token_json_set(device, atoi(name), NULL) < 0)
				err = -1;
			json_object_object_del(luks_get(root, "tokens"), name);
		}
	}
	json_object_put(root);
	return err;
}

int header_remove_slot(int image, unsigned slot)
{
	struct crypt_device *device = load(image);
	int err = device ? remove_tokens(device, slot) : -1;

	if (!err)
		err = crypt_keyslot_destroy(device, slot);
	crypt_free(device);
	if (!err)
		return EXITS_OK;
	log_error("key slot %u cannot be removed", slot);
	return EXITS_FAILED;
}
