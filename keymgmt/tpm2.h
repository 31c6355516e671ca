/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unsealing what `systemd-cryptenroll --tpm2-device` has sealed, with a TPM 2.0
 * behind any transport (TPM 2.0 Library Specification 1.59: part 1 for sessions,
 * part 2 for structures, part 3 for commands).
 *
 * Every answer is hostile: its sizes are checked whole before a byte of it is used.
 * What was loaded into the TPM is flushed, and secrets are wiped, on every way out.
 * No allocation. The secret crosses the transport encrypted when the primary key is of
 * ECC and there are random bytes, otherwise in clear; a PIN never does.
 */
#ifndef KEYMGMT_TPM2_H
#define KEYMGMT_TPM2_H

#include "keymgmt/rsa_key.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TPM2_MAX_BLOB	    768 /* of a token's sealed object; systemd's have about 250 bytes */
#define TPM2_MAX_SECRET	    128 /* MAX_SYM_DATA (part 2, 11.1.13) */
#define TPM2_MAX_DIGEST	    64
#define TPM2_COMMAND_BYTES  1024
#define TPM2_RESPONSE_BYTES 2048
#define TPM2_POLICY_BYTES   32 /* policies are SHA-256 whatever the bank */
#define TPM2_NAME_BYTES	    (2 + TPM2_POLICY_BYTES)
#define TPM2_PCRS	    24
#define TPM2_PCR_BYTES	    32 /* of a value in the bank of SHA-256 */

/* TPM_ALG_ID of a PCR bank (part 2, 6.3). */
enum tpm2_bank { TPM2_SHA1 = 0x4, TPM2_SHA256 = 0xb, TPM2_SHA384 = 0xc, TPM2_SHA512 = 0xd };

enum tpm2_primary { TPM2_PRIMARY_ECC, TPM2_PRIMARY_RSA };

enum tpm2_result {
	TPM2_OK,
	TPM2_NO_ANSWER,	     /* the transport failed */
	TPM2_BAD_ANSWER,     /* an answer that contradicts the specification, or a wrong HMAC */
	TPM2_BUSY,	     /* it asked to be asked again too often */
	TPM2_REFUSED,	     /* an error without a meaning of its own: tpm2.refused_* tell it */
	TPM2_LOCKED_OUT,     /* protection against guessing is active */
	TPM2_OTHER_TPM,	     /* the sealed object does not belong under this TPM's primary key */
	TPM2_STATE_DIFFERS,  /* the PCRs are not those of the token */
	TPM2_NOT_SIGNED,     /* the token wants signed PCRs, and there is no signature of what they hold */
	TPM2_POLICY_DIFFERS, /* the token contradicts its own sealed object */
	TPM2_NEEDS_PIN,	     /* everything fits so far; no PIN was given */
	TPM2_WRONG_PIN,
};

/* One sentence for a person. */
const char *tpm2_result_text(enum tpm2_result result);

#define TPM2_MAX_SIGNATURES 16

/* Somebody's word that a policy, PolicyPCR over some PCRs, is good: RSASSA with SHA-256. */
struct tpm2_signature {
	uint8_t signer[32];		   /* fingerprint of the key */
	uint8_t policy[TPM2_POLICY_BYTES]; /* what is signed */
	uint8_t data[RSA_KEY_MOST_BYTES];
	size_t bytes;
};

struct tpm2_signatures {
	unsigned count;
	struct tpm2_signature signature[TPM2_MAX_SIGNATURES];
};

struct tpm2 {
	/*
	 * Sends a command and waits for the answer. `*response_bytes` is the room in
	 * `response`; it may be lowered to what has been written. 0, or -1 when there is
	 * no answer.
	 */
	int (*submit)(void *context, const uint8_t *command, size_t command_bytes, uint8_t *response,
		size_t *response_bytes);
	/* Lets a busy TPM work; some milliseconds. */
	void (*pause)(void *context);
	/*
	 * Random bytes that whoever listens to the transport does not know; false when
	 * there are none. May be NULL. They keep secret what is unsealed.
	 */
	bool (*random)(void *context, uint8_t *bytes, size_t count);
	void *context;
	const struct tpm2_signatures *signatures; /* for tokens that want signed PCRs; NULL: none */
	size_t max_response; /* the most the transport takes for *response_bytes; at least 1024 is needed */

