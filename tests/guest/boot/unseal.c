/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stands where a boot manager would and replays what the UEFI program does: looks for
 * volumes and has the TPM unseal each token, with the program's own parts. PCR 12 is
 * told first: nothing else has been measured into it in between.
 */
#include "hv/boot/find.h"
#include "hv/boot/gpt.h"
#include "hv/boot/tpm.h"
#include "hv/x86/libcrypto_port.h"
#include <efilib.h>

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *table);

static VOID *pages(UINTN bytes)
{
	EFI_PHYSICAL_ADDRESS address = 0;

	BS->AllocatePages(AllocateAnyPages, EfiBootServicesData, EFI_SIZE_TO_PAGES(bytes), &address);
	return (VOID *)address;
}

static VOID try_token(struct tpm *tpm, UINTN number, const struct tpm2_token *token)
{
	struct tpm2_secret secret;
	enum tpm2_result result = tpm2_unseal(&tpm->tpm2, token, NULL, 0, &secret);

	if (result)
		Print(L"token %d: %a\n", (int)number, tpm2_result_text(result));
	else
		Print(L"token %d: unsealed %d bytes\n", (int)number, (int)secret.bytes);
}

static VOID tell_pcr12(struct tpm *tpm)
{
	UINT8 digest[TPM2_MAX_DIGEST];
	size_t bytes = 0;

	tpm2_pcr_read(&tpm->tpm2, TPM2_SHA256, 12, digest, &bytes);
	Print(L"PCR 12: ");
	for (UINTN i = 0; i < bytes; i++)
		Print(L"%02x", digest[i]);
	Print(L"\n");
}

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *table)
{
	struct tpm *tpm;
	struct volume *volumes;
	UINTN count, headers;

	InitializeLib(image, table);
	libcrypto_port_init();
	tpm = tpm_find();
	if (tpm)
		tell_pcr12(tpm);
	volumes = pages(sizeof(*volumes));
	count = find_volumes(volumes, 1, pages(LUKS2_SCRATCH_BYTES), pages(GPT_SCRATCH_BYTES), &headers);
	for (UINTN i = 0; tpm && count && i < volumes->header.tpm2_tokens; i++)
		try_token(tpm, i, &volumes->header.tpm2[i]);
	Print(L"[end: %a]\n", tpm && count ? "passed" : "failed");
	RT->ResetSystem(EfiResetShutdown, EFI_SUCCESS, 0, NULL);
	return EFI_SUCCESS;
}
