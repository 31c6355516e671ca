/* SPDX-License-Identifier: Apache-2.0 */
#include "hv/boot/input.h"
#include "storage/crypt/wipe.h"
#include <efilib.h>

#define MAX_DEVICES 16
#define CONTROLS    (EFI_LEFT_CONTROL_PRESSED | EFI_RIGHT_CONTROL_PRESSED)

static EFI_GUID text_input_ex_guid = EFI_SIMPLE_TEXT_INPUT_EX_PROTOCOL_GUID;

static struct device {
	EFI_SIMPLE_TEXT_INPUT_EX_PROTOCOL *input;
	BOOLEAN serial;
} devices[MAX_DEVICES];
static EFI_EVENT events[MAX_DEVICES + 1];
static UINTN device_count;
static enum layout current;

static BOOLEAN is_serial(EFI_DEVICE_PATH *path)
{
	for (; !IsDevicePathEnd(path); path = NextDevicePathNode(path))
		if (DevicePathType(path) == MESSAGING_DEVICE_PATH && DevicePathSubType(path) == MSG_UART_DP)
			return TRUE;
	return FALSE;
}

/* The common console has no path: it would give the same keys once more. */
static void add_device(EFI_HANDLE handle)
{
	EFI_DEVICE_PATH *path = DevicePathFromHandle(handle);
	struct device *device = &devices[device_count];

	if (!path || device_count == MAX_DEVICES ||
		EFI_ERROR(BS->HandleProtocol(handle, &text_input_ex_guid, (VOID **)&device->input)))
		return;
	device->serial = is_serial(path);
	events[device_count++] = device->input->WaitForKeyEx;
}

void input_set_layout(enum layout layout)
{
	current = layout;
}

void input_find(void)
{
	EFI_HANDLE *handles;
	UINTN count;

	device_count = 0;
	if (EFI_ERROR(BS->LocateHandleBuffer(ByProtocol, &text_input_ex_guid, NULL, &count, &handles)))
		return;
	for (UINTN i = 0; i < count; i++)
		add_device(handles[i]);
	BS->FreePool(handles);
}

enum layout input_layout(void)
{
	return current;
}

void input_change_layout(void)
{
	current = (current + 1) % LAYOUT_COUNT;
}

/* A letter with Ctrl is a command, and there is none. */
static void translate(struct input_key *key, const EFI_KEY_DATA *data, BOOLEAN serial)
{
	UINT32 shift = data->KeyState.KeyShiftState & EFI_SHIFT_STATE_VALID ? data->KeyState.KeyShiftState : 0;

	key->given = data->Key;
	key->scan_code = data->Key.ScanCode;
	key->c = data->Key.UnicodeChar;
	if (key->c < ' ' || serial)
		return;
	key->c = shift & CONTROLS ? 0 : layout_character(current, key->c, shift & EFI_RIGHT_ALT_PRESSED);
}

static BOOLEAN read_device(const struct device *device, struct input_key *key)
{
	EFI_KEY_DATA data = {0};
	BOOLEAN read = !EFI_ERROR(device->input->ReadKeyStrokeEx(device->input, &data));

	if (read)
		translate(key, &data, device->serial);
	secret_wipe(&data, sizeof(data));
	return read;
}

/* Firmware older than UEFI 2.1, whose common console is all there is. */
static BOOLEAN read_console(struct input_key *key)
{
	EFI_KEY_DATA data = {0};
	BOOLEAN read = !EFI_ERROR(ST->ConIn->ReadKeyStroke(ST->ConIn, &data.Key));

	if (read)
		translate(key, &data, FALSE);
	secret_wipe(&data, sizeof(data));
	return read;
}

BOOLEAN input_wait(struct input_key *key)
{
	UINTN index, count = device_count;

	if (!count && !ST->ConIn)
		return FALSE;
	if (!count)
		events[count++] = ST->ConIn->WaitForKey;
	do {
		if (EFI_ERROR(BS->WaitForEvent(count, events, &index)))
			return FALSE;
	} while (!(device_count ? read_device(&devices[index], key) : read_console(key)));
	return TRUE;
}
