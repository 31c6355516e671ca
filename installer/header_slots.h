/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Key slots of the header in an image, through libcryptsetup. Each function returns
 * an exit code after telling why; the image is of no use then.
 */
#ifndef INSTALLER_HEADER_SLOTS_H
#define INSTALLER_HEADER_SLOTS_H

#include "installer/secrets.h"

/* What deriving the key of a passphrase costs; 0: the defaults of installer/header.h. */
struct header_cost {
	uint32_t kib, ms;
};

/* A new slot with the volume key in `key` under the passphrase in `new`; *slot is its number. */
int header_add_passphrase(int image, const struct secrets *key, const struct secrets *new,
	const struct header_cost *cost, unsigned *slot);

struct json_object;

/*
 * The same with a fast derivation, for what is in `new` is random and needs no slow
 * one, and with `count` tokens, as systemd-cryptenroll makes slots. A token without a
 * list of key slots gets that of the new one.
 */
int header_add_with_tokens(int image, const struct secrets *key, const struct secrets *new,
	struct json_object *const *tokens, unsigned count, unsigned *slot);

/* The same for a recovery key, with its token. */
int header_add_recovery(int image, const struct secrets *key, const struct secrets *new, unsigned *slot);

/* Whether `key` holds the volume key of this header. */
int header_check_key(int image, const struct secrets *key);

/* One more token: its JSON text. */
int header_add_token(int image, const char *token);

/* Takes the token `number` away, which opens no slot. */
int header_remove_token(int image, unsigned number);

/* Wipes a slot, each token that opens no other, and what is recorded of such a token. */
int header_remove_slot(int image, unsigned slot);

#endif
