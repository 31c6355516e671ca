/* SPDX-License-Identifier: Apache-2.0 */
#include "hv/boot/measure.h"
#include "hv/boot/tpm.h"
#include "keymgmt/event_log.h"
#include <efilib.h>
#include <string.h>

#define TEXT_BYTES 32

static const enum tpm2_bank banks[] = {TPM2_SHA1, TPM2_SHA256, TPM2_SHA384, TPM2_SHA512};

#define BANKS (sizeof(banks) / sizeof(banks[0]))

/* PCR 12 in every bank that counts; zeroes in the others. */
struct values {
	UINT8 digest[BANKS][TPM2_MAX_DIGEST];
};

static BOOLEAN read_values(struct tpm *tpm, struct values *values)
{
	size_t bytes;

	memset(values, 0, sizeof(*values));
	for (UINTN i = 0; i < BANKS; i++)
		if (tpm_measures(tpm, banks[i]) &&
			(tpm2_pcr_read(&tpm->tpm2, banks[i], EVENT_LOG_PCR, values->digest[i], &bytes) || !bytes))
			return FALSE;
	return TRUE;
}

static BOOLEAN all_differ(const struct tpm *tpm, const struct values *before, const struct values *after)
{
	for (UINTN i = 0; i < BANKS; i++)
		if (tpm_measures(tpm, banks[i]) &&
			!memcmp(before->digest[i], after->digest[i], TPM2_MAX_DIGEST))
			return FALSE;
	return TRUE;
}

/* The firmware hashes and extends for every bank, and writes the event `text` to its log. */
static BOOLEAN extend(struct tpm *tpm, const VOID *data, UINTN bytes, const char *text)
{
	struct {
		struct tcg2_event head;
		char text[TEXT_BYTES];
	} __attribute__((packed)) event = {
		.head = {.header_bytes = sizeof(event.head) - sizeof(event.head.bytes),
			.header_version = 1,
			.pcr = EVENT_LOG_PCR,
			.type = EVENT_LOG_IPL}};
	struct values before, after;

	event.head.bytes = (UINT32)(sizeof(event.head) + strlen(text) + 1);
	memcpy(event.text, text, strlen(text) + 1);
	if (!read_values(tpm, &before))
		return FALSE;
	/* A full log is an error here and no harm: what counts is what the PCR says. */
	tpm->tcg2->hash_log_extend_event(tpm->tcg2, 0, (EFI_PHYSICAL_ADDRESS)data, bytes, &event.head);
	return read_values(tpm, &after) && all_differ(tpm, &before, &after);
}

enum window { WINDOW_NEW, WINDOW_OPEN, WINDOW_CLOSED };

static enum window window;

BOOLEAN measure_policy(const struct policy_text *text)
{
	struct tpm *tpm = tpm_find();

	if (window == WINDOW_NEW && tpm && extend(tpm, text->text, text->bytes, EVENT_LOG_POLICY))
		window = WINDOW_OPEN;
	return window == WINDOW_OPEN;
}

BOOLEAN measure_close(void)
{
	static const char closed[] = EVENT_LOG_CLOSED;
	struct tpm *tpm = tpm_find();

	if (window == WINDOW_CLOSED || !tpm)
		return TRUE;
	if (extend(tpm, closed, sizeof(closed) - 1, closed)) {
		window = WINDOW_CLOSED;
		return TRUE;
	}
	Print(L"PCR 12 of the TPM could not be extended.\n");
	return window == WINDOW_NEW;
}
