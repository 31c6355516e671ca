/* SPDX-License-Identifier: Apache-2.0 */
#include "hv/boot/screen.h"
#include "hv/boot/input.h"
#include "hv/boot/smbios.h"
#include <efilib.h>
#include <libsmbios.h>

/* Firmware has either form of the entry point, or both (DSP0134 5.2). */
static BOOLEAN read_system(struct smbios_system *system)
{
	EFI_GUID guid = SMBIOS_TABLE_GUID, guid3 = SMBIOS3_TABLE_GUID;
	SMBIOS3_STRUCTURE_TABLE *entry3;
	SMBIOS_STRUCTURE_TABLE *entry;

	if (!EFI_ERROR(LibGetSystemConfigurationTable(&guid3, (VOID **)&entry3)))
		return smbios_system(system, (const UINT8 *)entry3->TableAddress, entry3->TableMaximumSize);
	if (!EFI_ERROR(LibGetSystemConfigurationTable(&guid, (VOID **)&entry)))
		return smbios_system(system, (const UINT8 *)(UINTN)entry->TableAddress, entry->TableLength);
	return FALSE;
}

void screen_begin(void)
{
	if (ST->ConOut)
		ST->ConOut->ClearScreen(ST->ConOut);
	Print(L"Underseal %a\n", UNDERSEAL_VERSION);
}

void screen_ask(void)
{
	static BOOLEAN shown;
	struct smbios_system system = {0};

	if (shown)
		return;
	shown = TRUE;
	Print(L"\n");
	if (read_system(&system) && system.product[0])
		Print(L"This computer:  %a %a\n", system.maker, system.product);
	if (system.serial[0])
		Print(L"Serial number:  %a\n", system.serial);
	Print(L"Keyboard:       %a (F2 changes it)\n", layout_name(input_layout()));
	Print(L"Esc starts the computer without unlocking.\n\n");
}
