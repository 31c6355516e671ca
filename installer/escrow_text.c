/* SPDX-License-Identifier: Apache-2.0 */
#include "installer/escrow_text.h"
#include "installer/certificate.h"
#include "installer/luks_json.h"
#include "installer/machine.h"
#include "installer/report.h"
#include "keymgmt/base64.h"
#include <json-c/json.h>
#include <openssl/cms.h>
#include <openssl/pem.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TITLE "Underseal key escrow, version 1"
#define BEGIN "-----BEGIN " PEM_STRING_CMS "-----"

/* A text under construction, of a bounded size. */
struct lines {
	char *text;
	size_t bytes;
};

static void __attribute__((format(printf, 2, 3))) line(struct lines *lines, const char *format, ...)
{
	size_t room = ESCROW_RECORD_MOST - lines->bytes;
	va_list values;
	int wanted;

	va_start(values, format);
	wanted = vsnprintf(lines->text + lines->bytes, room, format, values);
	va_end(values);
	lines->bytes += wanted < 0 || (size_t)wanted >= room ? room : (size_t)wanted;
	if (lines->bytes > ESCROW_RECORD_MOST - 1)
		lines->bytes = ESCROW_RECORD_MOST;
}

static void add(struct lines *lines, const char *name, const char *value)
{
	if (*value)
		line(lines, "%s: %s\n", name, value);
}

static void add_machine(struct lines *lines, const struct machine *m)
{
	if (*m->vendor || *m->product)
		line(lines, "machine: %s%s%s\n", m->vendor, *m->vendor && *m->product ? " " : "", m->product);
	add(lines, "serial", m->serial);
	add(lines, "system-uuid", m->uuid);
	add(lines, "disk-model", m->disk_model);
	add(lines, "disk-serial", m->disk_serial);
}

static void add_time(struct lines *lines)
{
	time_t now = time(NULL);
	struct tm utc;
	char text[32];

	if (gmtime_r(&now, &utc) && strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc))
		add(lines, "made", text);
}

int escrow_record_make(char record[ESCROW_RECORD_MOST], const struct escrow_place *place, X509 *const *certificates,
	unsigned count)
{
	struct lines lines = {record, 0};
	struct machine machine;

	machine_read(&machine, "/sys", place->target);
	line(&lines, TITLE "\n");
	add_machine(&lines, &machine);
	add(&lines, "disk", place->disk_guid);
	add(&lines, "partition", place->partuuid);
	add(&lines, "volume", place->uuid);
	add_time(&lines);
	for (unsigned i = 0; i < count; i++) {
		char fingerprint[CERTIFICATE_FINGERPRINT], subject[CERTIFICATE_SUBJECT];

		certificate_fingerprint(certificates[i], fingerprint);
		certificate_subject(certificates[i], subject);
		line(&lines, "certificate: %s %s\n", fingerprint, subject);
	}
	return lines.bytes < ESCROW_RECORD_MOST ? 0 : -1;
}

int escrow_record_is_plain(const char *record)
{
	for (; *record; record++)
		if (*record != '\n' && (*record < ' ' || *record > '~'))
			return 0;
	return 1;
}

void escrow_record_get(const char *record, const char *name, char *value, size_t capacity)
{
	size_t length = strlen(name);

	*value = 0;
	while (*record) {
		size_t end = strcspn(record, "\n");

		if (end > length + 2 && !strncmp(record, name, length) && !strncmp(record + length, ": ", 2)) {
			snprintf(value, capacity, "%.*s", (int)(end - length - 2), record + length + 2);
			return;
		}
		record += end + (record[end] == '\n');
	}
}

char *escrow_file_text(const char *record, const struct envelope *envelope)
{
	BIO *out = BIO_new(BIO_s_mem());
	char *text = NULL, *data;
	long bytes;

	if (out && BIO_puts(out, record) == (int)strlen(record) &&
		PEM_write_bio(out, PEM_STRING_CMS, "", envelope->der, (long)envelope->bytes) > 0) {
		bytes = BIO_get_mem_data(out, &data);
		text = strndup(data, bytes);
	}
	BIO_free(out);
	return text;
}

