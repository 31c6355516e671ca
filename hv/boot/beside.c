/* SPDX-License-Identifier: Apache-2.0 */
#include "hv/boot/beside.h"
#include <efilib.h>

/* The program's own path with its last part replaced; NULL when the firmware does not tell it. */
static CHAR16 *path_beside(EFI_LOADED_IMAGE *loaded, const CHAR16 *name)
{
	CHAR16 *own = loaded->FilePath ? DevicePathToStr(loaded->FilePath) : NULL, *path;
	UINTN keep = 0, bytes = StrSize(name);

	if (!own)
		return NULL;
	for (UINTN i = 0; own[i]; i++)
		if (own[i] == L'\\')
			keep = i + 1;
	path = AllocatePool(keep * sizeof(CHAR16) + bytes);
	if (path) {
		CopyMem(path, own, keep * sizeof(CHAR16));
		CopyMem(path + keep, (VOID *)name, bytes);
	}
	FreePool(own);
	return path;
}

static EFI_STATUS read_file(EFI_FILE_HANDLE root, CHAR16 *path, VOID *buffer, UINTN *bytes)
{
	EFI_FILE_HANDLE file;
	EFI_STATUS status = root->Open(root, &file, path, EFI_FILE_MODE_READ, 0);

	if (EFI_ERROR(status))
		return status;
	status = file->Read(file, bytes, buffer);
	file->Close(file);
	return status;
}

EFI_STATUS beside_read(EFI_LOADED_IMAGE *loaded, const CHAR16 *name, VOID *buffer, UINTN *bytes)
{
	EFI_FILE_HANDLE root = loaded->DeviceHandle ? LibOpenRoot(loaded->DeviceHandle) : NULL;
	CHAR16 *path = path_beside(loaded, name);
	EFI_STATUS status = EFI_NOT_FOUND;

	if (root && path)
		status = read_file(root, path, buffer, bytes);
	if (path)
		FreePool(path);
	if (root)
		root->Close(root);
	return status;
}
