/* SPDX-License-Identifier: Apache-2.0 */
#include "installer/edit.h"
#include "installer/exits.h"
#include "installer/header.h"
#include "installer/keys.h"
#include "installer/pkcs11_secret.h"
#include "installer/report.h"
#include "keymgmt/base64.h"
#include "storage/port.h"
#include <json-c/json.h>

/* The only RSA key of the token that the URI names, or NULL after an error line. */
static const struct pkcs11_key *only_one(const struct pkcs11_key *keys, unsigned count)
{
	const struct pkcs11_key *found = NULL;

	for (unsigned i = 0; i < count; i++) {
		if (!pkcs11_key_is_rsa(&keys[i]))
			continue;
		if (found) {
			log_error("several RSA keys of the token are meant: say which, with its id=");
			return NULL;
		}
		found = &keys[i];
	}
	if (!found)
		log_error("the token shows no RSA key, by a certificate or a public key: systemd's format knows no other");
	return found;
}

static struct json_object *token_of(const struct pkcs11_secret *secret, const char *uri)
{
	struct json_object *token = json_object_new_object();
	char base64[BASE64_BYTES(PKCS11_WRAPPED) + 1];

	base64[base64_encode(secret->wrapped, secret->bytes, (uint8_t *)base64)] = 0;
	report_text(token, "type", "systemd-pkcs11");
	report_text(token, "pkcs11-uri", uri);
	report_text(token, "pkcs11-key", base64);
	return token;
}

static int add(const struct edit *e, struct pkcs11 *card, const struct pkcs11_key *key, const struct secrets *old,
	struct secrets *new, unsigned *slot)
{
	char uri[PKCS11_URI_BYTES];
	struct pkcs11_secret secret;
	struct json_object *token;
	int err = pkcs11_secret_make(&secret, new, card, key);

	if (err)
		return err;
	if (pkcs11_key_uri(card, key, uri)) {
		log_error("the token's URI is too long");
		return EXITS_FAILED;
	}
	token = token_of(&secret, uri);
	err = header_add_with_tokens(e->image, old, new, &token, 1, slot);
	json_object_put(token);
	return err ? err : edit_prove(e, new);
}

static int enroll_key(struct edit *e, const struct keys_options *o, struct pkcs11 *card, const struct pkcs11_key *key,
	struct secrets *old)
{
	struct secrets *new = secrets_new();
	unsigned slot = 0;
	int err = new ? edit_open_writable(e, o->target, o->partition) : EXITS_FAILED;

	if (!err)
		err = secrets_passphrase(old, o->passphrase_file, 0);
	if (!err)
		err = header_unlock(e->image, old);
	if (!err)
		err = pkcs11_login(card, o->pin_file);
	if (!err)
		err = add(e, card, key, old, new, &slot);
	if (!err)
		err = edit_commit(e, slot);
	if (!err)
		log_info("slot %u of partition %u is new", slot, e->data.number);
	secrets_free(new);
	return err;
}

static int enroll(struct edit *e, const struct keys_options *o, struct secrets *old)
{
	struct pkcs11_key keys[PKCS11_KEYS];
	const struct pkcs11_key *key;
	struct pkcs11 *card;
	unsigned count = 0;
	int err = pkcs11_open(&card, o->pkcs11);

	if (!err) {
		count = pkcs11_keys(card, keys);
		key = only_one(keys, count);
		err = key ? enroll_key(e, o, card, key, old) : EXITS_REFUSED;
	}
	pkcs11_forget(keys, count);
	pkcs11_close(card);
	return err;
}

int keys_pkcs11(const struct keys_options *options)
{
	return keys_edit(options, enroll);
}
