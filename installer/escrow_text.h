/* SPDX-License-Identifier: Apache-2.0 */
/* The texts of key escrow: the record, the file, the token (installer/escrow.h). */
#ifndef INSTALLER_ESCROW_TEXT_H
#define INSTALLER_ESCROW_TEXT_H

#include "installer/escrow.h"

struct json_object;

/* The record's lines into `record`; 0, or -1 when they are too long. */
int escrow_record_make(char record[ESCROW_RECORD_MOST], const struct escrow_place *place, X509 *const *certificates,
	unsigned count);

/* Whether it is lines of printable ASCII, which a terminal can be shown. */
int escrow_record_is_plain(const char *record);

/* The value of line `name` in a record, "" when there is none, cut. */
void escrow_record_get(const char *record, const char *name, char *value, size_t capacity);

/* The file's text, to be freed; NULL without memory. */
char *escrow_file_text(const char *record, const struct envelope *envelope);

/*
 * Reads a file's text. `record` gets what stands before the envelope ("" when nothing
 * does), without carriage returns; one that is not plain is refused. Returns 0 or -1; envelope_free is always allowed after it.
 */
int escrow_file_parse(const char *text, char record[ESCROW_RECORD_MOST], struct envelope *envelope);

/* The token's JSON text, to be freed; NULL without memory. */
char *escrow_token_text(
	const char *record, const struct envelope *envelope, X509 *const *certificates, unsigned count);

/* Reads a token: 0, or -1 when it is none that holds a key; envelope_free is always allowed after it. */
int escrow_token_parse(struct json_object *token, char record[ESCROW_RECORD_MOST], struct envelope *envelope);

#endif