/* Line ends may have become those of another system on the way. */
static int take_record(char record[ESCROW_RECORD_MOST], const char *text, const char *end)
{
	size_t bytes = 0;

	for (; text < end; text++) {
		if (*text == '\r')
			continue;
		if (bytes == ESCROW_RECORD_MOST - 1)
			return -1;
		record[bytes++] = *text;
	}
	record[bytes] = 0;
	return escrow_record_is_plain(record) ? 0 : -1;
}

int escrow_file_parse(const char *text, char record[ESCROW_RECORD_MOST], struct envelope *envelope)
{
	const char *begin = strstr(text, BEGIN);
	BIO *in = begin ? BIO_new_mem_buf(begin, -1) : NULL;
	char *name = NULL, *header = NULL;
	uint8_t *der = NULL;
	long bytes = 0;
	int ok;

	*envelope = (struct envelope){NULL, 0};
	ok = in && PEM_read_bio(in, &name, &header, &der, &bytes) == 1 && !strcmp(name, PEM_STRING_CMS) &&
	     bytes <= ENVELOPE_MOST_BYTES && !take_record(record, text, begin);
	BIO_free(in);
	OPENSSL_free(name);
	OPENSSL_free(header);
	if (ok)
		*envelope = (struct envelope){der, (size_t)bytes};
	else
		OPENSSL_free(der);
	return ok ? 0 : -1;
}

char *escrow_token_text(
	const char *record, const struct envelope *envelope, X509 *const *certificates, unsigned count)
{
	struct json_object *token = json_object_new_object(), *list = json_object_new_array();
	size_t bytes = BASE64_BYTES(envelope->bytes);
	char *base64 = malloc(bytes + 1), *text = NULL;

	report_text(token, "type", ESCROW_TOKEN);
	json_object_object_add(token, "keyslots", json_object_new_array());
	for (unsigned i = 0; i < count; i++) {
		char fingerprint[CERTIFICATE_FINGERPRINT];

		certificate_fingerprint(certificates[i], fingerprint);
		json_object_array_add(list, json_object_new_string(fingerprint));
	}
	json_object_object_add(token, "certificates", list);
	report_text(token, "record", record);
	if (base64) {
		base64[base64_encode(envelope->der, envelope->bytes, (uint8_t *)base64)] = 0;
		report_text(token, "cms", base64);
		text = strdup(json_object_to_json_string_ext(token, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	}
	free(base64);
	json_object_put(token);
	return text;
}

/* Decodes base64 of whole groups; its padding becomes zeroes, which are not counted. */
static int decode(const char *text, struct envelope *envelope)
{
	size_t length = strlen(text), padding = 0;
	int bytes;

	if (!length || length % 4 || length > BASE64_BYTES(ENVELOPE_MOST_BYTES))
		return -1;
	while (padding < 2 && text[length - 1 - padding] == '=')
		padding++;
	envelope->der = OPENSSL_malloc(length / 4 * 3);
	bytes = envelope->der ? EVP_DecodeBlock(envelope->der, (const uint8_t *)text, (int)length) : -1;
	envelope->bytes = bytes < 0 ? 0 : (size_t)bytes - padding;
	return bytes < 0 ? -1 : 0;
}

int escrow_token_parse(struct json_object *token, char record[ESCROW_RECORD_MOST], struct envelope *envelope)
{
	*envelope = (struct envelope){NULL, 0};
	if (strlen(luks_text(token, "record")) < ESCROW_RECORD_MOST &&
		escrow_record_is_plain(luks_text(token, "record")) && !decode(luks_text(token, "cms"), envelope)) {
		strcpy(record, luks_text(token, "record"));
		return 0;
	}
	envelope_free(envelope);
	return -1;
}
