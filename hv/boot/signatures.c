/* SPDX-License-Identifier: Apache-2.0 */
#include "hv/boot/signatures.h"
#include "hv/boot/beside.h"
#include "hv/boot/tpm.h"
#include "storage/volume/pcr_signatures.h"
#include <efilib.h>

static const CHAR16 name[] = L"tpm2-pcr-signature.json";

/* Kept until the firmware is gone: the TPM's tokens are tried later. */
struct memory {
	struct tpm2_signatures signatures;
	struct json_node nodes[PCR_SIGNATURES_NODES];
	char text[PCR_SIGNATURES_MAX_BYTES + 1];
};

static const char *read(struct memory *memory, EFI_LOADED_IMAGE *loaded, struct tpm *tpm)
{
	UINTN bytes = sizeof(memory->text);
	EFI_STATUS status = beside_read(loaded, name, memory->text, &bytes);
	const char *why;

	if (status == EFI_NOT_FOUND)
		return NULL;
	if (EFI_ERROR(status))
		return "it cannot be read";
	if (bytes > PCR_SIGNATURES_MAX_BYTES)
		return "it is larger than 32 KiB";
	why = pcr_signatures_read(&memory->signatures, memory->text, bytes, memory->nodes);
	if (!why)
		tpm->tpm2.signatures = &memory->signatures;
	return why;
}

void signatures_read(EFI_LOADED_IMAGE *loaded)
{
	struct tpm *tpm = tpm_find();
	struct memory *memory = tpm ? AllocatePool(sizeof(*memory)) : NULL;
	const char *why = memory ? read(memory, loaded, tpm) : NULL;

	if (why)
		Print(L"%s is not used: %a.\n", name, why);
	if (memory && !tpm->tpm2.signatures)
		FreePool(memory);
}
