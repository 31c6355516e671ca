/* SPDX-License-Identifier: Apache-2.0 */
/* Typing a passphrase on the console. */
#ifndef HV_BOOT_KEYBOARD_H
#define HV_BOOT_KEYBOARD_H

#include <efi.h>

#define PASSPHRASE_BYTES 512

struct passphrase {
	UINT8 text[PASSPHRASE_BYTES]; /* UTF-8, as every other system types it */
	UINTN bytes;
};

/*
 * Reads one line, showing a star per character; F2 changes the keyboard's layout and begins anew. Returns
 * FALSE when Esc was pressed, or there is no keyboard; the passphrase is wiped then.
 */
BOOLEAN keyboard_read(struct passphrase *passphrase);

#endif
