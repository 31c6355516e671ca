/* SPDX-License-Identifier: Apache-2.0 */
/* Marshalling of TPM structures (big endian, part 2), and one command with its answer. */
#ifndef KEYMGMT_TPM2_WIRE_H
#define KEYMGMT_TPM2_WIRE_H

#include "keymgmt/tpm2.h"

/* TPM_ST (part 2, 6.9). */
enum { TPM2_NO_SESSIONS = 0x8001, TPM2_SESSIONS = 0x8002 };

/* TPM_CC (part 2, 6.5.2). */
enum {
	TPM2_CC_CREATE_PRIMARY = 0x131,
	TPM2_CC_LOAD = 0x157,
	TPM2_CC_UNSEAL = 0x15e,
	TPM2_CC_FLUSH_CONTEXT = 0x165,
	TPM2_CC_LOAD_EXTERNAL = 0x167,
	TPM2_CC_POLICY_AUTHORIZE = 0x16a,
	TPM2_CC_POLICY_AUTH_VALUE = 0x16b,
	TPM2_CC_START_AUTH_SESSION = 0x176,
	TPM2_CC_VERIFY_SIGNATURE = 0x177,
	TPM2_CC_GET_RANDOM = 0x17b,
	TPM2_CC_PCR_READ = 0x17e,
	TPM2_CC_POLICY_PCR = 0x17f,
	TPM2_CC_POLICY_GET_DIGEST = 0x189,
};

/* TPM_RC (part 2, 6.6.3). Format one has bit 7 set; its number is told by tpm2_error_number(). */
enum {
	TPM2_RC_PCR_CHANGED = 0x128,
	TPM2_RC_YIELDED = 0x908,
	TPM2_RC_TESTING = 0x90a,
	TPM2_RC_LOCKOUT = 0x921,
	TPM2_RC_RETRY = 0x922,
	TPM2_RC_AUTH_FAIL = 0x8e,
	TPM2_RC_SIGNATURE = 0x9b,
	TPM2_RC_POLICY_FAIL = 0x9d,
	TPM2_RC_INTEGRITY = 0x9f,
	TPM2_RC_BAD_AUTH = 0xa2,
};

/* The error of a format-one code without the parameter it is about; other codes as they are. */
uint32_t tpm2_error_number(uint32_t code);

/* Begins a command in tpm->command; the put functions append and note when the room ends. */
struct tpm2_writer {
	uint8_t *data;
	size_t bytes, capacity;
	bool overflown;
};

struct tpm2_writer tpm2_begin(struct tpm2 *tpm, uint16_t tag, uint32_t code);
void tpm2_put(struct tpm2_writer *writer, const void *data, size_t bytes);
void tpm2_put8(struct tpm2_writer *writer, uint8_t value);
void tpm2_put16(struct tpm2_writer *writer, uint16_t value);
void tpm2_put32(struct tpm2_writer *writer, uint32_t value);
/* A TPM2B: its size, then the bytes. */
void tpm2_put_sized(struct tpm2_writer *writer, const void *data, size_t bytes);

/* The authorisation area of a command with one session (part 1, 18.6). */
void tpm2_put_session(struct tpm2_writer *command, uint32_t session, const void *nonce, size_t nonce_bytes,
	uint8_t attributes, const void *hmac, size_t hmac_bytes);
/* TPML_PCR_SELECTION of one bank; `pcrs` is a mask of PCR 0 to 23. */
void tpm2_put_selection(struct tpm2_writer *command, enum tpm2_bank bank, uint32_t pcrs);

/* Takes from the front of `at`; once something was missing everything reads as zero and `short_of` stays set. */
struct tpm2_reader {
	const uint8_t *at;
	size_t left;
	bool short_of;
};

uint8_t tpm2_get8(struct tpm2_reader *reader);
uint16_t tpm2_get16(struct tpm2_reader *reader);
uint32_t tpm2_get32(struct tpm2_reader *reader);
/* The next `bytes` bytes as a reader of their own. */
struct tpm2_reader tpm2_get(struct tpm2_reader *reader, size_t bytes);
/* A TPM2B's contents. */
struct tpm2_reader tpm2_get_sized(struct tpm2_reader *reader);
/* Whether everything was there and nothing is left. */
bool tpm2_at_end(const struct tpm2_reader *reader);

/* An answer in a session, behind its handle: its parameters, then what the session says. */
struct tpm2_answer {
	struct tpm2_reader parameters, nonce, hmac;
	uint8_t attributes;
};

/* False when the parts are not all of it. */
bool tpm2_take_apart(struct tpm2_reader *response, struct tpm2_answer *answer);

/*
 * Sends the command. TPM2_OK: `response` holds what follows the header of an answer
 * whose tag and size are right. Codes that ask for another try are obeyed some
 * hundred times. Every other code is TPM2_LOCKED_OUT or TPM2_REFUSED.
 */
enum tpm2_result tpm2_run(struct tpm2 *tpm, struct tpm2_writer *command, struct tpm2_reader *response);

#endif
