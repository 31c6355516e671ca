/* SPDX-License-Identifier: Apache-2.0 */
/*
 * underseal.efi: finds the encrypted volumes, has the TPM unseal their keys or asks
 * for the passphrase, takes the machine over and goes on to the system. Whatever fails, the machine boots on.
 */
#include "hv/boot/find.h"
#include "hv/boot/gpt.h"
#include "hv/boot/measure.h"
#include "hv/boot/next.h"
#include "hv/boot/paths.h"
#include "hv/boot/policy_file.h"
#include "hv/boot/port.h"
#include "hv/boot/screen.h"
#include "hv/boot/signatures.h"
#include "hv/boot/takeover.h"
#include "hv/boot/unlock.h"
#include "hv/x86/libcrypto_port.h"
#include "storage/crypt/wipe.h"
#include "storage/crypt/xts.h"
#include <efilib.h>
#include <string.h>

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *table);

/*
 * A variable that lives until the next reset tells a second start of this program
 * what the first one is up to: {9a3c8a52-5d0b-4cf5-8f0e-0a6f5b6f7c11}.
 */
static EFI_GUID state_guid = {
	0x9a3c8a52, 0x5d0b, 0x4cf5, {0x8f, 0x0e, 0x0a, 0x6f, 0x5b, 0x6f, 0x7c, 0x11}
};

enum state { STATE_FIRST, STATE_IN_PROGRESS, STATE_RUNNING };

static enum state get_state(void)
{
	UINT8 value = STATE_FIRST;
	UINTN bytes = sizeof(value);

	if (EFI_ERROR(RT->GetVariable(L"UndersealState", &state_guid, NULL, &bytes, &value)))
		return STATE_FIRST;
	return (enum state)value;
}

static void set_state(enum state state)
{
	UINT8 value = (UINT8)state;

	RT->SetVariable(L"UndersealState", &state_guid, EFI_VARIABLE_BOOTSERVICE_ACCESS,
		state == STATE_FIRST ? 0 : sizeof(value), &value);
}

/* Big tables in pages, so that the program file stays small. */
struct memory {
	struct volume volumes[BOOT_MAX_VOLUMES];
	UINT8 tables[GPT_SCRATCH_BYTES] __attribute__((aligned(64)));
	UINT8 scratch[LUKS2_SCRATCH_BYTES] __attribute__((aligned(64)));
};

static BOOLEAN can_run(void)
{
	const char *why = NULL;

	if (!takeover_supported(&why)) {
		Print(L"Encrypted volumes stay locked. The reason: %a.\n", why);
		return FALSE;
	}
	libcrypto_port_init();
	if (xts_self_test()) {
		Print(L"Encrypted volumes stay locked. The reason: this processor computes AES wrongly.\n");
		return FALSE;
	}
	return TRUE;
}

/* Moves the unlocked volumes, with their keys, into what the hypervisor is given. */
static void hand_over(struct boot_info *info, struct volume *volumes, UINTN count)
{
	for (UINTN i = 0; i < count; i++) {
		if (volumes[i].unlocked)
			info->volume[info->volumes++] = volumes[i].boot;
		secret_wipe(volumes[i].boot.key, sizeof(volumes[i].boot.key));
	}
}

static BOOLEAN unlock(const struct policy *policy, const struct policy_text *text, struct memory *memory,
	struct boot_info *info)
{
	UINTN headers, count, unlocked;

	count = find_volumes(memory->volumes, BOOT_MAX_VOLUMES, memory->scratch, memory->tables, &headers);
	if (!headers)
		Print(L"No encrypted volume was found on this computer.\n");
	if (!count)
		return FALSE;
	unlocked = unlock_volumes(memory->volumes, count, policy, text, memory->scratch);
	hand_over(info, memory->volumes, count);
	return unlocked > 0;
}

