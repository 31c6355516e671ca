/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Recovery keys as `systemd-cryptenroll --recovery-key` makes them: 256 bits in
 * modhex (the characters of keys that stand in the same place on all keyboards),
 * eight groups of eight with dashes between. That text is the passphrase.
 */
#ifndef KEYMGMT_RECOVERY_KEY_H
#define KEYMGMT_RECOVERY_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RECOVERY_KEY_BYTES   32
#define RECOVERY_KEY_TEXT (8 * 8 + 7) /* characters; no NUL */

/* The text of `key`. */
void recovery_key_text(const uint8_t key[RECOVERY_KEY_BYTES], char text[RECOVERY_KEY_TEXT]);

/*
 * What was typed at `typed` as the text of a recovery key: in either case, and with
 * dashes or spaces where one likes, or none. False when it is none; `text` is
 * wiped then.
 */
bool recovery_key_read(const void *typed, size_t bytes, char text[RECOVERY_KEY_TEXT]);

#endif
