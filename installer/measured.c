/* SPDX-License-Identifier: Apache-2.0 */
#include "installer/measured.h"
#include "hv/boot/policy.h"
#include "installer/exits.h"
#include "keymgmt/event_log.h"
#include "storage/crypt/hash.h"
#include "storage/port.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define LOG_MAX_BYTES (4u << 20)
#define POLICY_PCR    (1u << EVENT_LOG_PCR)
/* Those that are the firmware's alone: no program that runs after it extends them. */
#define FIRMWARE_PCRS 0xff
/* Those that are the same whichever program the firmware starts; the others tell which one it was. */
#define COMMON_PCRS (1u << 0 | 1u << 1 | 1u << 2 | 1u << 3 | 1u << 6 | 1u << 7 | POLICY_PCR)

/* A whole file of at most `capacity` bytes into memory of its own. Returns an exit code. */
static int read_file(const char *path, size_t capacity, uint8_t **data, size_t *bytes)
{
	FILE *file = fopen(path, "re");
	uint8_t *all = file ? malloc(capacity + 1) : NULL;
	int err = EXITS_FAILED;

	*bytes = all ? fread(all, 1, capacity + 1, file) : 0;
	if (!all || ferror(file))
		log_error("%s: %s", path, strerror(errno));
	else if (*bytes > capacity)
		log_error("%s is larger than %zu bytes", path, capacity);
	else
		err = EXITS_OK;
	if (file)
		fclose(file);
	if (err) {
		free(all);
		all = NULL;
	}
	*data = all;
	return err;
}

static int read_log(const struct measured_options *o, struct event_log *log)
{
	const char *path = o->event_log ? o->event_log : MEASURED_KERNEL_LOG, *why;
	uint8_t *data;
	size_t bytes;
	int err = read_file(path, LOG_MAX_BYTES, &data, &bytes);

	if (err && !o->event_log)
		log_error("the firmware's event log is needed: securityfs must be mounted, or give --event-log");
	if (err)
		return err;
	why = event_log_replay(data, bytes, log);
	free(data);
	if (!why)
		return EXITS_OK;
	log_error("the event log %s cannot be used: %s", path, why);
	return EXITS_REFUSED;
}

/* What another program was started with says nothing about how the boot program will be. */
static int check_start(const struct event_log *log, uint32_t pcrs)
{
	if (log->ours)
		return EXITS_OK;
	if (pcrs & ~COMMON_PCRS) {
		log_error("by its event log the computer was not started by underseal.efi: only PCR 0, 1, 2, 3, 6, 7 "
			  "and 12 can be known");
		return EXITS_REFUSED;
	}
	log_warning("by its event log the computer was not started by underseal.efi: the token fits only when the "
		    "firmware will measure the same then");
	return EXITS_OK;
}

static int policy_digest(const struct measured_options *o, const struct event_log *log, uint8_t digest[SHA256_BYTES])
{
	struct hash hash;
	uint8_t *data;
	size_t bytes;
	int err;

	if (!o->policy_file && !log->has_policy) {
		log_error("the event log does not tell which policy file the computer starts with: give --policy-file, "
			  "the underseal.conf beside underseal.efi (/dev/null when there is none)");
		return EXITS_REFUSED;
	}
	memcpy(digest, log->policy, SHA256_BYTES);
	if (!o->policy_file)
		return EXITS_OK;
	err = read_file(o->policy_file, POLICY_MAX_BYTES, &data, &bytes);
	if (err)
		return err;
	hash_init(&hash, HASH_SHA256);
	hash_update(&hash, data, bytes);
	hash_final(&hash, digest);
	free(data);
	return EXITS_OK;
}

/*
 * From zero by the policy alone: no later state of PCR 12 leads there again. Whatever
 * else a log has in front of it, somebody could have put there.
 */
static int compute_policy_pcr(const struct measured_options *o, const struct event_log *log, uint8_t *value)
{
	static const uint8_t zero[TPM2_PCR_BYTES];
	uint8_t digest[SHA256_BYTES];
	struct hash hash;
	int err;

	if (log->ours && memcmp(log->start.value[EVENT_LOG_PCR], zero, sizeof zero)) {
		log_error("something has been measured into PCR 12 before underseal.efi was started: a token cannot "
			  "bind it");
		return EXITS_REFUSED;
	}
	err = policy_digest(o, log, digest);
	if (err)
		return err;
	hash_init(&hash, HASH_SHA256);
	hash_update(&hash, zero, sizeof zero);
	hash_update(&hash, digest, sizeof digest);
	hash_final(&hash, value);
	return EXITS_OK;
}

/* Whether the log is one of this TPM, as far as what it holds now can tell. */
static int compare(const struct measured_options *o, const struct event_log *log, struct tpm2 *tpm)
{
	uint8_t digest[TPM2_MAX_DIGEST];
	size_t bytes;

	for (unsigned i = 0; i < MEASURED_PCRS; i++) {
		if (!(o->pcrs & FIRMWARE_PCRS & 1u << i))
			continue;
		if (tpm2_pcr_read(tpm, TPM2_SHA256, i, digest, &bytes) || bytes != TPM2_PCR_BYTES) {
			log_error("PCR %u of the TPM's bank of SHA-256 cannot be read", i);
			return EXITS_FAILED;
		}
		if (!memcmp(digest, log->end.value[i], TPM2_PCR_BYTES))
			continue;
		if (!o->event_log) {
			log_error("the event log does not lead to what PCR %u of the TPM holds", i);
			return EXITS_REFUSED;
		}
		log_warning("PCR %u is not now what it is at the end of %s: make sure that the log is this computer's", i,
			o->event_log);
	}
	return EXITS_OK;
}

int measured_read(struct tpm2_pcrs *pcrs, const struct measured_options *o, struct tpm2 *tpm)
{
	struct event_log log;
	int err = read_log(o, &log);

	if (!err)
		err = check_start(&log, o->pcrs);
	if (!err)
		err = compare(o, &log, tpm);
	if (err)
		return err;
	*pcrs = log.start;
	pcrs->mask = o->pcrs;
	return o->pcrs & POLICY_PCR ? compute_policy_pcr(o, &log, pcrs->value[EVENT_LOG_PCR]) : EXITS_OK;
}
