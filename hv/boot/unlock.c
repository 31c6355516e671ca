/* SPDX-License-Identifier: Apache-2.0 */
#include "hv/boot/unlock.h"
#include "hv/boot/input.h"
#include "hv/boot/keyboard.h"
#include "hv/boot/open.h"
#include "hv/boot/screen.h"
#include "hv/boot/unlock_card.h"
#include "hv/boot/unlock_tpm.h"
#include "keymgmt/recovery_key.h"
#include "storage/crypt/wipe.h"
#include <efilib.h>

static enum answer try_passphrase(struct volume *volume, const struct passphrase *passphrase, VOID *scratch)
{
	char recovery[RECOVERY_KEY_TEXT];
	enum answer answer;

	Print(L"Unlocking %a ... ", volume->name);
	answer = open_volume(volume, LUKS2_ALL_KEYSLOTS, passphrase->text, passphrase->bytes, scratch);
	/* A recovery key copied from paper: the text in its slot is lower case, with dashes. */
	if (answer == ANSWER_WRONG && recovery_key_read(passphrase->text, passphrase->bytes, recovery))
		answer = open_volume(volume, LUKS2_ALL_KEYSLOTS, (const UINT8 *)recovery, sizeof(recovery), scratch);
	secret_wipe(recovery, sizeof(recovery));
	return answer;
}

/* An empty line is a slip of the finger, no try. */
static BOOLEAN ask(const struct volume *volume, struct passphrase *passphrase)
{
	screen_ask();
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
	Print(L"%a stays locked; the computer starts without it.\n", volume->name);
	return ANSWER_WRONG;
}

static void ask_for_passphrases(struct volume *volumes, UINTN count, UINTN tries, VOID *scratch)
{
	static struct passphrase good, typed;
	enum answer answer = ANSWER_WRONG;

	for (UINTN i = 0; i < count && answer != ANSWER_NONE; i++) {
		if (volumes[i].unlocked)
			continue;
		answer = ANSWER_WRONG;
		if (good.bytes) {
			answer = try_passphrase(&volumes[i], &good, scratch);
			if (answer == ANSWER_WRONG)
				Print(L"it needs another passphrase.\n");
		}
		if (answer == ANSWER_WRONG)
			answer = ask_and_try(&volumes[i], &typed, tries, scratch);
		if (answer == ANSWER_UNLOCKED && !good.bytes)
			good = typed;
	}
	secret_wipe(&good, sizeof(good));
	secret_wipe(&typed, sizeof(typed));
}

static UINTN count_unlocked(const struct volume *volumes, UINTN count)
{
	UINTN unlocked = 0;

	for (UINTN i = 0; i < count; i++)
		unlocked += volumes[i].unlocked;
	return unlocked;
}

UINTN unlock_volumes(struct volume *volumes, UINTN count, const struct policy *policy,
	const struct policy_text *text, VOID *scratch)
{
	BOOLEAN go_on;

	input_set_layout(policy->keyboard);
	go_on = unlock_with_tpm(volumes, count, policy, text, scratch) &&
		unlock_with_card(volumes, count, policy, scratch);
	if (go_on && count_unlocked(volumes, count) < count)
		ask_for_passphrases(volumes, count, policy->tries, scratch);
	return count_unlocked(volumes, count);
}
