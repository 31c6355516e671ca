/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files that speak with a card: answer to reset, T=0, T=1. */
#ifndef KEYMGMT_CARD_PROTOCOL_H
#define KEYMGMT_CARD_PROTOCOL_H

#include "keymgmt/card.h"

/* An answer to reset (ISO 7816-3, 8.2 and 8.3), what is used of it, with the defaults of what it leaves out. */
struct card_atr {
	bool inverse; /* convention */
	uint8_t first; /* protocol that is used when nothing is negotiated */
	uint32_t protocols; /* bit mask */
	bool specific;	 /* mode: protocol and parameters are as TA2 says, and need no negotiation */
	uint8_t speed;	 /* Fi and Di as in TA1, which hold in specific mode; 0x11 otherwise */
	uint8_t guard;	 /* extra guard time N */
	uint8_t waiting_t0; /* WI */
	uint8_t waiting_t1; /* BWI and CWI */
	uint8_t block;	 /* IFSC */
	bool crc;	 /* T=1 with CRC instead of LRC */
};

/* False when it is malformed. */
bool card_parse_atr(const uint8_t *data, size_t bytes, struct card_atr *atr);

/*
 * One short APDU and its answer with status word, by a protocol. `*answer_bytes` is
 * the room (CARD_MAX_ANSWER) and becomes what has come, which may be too little.
 */
enum card_result card_exchange_t0(struct card *card, const uint8_t *apdu, size_t bytes, uint8_t *answer,
	size_t *answer_bytes);
enum card_result card_exchange_t1(struct card *card, const uint8_t *apdu, size_t bytes, uint8_t *answer,
	size_t *answer_bytes);

/* Tells the card how long our blocks may be. */
enum card_result card_set_block_t1(struct card *card);

#endif
