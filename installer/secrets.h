/* SPDX-License-Identifier: Apache-2.0 */
/* The one place in the command's memory that holds secrets: locked, not dumped, wiped. */
#ifndef INSTALLER_SECRETS_H
#define INSTALLER_SECRETS_H

#include "storage/crypt/xts.h"
#include <stddef.h>
#include <stdint.h>

#define PASSPHRASE_MAX	 512 /* bytes, as cryptsetup's interactive limit */
#define VOLUME_KEY_BYTES 64  /* AES-256-XTS */

struct secrets {
	char passphrase[PASSPHRASE_MAX];
	size_t passphrase_bytes;
	uint8_t key[VOLUME_KEY_BYTES];
	struct xts_key schedule;
};

/* Zeroed memory that is locked and not dumped, NULL after an error line; wiped when it is freed, NULL is allowed. */
void *secrets_pages(size_t bytes);
void secrets_pages_free(void *pages, size_t bytes);

/* Pages of their own; NULL after an error line. secrets_free wipes; NULL is allowed. */
struct secrets *secrets_new(void);
void secrets_free(struct secrets *secrets);

/*
 * Reads the passphrase from `file` (one trailing newline is not part of it; "-"
 * is standard input) or, with NULL, from the terminal without echo: twice when
 * `new`. Returns an exit code.
 */
int secrets_passphrase(struct secrets *secrets, const char *file, int new);

/* The same for a new PIN, always asked for twice. */
int secrets_pin(struct secrets *secrets, const char *file);
/* The same for the PIN of a smartcard or HSM, which is never new. */
int secrets_card_pin(struct secrets *secrets, const char *file);

/*
 * A new recovery key as the passphrase. The caller shows it with secrets_show, once it
 * opens something.
 */
int secrets_recovery_key(struct secrets *secrets);

/* The volume key in hex as the passphrase, to be shown. */
void secrets_key_text(struct secrets *secrets);

/* The passphrase as one line on standard output, kept nowhere on the way. Returns an exit code. */
int secrets_show(const struct secrets *secrets);

#endif