/* What starts next could unseal what we have unsealed: it must not start. */
static void power_off(void)
{
	Print(L"Whatever starts now could take the keys out of the TPM: the computer is turned off.\n");
	BS->Stall(10000000);
	RT->ResetSystem(EfiResetShutdown, EFI_SUCCESS, 0, NULL);
}

static BOOLEAN take_over(const struct policy *policy, const struct policy_text *text, struct memory *memory)
{
	static struct boot_info info;
	EFI_STATUS status;
	BOOLEAN unlocked;

	info.policy.icr = policy->icr;
	info.policy.debug_console = policy->debug;
	info.policy.panic = policy->panic;
	unlocked = unlock(policy, text, memory, &info);
	if (!measure_close()) {
		secret_wipe(&info, sizeof(info));
		power_off();
	}
	if (!unlocked)
		return FALSE;
	status = takeover_start(&info);
	secret_wipe(&info, sizeof(info));
	if (EFI_ERROR(status))
		Print(L"The hypervisor could not be started (%r); encrypted volumes stay locked.\n", status);
	return !EFI_ERROR(status);
}

/* Returns whether the machine is ours now. */
static BOOLEAN protect(const struct policy *policy, const struct policy_text *text)
{
	EFI_PHYSICAL_ADDRESS address;
	UINTN pages = EFI_SIZE_TO_PAGES(sizeof(struct memory));
	BOOLEAN taken;

	if (!can_run())
		return FALSE;
	if (EFI_ERROR(BS->AllocatePages(AllocateAnyPages, EfiBootServicesData, pages, &address))) {
		Print(L"There is not enough memory to unlock encrypted volumes.\n");
		return FALSE;
	}
	taken = take_over(policy, text, (struct memory *)address);
	secret_wipe((VOID *)address, sizeof(struct memory));
	BS->FreePages(address, pages);
	return taken;
}

static EFI_STATUS run(EFI_HANDLE image)
{
	static struct policy_text text;
	EFI_LOADED_IMAGE *loaded;
	EFI_DEVICE_PATH *esp;
	EFI_STATUS status = BS->HandleProtocol(image, &gEfiLoadedImageProtocolGuid, (VOID **)&loaded);
	enum state state = get_state();
	struct policy policy;

	if (EFI_ERROR(status))
		return status;
	if (state == STATE_IN_PROGRESS)
		return EFI_ALREADY_STARTED;
	/* Time passes while somebody looks for a passphrase. */
	BS->SetWatchdogTimer(0, 0, 0, NULL);
	screen_begin();
	policy_read(&policy, &text, loaded);
	signatures_read(loaded);
	if (policy.icr == BOOT_ICR_FAST)
		Print(L"underseal.conf has icr=fast: a CPU that the system takes offline and starts again may run "
		      L"outside the hypervisor, and its disk writes are then not encrypted.\n");
	port_debug_console(policy.debug);
	esp = loaded->DeviceHandle ? paths_remember(loaded->DeviceHandle) : NULL;
	set_state(STATE_IN_PROGRESS);
	if (state == STATE_RUNNING)
		Print(L"It is already running.\n");
	else if (protect(&policy, &text))
		state = STATE_RUNNING;
	if (!measure_close())
		power_off();
	status = next_start(image, esp, policy.next);
	set_state(state);
	if (esp)
		FreePool(esp);
	return status;
}

/*
 * Called by the start-up code with the System V convention. The firmware's own
 * convention expects xmm6-15 back as they were, and the ciphers use them.
 */
EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *table)
{
	static UINT8 vectors[512] __attribute__((aligned(16)));
	EFI_STATUS status;

	__asm__ volatile("fxsave %0" : "=m"(vectors));
	InitializeLib(image, table);
	status = run(image);
	/* The firmware starts something else now, and some ways here have not come by the other calls. */
	if (!measure_close())
		power_off();
	__asm__ volatile("fxrstor %0" : : "m"(vectors));
	return status;
}
