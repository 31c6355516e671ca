/* SPDX-License-Identifier: Apache-2.0 */
#include "installer/tpm2_slot.h"
#include "installer/exits.h"
#include "installer/guest.h"
#include "installer/header_slots.h"
#include "installer/luks_json.h"
#include "installer/rehearse.h"
#include "installer/report.h"
#include "installer/slots.h"
#include "installer/tpm2_device.h"
#include "keymgmt/base64.h"
#include "storage/crypt/wipe.h"
#include "storage/port.h"
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#define SECRET_BYTES 32 /* systemd's */

/* What is made on the way to the slot. */
struct sealing {
	struct tpm2_device *device;
	struct tpm2_token token;
	struct tpm2_secret secret;
	struct secrets *pin, *new;
};

/* ---- the two tokens ---- */

struct hex {
	char text[2 * TPM2_PCR_BYTES + 1];
};

static struct hex hex_of(const uint8_t bytes[TPM2_PCR_BYTES])
{
	struct hex hex;

	for (unsigned i = 0; i < TPM2_PCR_BYTES; i++)
		snprintf(hex.text + 2 * i, 3, "%02x", bytes[i]);
	return hex;
}

/* Its members in systemd's order. */
static struct json_object *token_object(const struct tpm2_token *token)
{
	struct json_object *object = json_object_new_object(), *pcrs = json_object_new_array();
	char blob[BASE64_BYTES(TPM2_MAX_BLOB)];
	size_t bytes = base64_encode(token->blob, token->blob_bytes, (uint8_t *)blob);

	for (unsigned i = 0; i < TPM2_PCRS; i++)
		if (token->pcrs & 1u << i)
			json_object_array_add(pcrs, json_object_new_int(i));
	report_text(object, "type", SLOTS_TPM2);
	json_object_object_add(object, "tpm2-blob", json_object_new_string_len(blob, bytes));
	json_object_object_add(object, "tpm2-pcrs", pcrs);
	report_text(object, "tpm2-pcr-bank", "sha256");
	report_text(object, "tpm2-primary-alg", token->primary == TPM2_PRIMARY_ECC ? "ecc" : "rsa");
	report_text(object, SLOTS_POLICY, hex_of(token->policy).text);
	json_object_object_add(object, "tpm2-pin", json_object_new_boolean(token->pin));
	return object;
}

/* It names no slot: stock tools take a slot with two tokens for a mistake. */
static struct json_object *record_object(const struct tpm2_token *token)
{
	struct json_object *object = json_object_new_object(), *values = json_object_new_object();
	char pcr[4];

	for (unsigned i = 0; i < TPM2_PCRS; i++) {
		if (!(token->recorded.mask & 1u << i))
			continue;
		snprintf(pcr, sizeof pcr, "%u", i);
		report_text(values, pcr, hex_of(token->recorded.value[i]).text);
	}
	report_text(object, "type", SLOTS_RECORD);
	json_object_object_add(object, "keyslots", json_object_new_array());
	report_text(object, SLOTS_POLICY, hex_of(token->policy).text);
	json_object_object_add(object, "sha256", values);
	return object;
}

static int add_slot(struct edit *e, const struct sealing *s, const struct secrets *key, unsigned *slot)
{
	struct json_object *tokens[] = {token_object(&s->token), record_object(&s->token)};
	int recorded = slots_has_policy(e->volume.state.root, SLOTS_RECORD, luks_text(tokens[1], SLOTS_POLICY));
	int err = header_add_with_tokens(e->image, key, s->new, tokens, recorded ? 1 : 2, slot);

	json_object_put(tokens[0]);
	json_object_put(tokens[1]);
	return err;
}

/* ---- sealing ---- */

/* The secret in base64 is the slot's passphrase. */
static int make_secret(struct sealing *s)
{
	s->secret.bytes = SECRET_BYTES;
	if (getrandom(s->secret.data, SECRET_BYTES, 0) != SECRET_BYTES) {
		log_error("no random numbers: %s", strerror(errno));
		return EXITS_FAILED;
	}
	s->new->passphrase_bytes = base64_encode(s->secret.data, SECRET_BYTES, (uint8_t *)s->new->passphrase);
	return EXITS_OK;
}

