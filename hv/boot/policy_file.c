/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the policy file from the directory the program was started from. */
#include "hv/boot/policy_file.h"
#include <efilib.h>

static const CHAR16 name[] = L"underseal.conf";

static void complain(void *context, unsigned line, const char *text)
{
	(void)context;
	if (line)
		Print(L"underseal.conf, line %d: %a.\n", (int)line, text);
	else
		Print(L"underseal.conf: %a.\n", text);
}

/* The program's own path with its last part replaced; NULL when the firmware does not tell it. */
static CHAR16 *path_beside(EFI_LOADED_IMAGE *loaded)
{
	CHAR16 *own = loaded->FilePath ? DevicePathToStr(loaded->FilePath) : NULL, *path;
	UINTN keep = 0;

	if (!own)
		return NULL;
	for (UINTN i = 0; own[i]; i++)
		if (own[i] == L'\\')
			keep = i + 1;
	path = AllocatePool(keep * sizeof(CHAR16) + sizeof(name));
	if (path) {
		CopyMem(path, own, keep * sizeof(CHAR16));
		CopyMem(path + keep, name, sizeof(name));
	}
	FreePool(own);
	return path;
}

/* Reads at most one byte more than a policy may have, so that a longer one is noticed. */
static EFI_STATUS read_file(EFI_FILE_HANDLE root, CHAR16 *path, char *buffer, UINTN *bytes)
{
	EFI_FILE_HANDLE file;
	EFI_STATUS status = root->Open(root, &file, path, EFI_FILE_MODE_READ, 0);

	if (EFI_ERROR(status))
		return status;
	*bytes = POLICY_MAX_BYTES + 1;
	status = file->Read(file, bytes, buffer);
	file->Close(file);
	return status;
}

void policy_read(struct policy *policy, struct policy_text *text, EFI_LOADED_IMAGE *loaded)
{
	EFI_FILE_HANDLE root = loaded->DeviceHandle ? LibOpenRoot(loaded->DeviceHandle) : NULL;
	CHAR16 *path = path_beside(loaded);
	EFI_STATUS status = EFI_NOT_FOUND;

	policy_defaults(policy);
	if (root && path)
		status = read_file(root, path, text->text, &text->bytes);
	if (!EFI_ERROR(status))
		policy_parse(policy, text->text, text->bytes, complain, NULL);
	else if (status != EFI_NOT_FOUND)
		Print(L"underseal.conf cannot be read (%r).\n", status);
	if (EFI_ERROR(status) || text->bytes > POLICY_MAX_BYTES)
		text->bytes = 0;
	if (path)
		FreePool(path);
	if (root)
		root->Close(root);
}
