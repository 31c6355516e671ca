/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The PIV application of a smartcard (NIST SP 800-73-4, part 2): its PIN, and
 * decryption with its RSA keys of 2048 bits.
 */
#ifndef KEYMGMT_PIV_H
#define KEYMGMT_PIV_H

#include "keymgmt/card.h"

#define PIV_RSA_BYTES 256

/* Chooses the application; every other one here is for after that. CARD_NOT_PIV when the card has none. */
enum card_result piv_select(struct card *card);

/* How often a wrong PIN may still be given, which spends none of them; `verified`: no PIN is needed any more. */
enum card_result piv_tries(struct card *card, unsigned *tries, bool *verified);

/* Shows the card the PIN. CARD_BAD_PIN, and nothing is sent, unless it has 6 to 8 bytes. */
enum card_result piv_verify(struct card *card, const uint8_t *pin, size_t bytes);

struct piv_secret {
	uint8_t data[PIV_RSA_BYTES];
	size_t bytes;
};

/*
 * Decrypts RSAES-PKCS1-v1_5 with the first of the card's keys that gives a message:
 * the one for key management, then those for authentication, then retired ones.
 * The signature key is left alone: it asks for the PIN each time. CARD_WRONG_KEY
 * when none does. On success the caller wipes `secret`; otherwise it is zeroes.
 */
enum card_result piv_decrypt(
	struct card *card, const uint8_t encrypted[PIV_RSA_BYTES], struct piv_secret *secret);

#endif