static int seal(struct sealing *s, const struct tpm2_slot_options *o)
{
	struct tpm2_token *token = &s->token;
	int err = tpm2_device_open(&s->device, o->device);

	if (!err)
		err = measured_read(&token->recorded, &o->measured, tpm2_device_commands(s->device));
	if (!err)
		err = make_secret(s);
	if (err)
		return err;
	token->pcrs = token->recorded.mask;
	token->bank = TPM2_SHA256;
	token->pin = o->pin;
	tpm2_policy_digest(&token->recorded, token->pin, token->policy);
	return tpm2_device_seal(s->device, &s->secret, o->pin ? s->pin : NULL, token);
}

/* ---- the proof ---- */

static const struct tpm2_token *find(const struct luks2 *header, unsigned slot)
{
	for (unsigned i = 0; i < header->tpm2_tokens; i++)
		if (header->tpm2[i].keyslots == 1u << slot)
			return &header->tpm2[i];
	return NULL;
}

/* The TPM gives the secret, or would in the state that the token was made for. */
static int unseal(const struct sealing *s, const struct tpm2_token *token)
{
	struct tpm2_secret secret;
	enum tpm2_result result = tpm2_unseal(tpm2_device_commands(s->device), token,
		token->pin ? s->pin->passphrase : NULL, token->pin ? s->pin->passphrase_bytes : 0, &secret);
	int same = secret.bytes == s->secret.bytes && !memcmp(secret.data, s->secret.data, secret.bytes);

	secret_wipe(&secret, sizeof secret);
	if (result == TPM2_STATE_DIFFERS || (result == TPM2_OK && same))
		return EXITS_OK;
	log_error("the boot program could not use the sealed key: %s Nothing was changed", tpm2_result_text(result));
	return EXITS_FAILED;
}

static int prove(const struct edit *e, const struct sealing *s, unsigned slot)
{
	struct luks2 *header = calloc(1, sizeof *header);
	const struct tpm2_token *token;
	int err = header ? edit_prove(e, s->new) : EXITS_FAILED;

	if (!err)
		err = rehearse_read(e->image, e->volume.header_bytes, header);
	if (!err) {
		token = find(header, slot);
		if (token && !token->unusable && token->recorded.mask == token->pcrs) {
			err = unseal(s, token);
		} else {
			log_error("the boot program could not use the token: %s. Nothing was changed",
				token && token->unusable ? token->unusable : "there are too many");
			err = EXITS_REFUSED;
		}
	}
	free(header);
	return err;
}

static int add(struct edit *e, const struct tpm2_slot_options *o, struct sealing *s, const struct secrets *key, unsigned *slot)
{
	int err;

	if (tpm2_pcrs_weak(o->measured.pcrs))
		log_warning("such a token is weak, for it does not bind PCR 12 and one of 4 and 7: the boot program uses it "
			    "only with allow_weak_tokens=1 in underseal.conf");
	err = o->pin ? secrets_pin(s->pin, o->pin_file) : EXITS_OK;

	if (!err)
		err = seal(s, o);
	if (!err)
		err = add_slot(e, s, key, slot);
	return err ? err : prove(e, s, *slot);
}

int tpm2_slot_add(struct edit *e, const struct tpm2_slot_options *o, const struct secrets *key, unsigned *slot)
{
	struct sealing s = {.pin = secrets_new(), .new = secrets_new()};
	int err = s.pin && s.new ? add(e, o, &s, key, slot) : EXITS_FAILED;

	tpm2_device_close(s.device);
	secrets_free(s.pin);
	secrets_free(s.new);
	secret_wipe(&s.secret, sizeof s.secret);
	return err;
}

void tpm2_slot_tell_way(const struct edit *e)
{
	if (e->target.is_block && guest_is_beneath())
		log_info("For a TPM token take a copy of %s along and give it there as --event-log.", MEASURED_KERNEL_LOG);
}
