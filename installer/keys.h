/* SPDX-License-Identifier: Apache-2.0 */
/* `underseal list`, `enroll` and `remove`: the key slots of a protected partition. */
#ifndef INSTALLER_KEYS_H
#define INSTALLER_KEYS_H

#include "installer/header_slots.h"
#include "installer/tpm2_slot.h"

/* Prints a table, or one JSON object. `partition` 0: the only protected one. Returns an exit code. */
int keys_list(const char *target, unsigned partition, int json);

enum keys_new { KEYS_NONE, KEYS_PASSPHRASE, KEYS_RECOVERY, KEYS_TPM2 };

struct keys_options {
	const char *target;
	uint32_t partition; /* 0: the only protected one */
	const char *passphrase_file; /* of one that opens the volume; NULL: ask */

	enum keys_new new;	     /* keys_enroll */
	const char *new_passphrase_file; /* NULL: ask */
	struct header_cost cost;

	struct tpm2_slot_options tpm2; /* keys_enroll, keys_reseal */

	uint32_t slot; /* keys_remove; keys_reseal when `slot_given` */
	int slot_given;
	int force;
};

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
 * Wipes a key slot and its token. A passphrase or recovery key of another slot must
 * be given, so that none is removed that was the last one to work; when there is no
 * such slot it refuses, unless `force` and some other slot is left. Returns an exit
 * code.
 */
int keys_remove(const struct keys_options *options);

#endif