	uint32_t refused_command, refused_code; /* TPM_CC and TPM_RC of the last TPM2_REFUSED */
	uint8_t command[TPM2_COMMAND_BYTES], response[TPM2_RESPONSE_BYTES];
};

/* Values of PCRs in the bank of SHA-256. */
struct tpm2_pcrs {
	uint32_t mask; /* of which PCRs */
	uint8_t value[TPM2_PCRS][TPM2_PCR_BYTES];
};

/* A token of type systemd-tpm2, as systemd 248 to 252 write it. */
struct tpm2_token {
	const char *unusable; /* a clause that says why it cannot be used, or NULL */
	uint32_t keyslots;    /* bit mask */
	uint32_t pcrs;	      /* bit mask, PCR 0 to 23 */
	enum tpm2_bank bank;
	enum tpm2_primary primary;
	bool pin;
	uint8_t policy[TPM2_POLICY_BYTES]; /* what PolicyGetDigest must say before anything is unsealed */
	uint8_t blob[TPM2_MAX_BLOB];	   /* TPM2B_PRIVATE, then TPM2B_PUBLIC */
	size_t blob_bytes;
	uint32_t signed_pcrs; /* bit mask of those whose values `signer` must have signed; 0: none */
	struct rsa_key signer;
	struct tpm2_pcrs recorded; /* the values it was made for: of all its PCRs, or of none when they are not known */
};

/*
 * Checks the blob whole: two structures and nothing else, a keyed hash named by
 * SHA-256, its policy that of the token. NULL and its name (part 1, 16), or what is
 * wrong. The TPM's own checks come on top.
 */
const char *tpm2_check_blob(const struct tpm2_token *token, uint8_t name[TPM2_NAME_BYTES]);

/*
 * Whether a token bound to the PCRs of the bit mask could be unsealed by what runs
 * after us. PCR 12 is what nobody there can bring back. Alone it proves nothing,
 * for a program from anywhere could extend the same into it: PCR 7 holds who
 * signed the programs that were started, PCR 4 the programs themselves.
 */
bool tpm2_pcrs_weak(uint32_t pcrs);

/*
 * The policy of a sealed object that these values open, with `pin` only together
 * with its authorisation value: PolicyPCR, then PolicyAuthValue (part 3, 23.7 and
 * 23.17). Without PCRs the first is left out, as systemd does.
 */
void tpm2_policy_digest(const struct tpm2_pcrs *pcrs, bool pin, uint8_t digest[TPM2_POLICY_BYTES]);

/* What usually changes a PCR before our boot program runs: one sentence for a person. */
const char *tpm2_pcr_text(unsigned pcr);

struct tpm2_secret {
	uint8_t data[TPM2_MAX_SECRET];
	size_t bytes;
};

/*
 * Unseals the token's object. Without a PIN (`pin` NULL) a token that needs one
 * ends in TPM2_NEEDS_PIN after all else was found to fit: asking the user is not in
 * vain then. One call with a PIN is at most one failure that the TPM counts.
 * `token` must be usable. On success the caller wipes `secret`; otherwise it is
 * zeroes.
 */
enum tpm2_result tpm2_unseal(struct tpm2 *tpm, const struct tpm2_token *token, const void *pin,
	size_t pin_bytes, struct tpm2_secret *secret);

/* Reads one PCR (0 to 23); `*bytes` is 0 when the TPM has no such bank. */
enum tpm2_result tpm2_pcr_read(struct tpm2 *tpm, enum tpm2_bank bank, unsigned pcr,
	uint8_t digest[TPM2_MAX_DIGEST], size_t *bytes);

#endif
