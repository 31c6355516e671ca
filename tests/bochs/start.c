/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starts the hypervisor without a volume, for machines that have no disk we could
 * mediate: the UEFI program's own take-over, then a guest program.
 */
#include "hv/boot/port.h"
#include "hv/boot/takeover.h"
#include "hv/core/hypercall.h"
#include "hv/x86/libcrypto_port.h"
#include <efilib.h>
#include <string.h>

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *table);

#define GUEST L"\\EFI\\guest\\guest.efi"

static VOID greet(VOID)
{
	struct hypercall_gpr gpr = {HYPERCALL_MAGIC, HYPERCALL_INFO, 0, 0, 0};
	char name[9] = {0};

	hypercall_instruction(&gpr);
	memcpy(name, &gpr.rcx, 8);
	Print(L"start: beneath %a, %d CPUs\n", name, (int)(UINT32)gpr.rdx);
}

static EFI_STATUS start(VOID)
{
	static struct boot_info info;
	const char *why = NULL;
	EFI_STATUS status;

	if (!takeover_supported(&why)) {
		Print(L"start: refused: %a\n", why);
		return EFI_UNSUPPORTED;
	}
	info.policy.debug_console = TRUE;
	port_debug_console(true);
	libcrypto_port_init();
	status = takeover_start(&info);
	if (EFI_ERROR(status))
		Print(L"start: failed: %r\n", status);
	else
		greet();
	return status;
}

/* We stay: the firmware calls us when the guest leaves it. */
static EFI_STATUS start_guest(EFI_HANDLE image)
{
	EFI_LOADED_IMAGE *loaded;
	EFI_HANDLE guest;
	EFI_STATUS status = BS->HandleProtocol(image, &gEfiLoadedImageProtocolGuid, (VOID **)&loaded);

	if (!EFI_ERROR(status))
		status = BS->LoadImage(FALSE, image, FileDevicePath(loaded->DeviceHandle, GUEST), NULL, 0, &guest);
	return EFI_ERROR(status) ? status : BS->StartImage(guest, NULL, NULL);
}

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *table)
{
	static UINT8 vectors[512] __attribute__((aligned(16)));
	EFI_STATUS status;

	__asm__ volatile("fxsave %0" : "=m"(vectors));
	InitializeLib(image, table);
	status = start();
	if (!EFI_ERROR(status))
		status = start_guest(image);
	__asm__ volatile("fxrstor %0" : : "m"(vectors));
	return status;
}
