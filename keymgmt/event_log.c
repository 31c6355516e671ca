/* SPDX-License-Identifier: Apache-2.0 */
#include "keymgmt/event_log.h"
#include "keymgmt/tpm2_wire.h"
#include "storage/crypt/hash.h"
#include <string.h>

#define REPLAYED	 0xffff /* PCR 0 to 15: those that nothing sets back before the next start */
#define NO_ACTION	 3	/* EV_NO_ACTION: tells something, extends nothing */
#define MAX_BANKS	 8
#define OLD_DIGEST_BYTES 20

struct bank {
	uint16_t algorithm, digest_bytes;
};

struct banks {
	struct bank bank[MAX_BANKS];
	uint32_t count;
};

struct event {
	uint32_t pcr, type;
	const uint8_t *digest; /* of SHA-256; NULL when there is none */
	struct tpm2_reader data;
};

/* The log is little endian, other than what the TPM itself says. */
static uint32_t get_little(struct tpm2_reader *log, size_t bytes)
{
	struct tpm2_reader part = tpm2_get(log, bytes);
	uint32_t value = 0;

	for (size_t i = part.left; i > 0; i--)
		value = value << 8 | part.at[i - 1];
	return value;
}

static struct tpm2_reader get_data(struct tpm2_reader *log)
{
	size_t bytes = get_little(log, 4);

	return tpm2_get(log, bytes);
}

/* TCG_EfiSpecIdEvent, in the first event: which digests the others have. */
static const char *read_banks(struct tpm2_reader *log, struct banks *banks)
{
	static const char signature[16] = "Spec ID Event03";
	struct tpm2_reader data, name;
	bool found = false;

	tpm2_get(log, 4 + 4 + OLD_DIGEST_BYTES); /* PCR, type, digest */
	data = get_data(log);
	name = tpm2_get(&data, sizeof(signature));
	if (name.short_of || memcmp(name.at, signature, sizeof(signature)))
		return "it is not a log of a TPM 2.0";
	tpm2_get(&data, 4 + 4); /* platform class, version, size of a pointer */
	banks->count = get_little(&data, 4);
	if (banks->count > MAX_BANKS)
		return "it has too many banks";
	for (uint32_t i = 0; i < banks->count; i++) {
		banks->bank[i].algorithm = (uint16_t)get_little(&data, 2);
		banks->bank[i].digest_bytes = (uint16_t)get_little(&data, 2);
		if (banks->bank[i].algorithm == TPM2_SHA256 && banks->bank[i].digest_bytes != TPM2_PCR_BYTES)
			return "its digests have a wrong size";
		found |= banks->bank[i].algorithm == TPM2_SHA256;
	}
	if (data.short_of)
		return "it is incomplete";
	return found ? NULL : "the firmware does not measure into the bank of SHA-256";
}

static const struct bank *find_bank(const struct banks *banks, uint32_t algorithm)
{
	for (uint32_t i = 0; i < banks->count; i++)
		if (banks->bank[i].algorithm == algorithm)
			return &banks->bank[i];
	return NULL;
}

/* TCG_PCR_EVENT2 */
static const char *read_event(struct tpm2_reader *log, const struct banks *banks, struct event *event)
{
	uint32_t digests;

	event->pcr = get_little(log, 4);
	event->type = get_little(log, 4);
	event->digest = NULL;
	digests = get_little(log, 4);
	if (digests > MAX_BANKS)
		return "an event has too many digests";
	for (uint32_t i = 0; i < digests && !log->short_of; i++) {
		const struct bank *bank = find_bank(banks, get_little(log, 2));
		struct tpm2_reader digest;

		if (!bank)
			return "an event has a digest that is not known";
		digest = tpm2_get(log, bank->digest_bytes);
		if (bank->algorithm == TPM2_SHA256)
			event->digest = digest.at;
	}
	event->data = get_data(log);
	return log->short_of ? "it is incomplete" : NULL;
}

/* A TPM that was started by the processor itself begins PCR 0 with the locality of that (10.4.5.3). */
static void note_locality(const struct event *event, struct tpm2_pcrs *pcrs)
{
	static const char signature[16] = "StartupLocality";

	if (event->pcr == 0 && event->data.left == sizeof(signature) + 1 &&
		!memcmp(event->data.at, signature, sizeof(signature)))
		pcrs->value[0][TPM2_PCR_BYTES - 1] = event->data.at[sizeof(signature)];
}

static bool is_ours(const struct event *event, const char *text)
{
	return event->pcr == EVENT_LOG_PCR && event->type == EVENT_LOG_IPL && event->data.left == strlen(text) + 1 &&
	       !memcmp(event->data.at, text, event->data.left);
}

static void note_ours(const struct event *event, struct event_log *out)
{
	if (out->ours || (!is_ours(event, EVENT_LOG_POLICY) && !is_ours(event, EVENT_LOG_CLOSED)))
		return;
	out->ours = true;
	out->start = out->end;
	out->has_policy = is_ours(event, EVENT_LOG_POLICY);
	memcpy(out->policy, event->digest, sizeof(out->policy));
}

static const char *replay(const struct event *event, struct event_log *out)
{
	uint8_t *value;
	struct hash hash;

	if (event->type == NO_ACTION) {
		note_locality(event, &out->end);
		return NULL;
	}
	if (event->pcr >= TPM2_PCRS || !event->digest)
		return "an event has no digest, or no PCR";
	note_ours(event, out);
	value = out->end.value[event->pcr];
	hash_init(&hash, HASH_SHA256);
	hash_update(&hash, value, TPM2_PCR_BYTES);
	hash_update(&hash, event->digest, TPM2_PCR_BYTES);
	hash_final(&hash, value);
	return NULL;
}

const char *event_log_replay(const uint8_t *log, size_t bytes, struct event_log *out)
{
	struct tpm2_reader reader = {.at = log, .left = bytes};
	struct event event;
	struct banks banks;
	const char *why = read_banks(&reader, &banks);

	memset(out, 0, sizeof(*out));
	out->end.mask = REPLAYED;
	while (!why && reader.left) {
		why = read_event(&reader, &banks, &event);
		if (!why)
			why = replay(&event, out);
	}
	if (!out->ours)
		out->start = out->end;
	return why;
}
