/* SPDX-License-Identifier: Apache-2.0 */
#include "hv/boot/keyboard.h"
#include "hv/boot/input.h"
#include "hv/boot/typed.h"
#include "storage/crypt/wipe.h"
#include <efilib.h>

enum { KEY_BACKSPACE = 8, KEY_NEWLINE = 10, KEY_ENTER = 13, KEY_ESCAPE = 27, KEY_DELETE = 127 };

/* One UCS-2 character; FALSE when it does not fit any more. */
static BOOLEAN append(struct passphrase *passphrase, CHAR16 c)
{
	UINT8 utf8[3];
	UINTN bytes = c < 0x80 ? 1 : c < 0x800 ? 2 : 3;

	if (passphrase->bytes + bytes > PASSPHRASE_BYTES)
		return FALSE;
	if (bytes == 1) {
		utf8[0] = (UINT8)c;
	} else if (bytes == 2) {
		utf8[0] = (UINT8)(0xc0 | c >> 6);
		utf8[1] = (UINT8)(0x80 | (c & 0x3f));
	} else {
		utf8[0] = (UINT8)(0xe0 | c >> 12);
		utf8[1] = (UINT8)(0x80 | (c >> 6 & 0x3f));
		utf8[2] = (UINT8)(0x80 | (c & 0x3f));
	}
	for (UINTN i = 0; i < bytes; i++)
		passphrase->text[passphrase->bytes++] = utf8[i];
	return TRUE;
}

static void erase_last(struct passphrase *passphrase)
{
	if (!passphrase->bytes)
		return;
	do
		passphrase->bytes--;
	while (passphrase->bytes && (passphrase->text[passphrase->bytes] & 0xc0) == 0x80);
	Print(L"\b \b");
}

/* What was typed so far was typed on other keys. */
static void change_layout(struct passphrase *passphrase)
{
	typed_scrub(passphrase, sizeof(*passphrase));
	secret_wipe(passphrase, sizeof(*passphrase));
	input_change_layout();
	Print(L"\nKeyboard: %a. From the start, please: ", layout_name(input_layout()));
}

static BOOLEAN read_line(struct passphrase *passphrase, struct input_key *key)
{
	for (;;) {
		if (!input_wait(key))
			return FALSE;
		typed_note(key->given);
		if (key->scan_code == SCAN_ESC || key->c == KEY_ESCAPE)
			return FALSE;
		/* What a serial terminal's backspace key often sends. */
		if (key->scan_code == SCAN_DELETE)
			key->c = KEY_BACKSPACE;
		if (key->scan_code == SCAN_F2)
			change_layout(passphrase);
		switch (key->c) {
		case KEY_ENTER:
		case KEY_NEWLINE:
			return TRUE;
		case KEY_BACKSPACE:
		case KEY_DELETE:
			erase_last(passphrase);
			break;
		default:
			if (key->c >= ' ' && append(passphrase, key->c))
				Print(L"*");
		}
	}
}

BOOLEAN keyboard_read(struct passphrase *passphrase)
{
	struct input_key key = {0};
	BOOLEAN entered;

	passphrase->bytes = 0;
	input_find();
	entered = read_line(passphrase, &key);
	Print(L"\n");
	secret_wipe(&key, sizeof(key));
	/* The firmware's queues still hold it. */
	typed_scrub(passphrase, sizeof(*passphrase));
	if (!entered)
		secret_wipe(passphrase, sizeof(*passphrase));
	return entered;
}
