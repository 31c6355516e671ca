/* SPDX-License-Identifier: Apache-2.0 */
#include "hv/boot/next.h"
#include "hv/boot/paths.h"
#include "hv/boot/policy.h"
#include <efilib.h>
#include <string.h>

#define BOOT_SECONDS 300 /* the firmware's watchdog of a boot attempt (UEFI 2.10, 3.1.2) */

/* EFI_LOAD_OPTION (UEFI 2.10, 3.1.3) taken apart; everything points into the variable. */
struct option {
	const CHAR16 *description;
	EFI_DEVICE_PATH *path;
	VOID *data;
	UINT32 data_bytes;
};

/* What an attempt came to. Another option is tried only when nothing ran. */
struct attempt {
	BOOLEAN ran;
	EFI_STATUS status;
};

static struct attempt start(EFI_HANDLE image, EFI_DEVICE_PATH *path, const struct option *option)
{
	EFI_LOADED_IMAGE *loaded;
	CHAR16 *exit_text = NULL;
	EFI_HANDLE child = NULL;
	UINTN exit_bytes = 0;
	EFI_STATUS status = BS->LoadImage(FALSE, image, path, NULL, 0, &child);

	if (EFI_ERROR(status)) {
		if (child)
			BS->UnloadImage(child);
		return (struct attempt){FALSE, status};
	}
	if (option && option->data_bytes &&
		!EFI_ERROR(BS->HandleProtocol(child, &gEfiLoadedImageProtocolGuid, (VOID **)&loaded))) {
		loaded->LoadOptions = option->data;
		loaded->LoadOptionsSize = option->data_bytes;
	}
	BS->SetWatchdogTimer(BOOT_SECONDS, 0, 0, NULL);
	status = BS->StartImage(child, &exit_bytes, &exit_text);
	BS->SetWatchdogTimer(0, 0, 0, NULL);
	if (exit_text)
		BS->FreePool(exit_text);
	/* Our own program from another boot option steps aside at once. */
	return (struct attempt){status != EFI_ALREADY_STARTED, status};
}

static struct attempt start_file(EFI_HANDLE image, const EFI_DEVICE_PATH *esp, const char *next)
{
	CHAR16 name[POLICY_MAX_PATH + 1];
	EFI_HANDLE handle = esp ? paths_file_system(esp) : NULL;
	EFI_DEVICE_PATH *path;
	struct attempt attempt = {FALSE, EFI_NOT_FOUND};
	UINTN i;

	for (i = 0; next[i]; i++)
		name[i] = (CHAR16)next[i];
	name[i] = 0;
	path = handle ? FileDevicePath(handle, name) : NULL;
	if (path) {
		attempt = start(image, path, NULL);
		FreePool(path);
	}
	if (!attempt.ran)
		Print(L"%s cannot be started (%r).\n", name, attempt.status);
	return attempt;
}

/* Every node has a sane length and the last one is an end node. */
static BOOLEAN is_device_path(const UINT8 *bytes, UINTN count)
{
	while (count >= sizeof(EFI_DEVICE_PATH)) {
		const EFI_DEVICE_PATH *node = (const EFI_DEVICE_PATH *)bytes;
		UINTN node_bytes = DevicePathNodeLength(node);

		if (node_bytes < sizeof(*node) || node_bytes > count)
			return FALSE;
		if (IsDevicePathEnd(node))
			return TRUE;
		bytes += node_bytes;
		count -= node_bytes;
	}
	return FALSE;
}

/* The variable was written by somebody else: nothing in it is trusted. */
static BOOLEAN parse_option(UINT8 *variable, UINTN bytes, struct option *option)
{
	UINT32 attributes;
	UINT16 path_bytes;
	UINTN at = 6;

	if (bytes < at)
		return FALSE;
	memcpy(&attributes, variable, 4);
	memcpy(&path_bytes, variable + 4, 2);
	option->description = (const CHAR16 *)(variable + at);
	while (at + 2 <= bytes && (variable[at] || variable[at + 1]))
		at += 2;
	at += 2;
	if (!(attributes & LOAD_OPTION_ACTIVE) || at > bytes || path_bytes > bytes - at ||
		!is_device_path(variable + at, path_bytes))
		return FALSE;
	option->path = (EFI_DEVICE_PATH *)(variable + at);
	option->data = variable + at + path_bytes;
	option->data_bytes = (UINT32)(bytes - at - path_bytes);
	return TRUE;
}

static struct attempt start_option(EFI_HANDLE image, UINT16 number)
{
	static const CHAR16 digits[] = L"0123456789ABCDEF";
	CHAR16 name[] = L"Boot0000";
	struct attempt attempt = {FALSE, EFI_NOT_FOUND};
	struct option option;
	EFI_DEVICE_PATH *path;
	UINT8 *variable;
	UINTN bytes = 0;

	for (int i = 0; i < 4; i++)
		name[4 + i] = digits[number >> (12 - 4 * i) & 15];
	variable = LibGetVariableAndSize(name, &gEfiGlobalVariableGuid, &bytes);
	if (!variable)
		return attempt;
	path = parse_option(variable, bytes, &option) ? paths_expand(option.path) : NULL;
	if (path) {
		Print(L"Starting %s.\n", option.description);
		attempt = start(image, path, &option);
		if (!attempt.ran && attempt.status != EFI_ALREADY_STARTED)
			Print(L"It cannot be started (%r).\n", attempt.status);
		FreePool(path);
	}
	FreePool(variable);
	return attempt;
}

/* The options behind our own; from the first on when we are not in the order ourselves. */
static struct attempt start_following(EFI_HANDLE image)
{
	struct attempt attempt = {FALSE, EFI_NOT_FOUND};
	UINTN order_bytes = 0, current_bytes = 0, first = 0;
	UINT16 *order = LibGetVariableAndSize(L"BootOrder", &gEfiGlobalVariableGuid, &order_bytes);
	UINT16 *current = LibGetVariableAndSize(L"BootCurrent", &gEfiGlobalVariableGuid, &current_bytes);
	UINTN count = order ? order_bytes / sizeof(*order) : 0;

	for (UINTN i = 0; current && current_bytes >= sizeof(*current) && i < count; i++)
		if (order[i] == *current)
			first = i + 1;
	for (UINTN i = first; i < count && !attempt.ran; i++)
		if (!current || order[i] != *current)
			attempt = start_option(image, order[i]);
	if (order)
		FreePool(order);
	if (current)
		FreePool(current);
	return attempt;
}

EFI_STATUS next_start(EFI_HANDLE image, const EFI_DEVICE_PATH *esp, const char *next)
{
	struct attempt attempt = {FALSE, EFI_NOT_FOUND};

	if (*next)
		attempt = start_file(image, esp, next);
	if (!attempt.ran)
		attempt = start_following(image);
	if (!attempt.ran)
		Print(L"There is nothing to start after Underseal. The line next=... in underseal.conf can "
		      L"name it.\n");
	return attempt.status;
}
