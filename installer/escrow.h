/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Key escrow: the volume key wrapped for the holders of certificates. It is kept in
 * the header as a token of type `underseal-escrow`, and as a file:
 *
 *   Underseal key escrow, version 1
 *   machine: LENOVO 20XW
 *   ...                          the record: which machine, disk and volume this is for
 *   certificate: <SHA-256> <subject>
 *   -----BEGIN CMS-----          installer/envelope.h
 *
 * What is wrapped is the volume key and behind it the record once more: nobody can
 * give the key of one machine another machine's record.
 */
#ifndef INSTALLER_ESCROW_H
#define INSTALLER_ESCROW_H

#include "installer/envelope.h"
#include "installer/secrets.h"

struct json_object;
struct target;

#define ESCROW_TOKEN	  "underseal-escrow"
#define ESCROW_FILE_MOST  (128 << 10) /* bytes of the file */
#define ESCROW_RECORD_MOST 4096	      /* bytes of the record, with its NUL */

struct escrow_request {
	const char *certificate[ENVELOPE_MOST_RECIPIENTS]; /* files */
	unsigned count;
	const char *file; /* NULL: in the header alone */
};

/* Counts in one more certificate of the command line; 0, or -1 after an error line. */
int escrow_add(struct escrow_request *request, const char *certificate);

/* Which volume it is for. */
struct escrow_place {
	const struct target *target;
	const char *disk_guid, *partuuid;
	const char *uuid; /* of the LUKS2 header */
};

struct escrow {
	const struct escrow_request *request;
	int replace; /* a file of this volume's that is there */
	X509 *certificate[ENVELOPE_MOST_RECIPIENTS];
	char record[ESCROW_RECORD_MOST];
	struct envelope envelope;
	char *token; /* JSON text */
};

/* Reads the certificates. Returns an exit code; escrow_close is always allowed after it. */
int escrow_open(struct escrow *escrow, const struct escrow_request *request);
void escrow_close(struct escrow *escrow);

/*
 * Looks whether the file can be written, before a passphrase is asked for. One that exists is refused,
 * unless its record names the volume `uuid` (NULL: none). Returns an exit code.
 */
int escrow_check_file(struct escrow *escrow, const char *uuid);

/* Wraps `key`; record, envelope and token are set then. Returns an exit code. */
int escrow_seal(struct escrow *escrow, const struct escrow_place *place, const uint8_t key[VOLUME_KEY_BYTES]);

/*
 * Writes the file that was asked for, if any, durably; reads it back, and finds in it
 * the envelope with each certificate among its recipients. Returns an exit code.
 */
int escrow_store(const struct escrow *escrow);

/*
 * Whether the header text `root` has a token that is for each of the certificates; record, envelope and token are set
 * from it then.
 */
int escrow_take_token(struct escrow *escrow, struct json_object *root);

/* Whether `token` is a token of an escrow, and another one than this. */
int escrow_is_other(const struct escrow *escrow, struct json_object *token);

/* Whether the header text `root` has this token, to the byte. Returns an exit code. */
int escrow_check_token(const struct escrow *escrow, struct json_object *root);

#endif
