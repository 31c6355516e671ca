/* SPDX-License-Identifier: Apache-2.0 */
#include "hv/boot/unlock.h"
#include "hv/boot/keyboard.h"
#include "hv/boot/libc.h"
#include "storage/crypt/wipe.h"
#include <efilib.h>
#include <string.h>

enum answer { ANSWER_UNLOCKED, ANSWER_WRONG, ANSWER_UNUSABLE, ANSWER_NONE };

static enum answer try_passphrase(struct volume *volume, const struct passphrase *passphrase, VOID *scratch)
{
	struct luks2_source source = volume_source(volume);
	struct luks2_key key;
	enum luks2_error error;

	Print(L"Unlocking %a ... ", volume->name);
	libc_enter();
	error = luks2_unlock(&volume->header, &source, passphrase->text, passphrase->bytes,
		&libc_argon2_memory, scratch, &key);
	libc_leave();
	if (!error) {
		memcpy(volume->boot.key, key.key, key.key_bytes);
		volume->boot.key_bytes = key.key_bytes;
		volume->unlocked = TRUE;
	}
	secret_wipe(&key, sizeof(key));
	if (error == LUKS2_WRONG_PASSPHRASE)
		return ANSWER_WRONG;
	if (!error)
		Print(L"done.\n");
	else if (*volume->header.detail)
		Print(L"\n%a It stays locked. (%a)\n", luks2_error_text(error), volume->header.detail);
	else
		Print(L"\n%a It stays locked.\n", luks2_error_text(error));
	return error ? ANSWER_UNUSABLE : ANSWER_UNLOCKED;
}

/* An empty line is a slip of the finger, no try. */
static BOOLEAN ask(const struct volume *volume, struct passphrase *passphrase)
{
	do {
		Print(L"Passphrase for %a: ", volume->name);
		if (!keyboard_read(passphrase))
			return FALSE;
	} while (!passphrase->bytes);
	return TRUE;
}

static enum answer ask_and_try(
	struct volume *volume, struct passphrase *passphrase, UINTN tries, VOID *scratch)
{
	enum answer answer;

	for (UINTN i = 0; i < tries; i++) {
		if (!ask(volume, passphrase))
			return ANSWER_NONE;
		answer = try_passphrase(volume, passphrase, scratch);
		if (answer != ANSWER_WRONG)
			return answer;
		Print(L"wrong passphrase.\n");
		BS->Stall(1000000u << (i < 5 ? i : 5)); /* 1 s, 2 s, 4 s, ... */
	}
	Print(L"%a stays locked.\n", volume->name);
	return ANSWER_WRONG;
}

UINTN unlock_volumes(struct volume *volumes, UINTN count, UINTN tries, VOID *scratch)
{
	static struct passphrase good, typed;
	enum answer answer = ANSWER_WRONG;
	UINTN unlocked = 0;

	Print(L"(Esc starts the computer without unlocking.)\n");
	for (UINTN i = 0; i < count && answer != ANSWER_NONE; i++) {
		if (unlocked) {
			answer = try_passphrase(&volumes[i], &good, scratch);
			if (answer == ANSWER_WRONG)
				Print(L"it needs another passphrase.\n");
		}
		if (!unlocked || answer == ANSWER_WRONG)
			answer = ask_and_try(&volumes[i], &typed, tries, scratch);
		if (answer != ANSWER_UNLOCKED)
			continue;
		if (!unlocked++)
			good = typed;
	}
	secret_wipe(&good, sizeof(good));
	secret_wipe(&typed, sizeof(typed));
	return unlocked;
}
