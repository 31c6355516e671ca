/* SPDX-License-Identifier: Apache-2.0 */
#include "hv/boot/tpm.h"
#include <efilib.h>
#include <string.h>

#define PAUSE_MICROSECONDS 10000
#define CPUID_RDRAND	   (1u << 30) /* of leaf 1, ecx */
#define RANDOM_TRIES	   10	      /* as the processor's manual has it */

static EFI_GUID tcg2_guid = TCG2_PROTOCOL_GUID;

/* The firmware does not tell how much it wrote: the answer's own header does. */
static int submit(
	void *context, const uint8_t *command, size_t command_bytes, uint8_t *response, size_t *response_bytes)
{
	struct tcg2 *tcg2 = context;
	EFI_STATUS status = tcg2->submit_command(
		tcg2, (UINT32)command_bytes, (UINT8 *)command, (UINT32)*response_bytes, response);

	return EFI_ERROR(status) ? -1 : 0;
}

static void wait_a_little(void *context)
{
	(void)context;
	BS->Stall(PAUSE_MICROSECONDS);
}

/* What the processor makes: no wire leads there. FALSE when it makes none, or all ones, as some do when they fail. */
static bool random_bytes(void *context, uint8_t *bytes, size_t count)
{
	uint32_t eax = 1, ebx, ecx, edx;
	uint64_t word;
	uint8_t made = 1;

	(void)context;
	__asm__ volatile("cpuid" : "+a"(eax), "=b"(ebx), "=c"(ecx), "=d"(edx) : "c"(0));
	if (!(ecx & CPUID_RDRAND))
		return false;
	for (size_t at = 0; at < count; at += sizeof(word)) {
		for (unsigned tries = 0; tries < RANDOM_TRIES; tries++) {
			__asm__ volatile("rdrand %0; setc %1" : "=r"(word), "=qm"(made) : : "cc");
			if (made)
				break;
		}
		if (!made || word == UINT64_MAX)
			return false;
		memcpy(bytes + at, &word, count - at < sizeof(word) ? count - at : sizeof(word));
	}
	return true;
}

struct tpm *tpm_find(void)
{
	static struct tpm tpm;
	struct tcg2_capability capability = {.size = sizeof(capability)};
	struct tcg2 *tcg2;

	if (tpm.tcg2)
		return &tpm;
	if (EFI_ERROR(BS->LocateProtocol(&tcg2_guid, NULL, (VOID **)&tcg2)) ||
		EFI_ERROR(tcg2->get_capability(tcg2, &capability)) || !capability.tpm_present)
		return NULL;
	tpm.tcg2 = tcg2;
	tpm.active_banks = capability.active_banks;
	tpm.tpm2.submit = submit;
	tpm.tpm2.pause = wait_a_little;
	tpm.tpm2.random = random_bytes;
	tpm.tpm2.context = tcg2;
	/* More than this is refused as a wrong parameter. */
	tpm.tpm2.max_response = capability.max_response_bytes;
	return &tpm;
}

BOOLEAN tpm_measures(const struct tpm *tpm, enum tpm2_bank bank)
{
	switch (bank) {
	case TPM2_SHA1:
		return !!(tpm->active_banks & TCG2_BANK_SHA1);
	case TPM2_SHA256:
		return !!(tpm->active_banks & TCG2_BANK_SHA256);
	case TPM2_SHA384:
		return !!(tpm->active_banks & TCG2_BANK_SHA384);
	case TPM2_SHA512:
		return !!(tpm->active_banks & TCG2_BANK_SHA512);
	}
	return FALSE;
}
