/* SPDX-License-Identifier: Apache-2.0 */
/* `underseal list`, `enroll` and `remove`: the key slots of a protected partition. */
#ifndef INSTALLER_KEYS_H
#define INSTALLER_KEYS_H

#include "installer/escrow.h"
#include "installer/header_slots.h"
#include "installer/tpm2_slot.h"

#define KEYS_TOKENS 32 /* that a header can have */

/* Prints a table, or one JSON object. `partition` 0: the only protected one. Returns an exit code. */
int keys_list(const char *target, unsigned partition, int json);

enum keys_new { KEYS_NONE, KEYS_PASSPHRASE, KEYS_RECOVERY, KEYS_TPM2, KEYS_ESCROW, KEYS_PKCS11 };

struct keys_options {
	const char *target;
	uint32_t partition; /* 0: the only protected one */
	const char *passphrase_file; /* of one that opens the volume; NULL: ask */

	enum keys_new new;	     /* keys_enroll */
	const char *new_passphrase_file; /* NULL: ask */
	struct header_cost cost;
	struct escrow_request escrow;
	const char *pkcs11;   /* keys_pkcs11: URI of the token */
	const char *pin_file; /* of its PIN; NULL: ask */

	struct tpm2_slot_options tpm2; /* keys_enroll, keys_reseal */

	uint32_t slot; /* keys_remove; keys_reseal when `slot_given` */
	int slot_given;
	uint32_t token; /* keys_remove_token */
	int has_token;
	int force;
};

/* The way of the commands below: `work` gets an edit that is EDIT_NONE and empty secrets, both let go of afterwards. */
struct edit;
typedef int keys_work(struct edit *edit, const struct keys_options *options, struct secrets *secrets);
int keys_edit(const struct keys_options *options, keys_work *work);

/*
 * Adds a key slot; a new recovery key is shown once, when it opens the volume.
 * Nothing is written before the boot program's own code has opened the changed
 * header with the new key. Returns an exit code.
 */
int keys_enroll(const struct keys_options *options);

/*
 * Seals a new key for what the PCRs of a TPM token hold by now: adds a slot as
 * keys_enroll does, and removes the old one when the new one is on the disk. The
 * token is the only one, or that of `slot`. Returns an exit code.
 */
int keys_reseal(const struct keys_options *options);

/*
 * Wraps the volume key for the certificates of options->escrow: as the file first,
 * then as a token; each is read back. Returns an exit code.
 */
int keys_escrow(const struct keys_options *options);

/*
 * Adds a key slot whose random key the smartcard or HSM of options->pkcs11 decrypts, with a
 * token as systemd-cryptenroll makes it. The token has to decrypt it once before
 * anything is written. Returns an exit code.
 */
int keys_pkcs11(const struct keys_options *options);

/*
 * A new recovery key, and a new escrow for the certificates of options->escrow, if any, in
 * the place of all recovery keys and escrows of the header: those are removed when the
 * new ones stand on the disk, have been read back and were shown. Refuses to leave an
 * escrow without a new one. Returns an exit code.
 */
int keys_rotate(const struct keys_options *options);

/*
 * Wipes a key slot and its token. A passphrase or recovery key of another slot must
 * be given, so that none is removed that was the last one to work; when there is no
 * such slot it refuses, unless `force` and some other slot is left. Returns an exit
 * code.
 */
int keys_remove(const struct keys_options *options);

/*
 * Takes away a token that opens no slot, as that of an escrow; a passphrase or recovery
 * key must be given. Refuses the one that binds the header to its partition, and those
 * of slots. Returns an exit code.
 */
int keys_remove_token(const struct keys_options *options);

#endif
