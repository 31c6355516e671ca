/* SPDX-License-Identifier: Apache-2.0 */
#include "hv/boot/open.h"
#include "hv/boot/libc.h"
#include "storage/crypt/wipe.h"
#include <efilib.h>
#include <string.h>

enum answer open_volume(
	struct volume *volume, UINT32 keyslots, const UINT8 *secret, UINTN bytes, VOID *scratch)
{
	struct luks2_source source = volume_source(volume);
	struct luks2_key key;
	enum luks2_error error;

	libc_enter();
	error = luks2_unlock(
		&volume->header, &source, keyslots, secret, bytes, &libc_argon2_memory, scratch, &key);
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
