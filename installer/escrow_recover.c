/* SPDX-License-Identifier: Apache-2.0 */
#include "installer/escrow_recover.h"
#include "installer/audit.h"
#include "installer/certificate.h"
#include "installer/durable.h"
#include "installer/edit.h"
#include "installer/escrow_text.h"
#include "installer/exits.h"
#include "installer/header_slots.h"
#include "installer/pkcs11.h"
#include "installer/recipient.h"
#include "installer/stop.h"
#include "storage/port.h"
#include <stdio.h>
#include <stdlib.h>

/* What is unwrapped: the volume key, and the record that was sealed with it. */
struct content {
	uint8_t key[VOLUME_KEY_BYTES];
	char record[ESCROW_RECORD_MOST];
};

struct recovery {
	const struct recover_options *options;
	struct envelope envelope;
	char outside[ESCROW_RECORD_MOST]; /* the record that anyone could have changed */
	struct edit edit;
	struct recipient recipient;
	struct content *content;
	struct secrets *secrets;
};

static int read_file(struct recovery *r)
{
	const char *file = r->options->file;
	size_t bytes;
	char *text = durable_read(file, ESCROW_FILE_MOST, &bytes);
	int err = text ? EXITS_OK : EXITS_FAILED;

	if (text && (escrow_file_parse(text, r->outside, &r->envelope) || envelope_recipients(&r->envelope) < 1)) {
		log_error("%s: this is no escrow file, or it is damaged", file);
		err = EXITS_FAILED;
	}
	free(text);
	return err;
}

/* Whether line `name` of the record is `value`. */
static int names(const char *record, const char *name, const char *value)
{
	char text[UUID_TEXT + 1];

	escrow_record_get(record, name, text, sizeof text);
	return !strcmp(text, value);
}

/* The volume of the target must be the record's. */
static int check_target(const struct recovery *r, const char *record)
{
	const struct edit *e = &r->edit;

	if (!r->options->target || (names(record, "volume", pair_uuid(&e->volume.pair)) &&
					   names(record, "partition", e->data.uuid)))
		return EXITS_OK;
	log_error("%s was made for another volume than that of partition %u of %s", r->options->file, e->data.number,
		e->target.path);
	return EXITS_REFUSED;
}

static int unwrap(struct recovery *r)
{
	struct content *c = r->content;
	int bytes = recipient_unwrap(&r->recipient, &r->envelope, (uint8_t *)c, sizeof *c - 1);

	if (bytes <= VOLUME_KEY_BYTES || !escrow_record_is_plain(c->record)) {
		log_error("%s cannot be unwrapped with this key: it is damaged, or of another kind", r->options->file);
		return EXITS_FAILED;
	}
	if (*r->outside && strcmp(r->outside, c->record)) {
		log_error("%s: its record has been changed. The key in it was kept with this one:\n%s", r->options->file,
			c->record);
		return EXITS_REFUSED;
	}
	memcpy(r->secrets->key, c->key, sizeof c->key);
	return EXITS_OK;
}

static void add_record(struct audit *audit, const char *record)
{
	static const char *const lines[] = {
		"machine", "serial", "system-uuid", "disk-serial", "disk", "partition", "volume", "made"};
	char value[256];

	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		escrow_record_get(record, lines[i], value, sizeof value);
		audit_add(audit, lines[i], value);
	}
}

static int write_audit(const struct recovery *r)
{
	const struct recover_options *o = r->options;
	char fingerprint[CERTIFICATE_FINGERPRINT], subject[CERTIFICATE_SUBJECT];
	struct audit audit;

	audit_begin(&audit);
	audit_add(&audit, "given", o->target ? "recovery key" : "volume key");
	audit_add(&audit, "file", o->file);
	if (o->target)
		audit_add(&audit, "target", o->target);
	add_record(&audit, r->content->record);
	certificate_fingerprint(r->recipient.certificate, fingerprint);
	certificate_subject(r->recipient.certificate, subject);
	audit_add(&audit, "certificate", fingerprint);
	audit_add(&audit, "subject", subject);
	return audit_write(&audit, o->audit_log);
}

/* A recovery key for the target, which the volume key must fit. */
static int make_recovery_key(struct recovery *r)
{
	struct edit *e = &r->edit;
	struct secrets *new = secrets_new();
	unsigned slot = 0;
	int err = new ? EXITS_OK : EXITS_FAILED;

	if (!err)
		err = secrets_recovery_key(new);
	if (!err)
		err = header_add_recovery(e->image, r->secrets, new, &slot);
	if (!err)
		err = edit_prove(e, new);
	if (!err)
		err = edit_commit(e, slot);
	if (!err) {
		log_info("slot %u of partition %u is new. Its recovery key, which is not shown again; when the volume is "
			 "open, enroll another key and remove slot %u:",
			slot, e->data.number, slot);
		err = secrets_show(new);
	}
	secrets_free(new);
	return err;
}

static int give(struct recovery *r)
{
	if (r->options->target)
		return make_recovery_key(r);
	log_info("the volume key, in hex: whoever has it reads the volume until it is encrypted anew");
	secrets_key_text(r->secrets);
	return secrets_show(r->secrets);
}

/* What the holder of the token learns without logging in. */
static int explain(const struct recovery *r)
{
	log_info("%s:\n%sThis token can unwrap it. Give the disk as TARGET, and it gets a new recovery key; or say "
		 "--print-volume-key. Nothing was unwrapped",
		r->options->file, r->outside);
	return EXITS_REFUSED;
}

static int recover(struct recovery *r)
{
	const struct recover_options *o = r->options;
	int err = read_file(r);

	if (!err && o->target)
		err = edit_open_writable(&r->edit, o->target, o->partition);
	if (!err && *r->outside)
		err = check_target(r, r->outside);
	if (!err)
		err = recipient_find(&r->recipient, &r->envelope, o->pkcs11, o->certificate);
	if (!err && !o->target && !o->print_volume_key)
		return explain(r);
	if (!err)
		err = recipient_login(&r->recipient, o->pin_file);
	if (!err)
		err = unwrap(r);
	if (!err)
		err = check_target(r, r->content->record);
	if (!err && o->target)
		err = header_check_key(r->edit.image, r->secrets);
	if (!err)
		err = write_audit(r);
	return err ? err : give(r);
}

int escrow_recover(const struct recover_options *options)
{
	struct recovery r = {.options = options, .edit = EDIT_NONE};
	int err;

	stop_catch_signals();
	r.content = secrets_pages(sizeof *r.content);
	r.secrets = secrets_new();
	err = r.content && r.secrets ? recover(&r) : EXITS_FAILED;
	secrets_free(r.secrets);
	secrets_pages_free(r.content, sizeof *r.content);
	recipient_close(&r.recipient);
	envelope_free(&r.envelope);
	edit_close(&r.edit);
	return err;
}
