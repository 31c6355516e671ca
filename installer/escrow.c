/* SPDX-License-Identifier: Apache-2.0 */
#include "installer/escrow.h"
#include "installer/certificate.h"
#include "installer/durable.h"
#include "installer/escrow_text.h"
#include "installer/exits.h"
#include "installer/luks_json.h"
#include "storage/port.h"
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int escrow_add(struct escrow_request *request, const char *certificate)
{
	if (request->count == ENVELOPE_MOST_RECIPIENTS) {
		log_error("a key is wrapped for at most %d certificates", ENVELOPE_MOST_RECIPIENTS);
		return -1;
	}
	request->certificate[request->count++] = certificate;
	return 0;
}

int escrow_open(struct escrow *escrow, const struct escrow_request *request)
{
	int err = EXITS_OK;

	memset(escrow, 0, sizeof *escrow);
	escrow->request = request;
	for (unsigned i = 0; !err && i < request->count; i++)
		err = certificate_read(request->certificate[i], &escrow->certificate[i]);
	return err;
}

/* Whether the file is an escrow of that volume, whose key it holds then. */
static int is_of(const char *file, const char *uuid)
{
	struct envelope envelope = {NULL, 0};
	char record[ESCROW_RECORD_MOST], volume[64] = "";
	size_t bytes;
	char *text = durable_read(file, ESCROW_FILE_MOST, &bytes);

	if (text && !escrow_file_parse(text, record, &envelope))
		escrow_record_get(record, "volume", volume, sizeof volume);
	envelope_free(&envelope);
	free(text);
	return !strcmp(volume, uuid);
}

int escrow_check_file(struct escrow *escrow, const char *uuid)
{
	const char *file = escrow->request->file;

	if (!file)
		return EXITS_OK;
	escrow->replace = uuid && !access(file, F_OK) && is_of(file, uuid);
	return durable_check(file, escrow->replace);
}

void escrow_close(struct escrow *escrow)
{
	for (unsigned i = 0; i < ENVELOPE_MOST_RECIPIENTS; i++)
		certificate_free(escrow->certificate[i]);
	envelope_free(&escrow->envelope);
	free(escrow->token);
	memset(escrow, 0, sizeof *escrow);
}

/* The first certificate whose holder will not find himself among the recipients, by its file; or NULL. */
static const char *left_out(const struct escrow *escrow, const struct envelope *envelope)
{
	for (unsigned i = 0; i < escrow->request->count; i++)
		if (!envelope_is_for(envelope, escrow->certificate[i]))
			return escrow->request->certificate[i];
	return NULL;
}

static int check_envelope(const struct escrow *escrow, const struct envelope *envelope)
{
	const char *file = left_out(escrow, envelope);

	if (!file)
		return EXITS_OK;
	log_error("the wrapped key is not for %s", file);
	return EXITS_FAILED;
}

int escrow_seal(struct escrow *escrow, const struct escrow_place *place, const uint8_t key[VOLUME_KEY_BYTES])
{
	const unsigned count = escrow->request->count;
	struct envelope_part parts[] = {{key, VOLUME_KEY_BYTES}, {escrow->record, 0}};
	int err;

	if (escrow_record_make(escrow->record, place, escrow->certificate, count)) {
		log_error("these certificates' names are too long");
		return EXITS_FAILED;
	}
	parts[1].bytes = strlen(escrow->record);
	err = envelope_seal(&escrow->envelope, escrow->certificate, count, parts, 2);
	if (!err)
		err = check_envelope(escrow, &escrow->envelope);
	if (err)
		return err;
	escrow->token = escrow_token_text(escrow->record, &escrow->envelope, escrow->certificate, count);
	return escrow->token ? EXITS_OK : EXITS_FAILED;
}

static int same(const struct envelope *a, const struct envelope *b)
{
	return a->bytes == b->bytes && !memcmp(a->der, b->der, a->bytes);
}

/* Read anew, by what an officer's recovery reads it with. */
static int check_file(const struct escrow *escrow)
{
	const char *file = escrow->request->file;
	struct envelope envelope = {NULL, 0};
	char record[ESCROW_RECORD_MOST];
	size_t bytes;
	char *text = durable_read(file, ESCROW_FILE_MOST, &bytes);
	int err = EXITS_FAILED;

	if (text && !escrow_file_parse(text, record, &envelope) && same(&envelope, &escrow->envelope) &&
		!strcmp(record, escrow->record))
		err = check_envelope(escrow, &envelope);
	else if (text)
		log_error("%s: not what was written", file);
	envelope_free(&envelope);
	free(text);
	return err;
}

int escrow_store(const struct escrow *escrow)
{
	const struct escrow_request *request = escrow->request;
	char *text;
	int err;

	if (!request->file)
		return EXITS_OK;
	text = escrow_file_text(escrow->record, &escrow->envelope);
	err = text ? durable_write(request->file, text, strlen(text), escrow->replace) : EXITS_FAILED;
	free(text);
	if (!err)
		err = check_file(escrow);
	if (!err)
		log_info("%s holds the volume key for its %u certificate%s", request->file, request->count,
			request->count == 1 ? "" : "s");
	return err;
}

int escrow_take_token(struct escrow *escrow, struct json_object *root)
{
	json_object_object_foreach(luks_get(root, "tokens"), name, token)
	{
		(void)name;
		if (strcmp(luks_text(token, "type"), ESCROW_TOKEN) ||
			escrow_token_parse(token, escrow->record, &escrow->envelope))
			continue;
		if (!left_out(escrow, &escrow->envelope)) {
			escrow->token = strdup(json_object_to_json_string(token));
			return escrow->token != NULL;
		}
		envelope_free(&escrow->envelope);
	}
	return 0;
}

int escrow_is_other(const struct escrow *escrow, struct json_object *token)
{
	struct json_object *own = escrow->token ? json_tokener_parse(escrow->token) : NULL;
	int other = !strcmp(luks_text(token, "type"), ESCROW_TOKEN) && !json_object_equal(token, own);

	json_object_put(own);
	return other;
}

int escrow_check_token(const struct escrow *escrow, struct json_object *root)
{
	struct json_object *wanted = json_tokener_parse(escrow->token);
	int found = 0;

	json_object_object_foreach(luks_get(root, "tokens"), name, token)
	{
		(void)name;
		found |= json_object_equal(token, wanted);
	}
	json_object_put(wanted);
	if (found)
		return EXITS_OK;
	log_error("the header does not hold the wrapped key");
	return EXITS_FAILED;
}
