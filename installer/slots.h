/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The key slots and tokens of a LUKS2 header: what kind of key opens a slot, and
 * what a TPM token binds (LUKS2 On-Disk Format Specification 1.1.1, sections 3.2
 * and 3.5; tokens as systemd-cryptenroll writes them).
 */
#ifndef INSTALLER_SLOTS_H
#define INSTALLER_SLOTS_H

#include <stdint.h>

struct json_object;

/* Token types, and the member that says which policy a TPM's key is sealed under. */
#define SLOTS_TPM2   "systemd-tpm2"
#define SLOTS_RECORD "underseal-pcrs" /* the values of the PCRs that such a policy stands for */
#define SLOTS_POLICY "tpm2-policy-hash"

enum slot_kind {
	SLOT_PASSPHRASE, /* no token says otherwise */
	SLOT_RECOVERY,
	SLOT_TPM2,
	SLOT_SMARTCARD,
	SLOT_FIDO2,
	SLOT_OTHER, /* of a token that we do not know */
	SLOT_REENCRYPT,
};

/* The kind of the slot `number` in the header text `root`, or -1 when there is no such slot. */
int slots_kind(struct json_object *root, unsigned number);

/* Whether a person can type what opens a slot of this kind. */
int slots_typed(enum slot_kind kind);

/* For a sentence: "passphrase". */
const char *slots_kind_text(enum slot_kind kind);

/* Whether `token` names the slot `number`. */
int slots_named(struct json_object *token, unsigned number);

/* Whether the header has a token of that type and policy. */
int slots_has_policy(struct json_object *root, const char *type, const char *policy);

/* Adds the arrays "keyslots" and "tokens" to the report `out`; slots_print makes lines of a table from them. */
void slots_describe(struct json_object *out, struct json_object *root);
void slots_print(struct json_object *report);

#endif
