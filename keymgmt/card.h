/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A smartcard in a reader: commands by ISO 7816-4, whatever the reader takes on
 * itself. At the level of TPDUs or characters the transmission protocol is ours
 * (ISO 7816-3:2006: section 10 for T=0, 11 for T=1).
 *
 * Every answer is hostile, as in ccid.h. What held a PIN or a secret is wiped
 * after each command.
 */
#ifndef KEYMGMT_CARD_H
#define KEYMGMT_CARD_H

#include "keymgmt/ccid.h"

#define CARD_MAX_APDU	261 /* header, Lc, 255 bytes, Le */
#define CARD_MAX_ANSWER 258 /* 256 bytes, status word */

struct card {
	struct ccid *reader;
	uint8_t protocol; /* 0: T=0, 1: T=1; means nothing where the reader takes APDUs */
	uint16_t status;  /* SW1 SW2 of the last command */

	uint8_t send_sequence, receive_sequence; /* T=1: N(S) of the next I-block in either direction */
	uint8_t card_block;			 /* T=1: IFSC, bytes of information the card takes in one block */

	uint8_t apdu[CARD_MAX_APDU], answer[CARD_MAX_ANSWER];
	uint8_t block[CARD_MAX_APDU]; /* of T=1, or what else is between us and the reader */
};

/* Gives the card power and agrees on a protocol. After CARD_OK card_close() is owed. */
enum card_result card_open(struct card *card, struct ccid *reader);
/* Takes the power away: the card forgets the PIN it was shown. */
void card_close(struct card *card);

struct card_command {
	uint8_t cla, ins, p1, p2;
	const uint8_t *data; /* of any length: it is chained */
	size_t bytes;
	bool answers; /* with data, as much as there is */
};

/*
 * One command with its whole answer. CARD_OK is status word 9000, any other is
 * CARD_REFUSED and stands in card->status. `*answer_bytes` is the room in `answer` and
 * becomes what has come, without the status word; both NULL when none is expected.
 */
enum card_result card_run(
	struct card *card, const struct card_command *command, uint8_t *answer, size_t *answer_bytes);

#endif
