/* SPDX-License-Identifier: Apache-2.0 */
/* How a step with a smartcard or its reader can end. */
#ifndef KEYMGMT_CARD_RESULT_H
#define KEYMGMT_CARD_RESULT_H

enum card_result {
	CARD_OK,
	CARD_NO_ANSWER,	    /* the reader's USB transfers fail */
	CARD_BAD_ANSWER,    /* of the reader's or the card's, and against the standards */
	CARD_READER_FAILED, /* the reader reports an error: ccid.error tells it */
	CARD_ABSENT,	    /* no card in the slot */
	CARD_REMOVED,	    /* it has been there */
	CARD_MUTE,	    /* it does not answer to power, in either direction */
	CARD_UNSUPPORTED,   /* by its answer to reset it cannot be spoken to with this reader */
	CARD_REFUSED,	    /* a status word without a meaning of its own: card.status tells it */
	CARD_NOT_PIV,
	CARD_WRONG_PIN,
	CARD_BAD_PIN,	    /* no PIV card has such a PIN; none was sent */
	CARD_BLOCKED,	    /* too many wrong PINs */
	CARD_WRONG_KEY,	    /* none of its keys decrypts */
};

/* One sentence for a person. */
const char *card_result_text(enum card_result result);

#endif
