/* SPDX-License-Identifier: Apache-2.0 */
#include "hv/boot/paths.h"
#include <efilib.h>
#include <string.h>

#define FALLBACK_LOADER L"\\EFI\\BOOT\\BOOTX64.EFI"

EFI_DEVICE_PATH *paths_remember(EFI_HANDLE handle)
{
	EFI_DEVICE_PATH *path = DevicePathFromHandle(handle);

	return path ? DuplicateDevicePath(path) : NULL;
}

/* The partition node of a path that leads to a GPT partition, or NULL. */
static const HARDDRIVE_DEVICE_PATH *partition_node(const EFI_DEVICE_PATH *path)
{
	const HARDDRIVE_DEVICE_PATH *found = NULL;

	for (; !IsDevicePathEnd(path); path = NextDevicePathNode(path))
		if (DevicePathType(path) == MEDIA_DEVICE_PATH &&
			DevicePathSubType(path) == MEDIA_HARDDRIVE_DP &&
			((const HARDDRIVE_DEVICE_PATH *)path)->SignatureType == SIGNATURE_TYPE_GUID)
			found = (const HARDDRIVE_DEVICE_PATH *)path;
	return found;
}

/* Bytes of the path without its end node. */
static UINTN length(const EFI_DEVICE_PATH *path)
{
	return DevicePathSize((EFI_DEVICE_PATH *)path) - sizeof(EFI_DEVICE_PATH);
}

static BOOLEAN is_same(const EFI_DEVICE_PATH *wanted, const EFI_DEVICE_PATH *candidate)
{
	const HARDDRIVE_DEVICE_PATH *partition = partition_node(wanted), *other = partition_node(candidate);

	if (partition)
		return other && !memcmp(partition->Signature, other->Signature, sizeof(other->Signature));
	return length(wanted) == length(candidate) && !memcmp(wanted, candidate, length(wanted));
}

/* The candidate lies on the device: its path goes on where the other ends. */
static BOOLEAN is_below(const EFI_DEVICE_PATH *device, const EFI_DEVICE_PATH *candidate)
{
	return length(device) <= length(candidate) && !memcmp(device, candidate, length(device));
}

static EFI_HANDLE search(const EFI_DEVICE_PATH *wanted,
	BOOLEAN (*fits)(const EFI_DEVICE_PATH *wanted, const EFI_DEVICE_PATH *candidate))
{
	EFI_HANDLE *handles = NULL, found = NULL;
	UINTN count = 0;

	if (EFI_ERROR(BS->LocateHandleBuffer(
		    ByProtocol, &gEfiSimpleFileSystemProtocolGuid, NULL, &count, &handles)))
		return NULL;
	for (UINTN i = 0; i < count && !found; i++) {
		EFI_DEVICE_PATH *path = DevicePathFromHandle(handles[i]);

		if (path && fits(wanted, path))
			found = handles[i];
	}
	BS->FreePool(handles);
	return found;
}

EFI_HANDLE paths_file_system(const EFI_DEVICE_PATH *path)
{
	return search(path, is_same);
}

static BOOLEAN has_file(const EFI_DEVICE_PATH *path)
{
	for (; !IsDevicePathEnd(path); path = NextDevicePathNode(path))
		if (DevicePathType(path) == MEDIA_DEVICE_PATH &&
			DevicePathSubType(path) != MEDIA_HARDDRIVE_DP &&
			DevicePathSubType(path) != MEDIA_CDROM_DP)
			return TRUE;
	return FALSE;
}

/* HD(...)/File: the partition is found by its GUID, the rest of the path follows it. */
static EFI_DEVICE_PATH *expand_short_form(EFI_DEVICE_PATH *path)
{
	EFI_HANDLE handle = paths_file_system(path);

	if (!handle)
		return NULL;
	if (!has_file(path))
		return FileDevicePath(handle, FALLBACK_LOADER);
	return AppendDevicePath(DevicePathFromHandle(handle), NextDevicePathNode(path));
}

EFI_DEVICE_PATH *paths_expand(EFI_DEVICE_PATH *path)
{
	EFI_HANDLE handle;

	if (DevicePathType(path) == MEDIA_DEVICE_PATH && DevicePathSubType(path) == MEDIA_HARDDRIVE_DP)
		return expand_short_form(path);
	if (has_file(path))
		return DuplicateDevicePath(path);
	handle = search(path, is_below);
	return handle ? FileDevicePath(handle, FALLBACK_LOADER) : DuplicateDevicePath(path);
}
