/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/guest/lib/files.h"
#include "tests/guest/lib/guest.h"
#include <efilib.h>

#define BELOW_4G 0xffffffffull

static EFI_FILE_HANDLE directory;

void files_begin(EFI_HANDLE image)
{
	EFI_LOADED_IMAGE *loaded;
	EFI_FILE_HANDLE root;

	if (EFI_ERROR(BS->HandleProtocol(image, &LoadedImageProtocol, (VOID **)&loaded)))
		return;
	root = LibOpenRoot(loaded->DeviceHandle);
	if (root && EFI_ERROR(root->Open(root, &directory, L"\\EFI\\guest", EFI_FILE_MODE_READ, 0)))
		directory = NULL;
}

EFI_FILE_HANDLE files_open(const CHAR16 *name)
{
	EFI_FILE_HANDLE file;

	if (!directory || EFI_ERROR(directory->Open(directory, &file, (CHAR16 *)name, EFI_FILE_MODE_READ, 0)))
		return NULL;
	return file;
}

EFI_PHYSICAL_ADDRESS files_load(const CHAR16 *name, UINTN align, UINTN *bytes)
{
	EFI_FILE_HANDLE file = files_open(name);
	EFI_FILE_INFO *info = file ? LibFileInfo(file) : NULL;
	EFI_PHYSICAL_ADDRESS base = BELOW_4G;
	UINTN size;

	if (!info)
		guest_fail("a file is missing beside the options");
	size = info->FileSize;
	if (*bytes < size)
		*bytes = size;
	if (EFI_ERROR(BS->AllocatePages(AllocateMaxAddress, EfiLoaderData, (*bytes + align - 1) / 4096 + 1, &base)))
		guest_fail("no memory for a file of %lu bytes", *bytes);
	base = (base + align - 1) & ~(align - 1);
	memset((VOID *)base, 0, *bytes);
	if (EFI_ERROR(file->Read(file, &size, (VOID *)base)))
		guest_fail("a file cannot be read");
	FreePool(info);
	file->Close(file);
	return base;
}
