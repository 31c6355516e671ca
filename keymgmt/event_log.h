/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log of what the firmware and boot programs have measured into a TPM 2.0 (TCG
 * PC Client Platform Firmware Profile 1.05, 10.2: one event of the old form, then
 * events with a digest for each bank). Replaying it tells the PCRs of a moment that
 * has passed: the one in which our boot program has unsealed.
 */
#ifndef KEYMGMT_EVENT_LOG_H
#define KEYMGMT_EVENT_LOG_H

#include "keymgmt/tpm2.h"

/* Our own events, all in PCR 12: the policy file, after which keys are unsealed, and the end of that. */
#define EVENT_LOG_PCR	 12
#define EVENT_LOG_POLICY "underseal: policy"
#define EVENT_LOG_CLOSED "underseal: closed"
#define EVENT_LOG_IPL	 0xd /* EV_IPL, what boot programs measure */

struct event_log {
	struct tpm2_pcrs start; /* PCR 0 to 15 when our boot program had measured nothing; `end` when it never started */
	struct tpm2_pcrs end;
	bool ours;	 /* our boot program has measured something */
	bool has_policy; /* the first of it was the policy file, with this digest: */
	uint8_t policy[TPM2_PCR_BYTES];
};

/* Replays the bank of SHA-256. The log is hostile. NULL, or why it cannot be used: part of a sentence. */
const char *event_log_replay(const uint8_t *log, size_t bytes, struct event_log *out);

#endif
