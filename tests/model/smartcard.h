/* SPDX-License-Identifier: Apache-2.0 */
/* A model of a PIV card with one RSA key, and of the USB reader it is in. Either can be made to misbehave. */
#ifndef TESTS_MODEL_SMARTCARD_H
#define TESTS_MODEL_SMARTCARD_H

#include "keymgmt/card.h"

#define SMARTCARD_RSA_BYTES 256
#define SMARTCARD_BYTES	    1024

struct smartcard {
	bool inserted, powered;
	const uint8_t *atr;
	size_t atr_bytes;

	/* The application. */
	const char *pin;
	unsigned tries, most_tries;
	uint8_t key; /* reference */
	void (*decrypt)(const uint8_t in[SMARTCARD_RSA_BYTES], uint8_t out[SMARTCARD_RSA_BYTES]);
	unsigned step;	    /* bytes it gives in one answer */
	bool exact;	    /* it wants to be told how many (6Cxx) */
	bool direct;	    /* it answers with data at once; with T=0 it cannot */
	bool no_piv;
	uint16_t refuses;   /* 0, or the status of every GENERAL AUTHENTICATE */
	uint16_t says;	    /* 0, or the status of every VERIFY with a PIN */
	bool no_chaining;   /* refuses its first part */
	bool generous;	    /* gives more than it was asked for */
	bool stalls;	    /* announces more for ever, and gives nothing */
	bool never_exact;   /* wants to be asked for another length, whatever it was */
	unsigned spoiled;   /* the number of a byte in its template with the result, from 1; 0: none */
	int longer;	    /* that many bytes more of it, or less */
	bool selected, verified;
	unsigned verifies, decryptions; /* that have reached it */
	uint8_t chain[SMARTCARD_BYTES], pending[SMARTCARD_BYTES];
	size_t chained, pending_bytes, given;

	/* T=1. */
	uint8_t own_block;    /* bytes of information it takes */
	uint8_t reader_block; /* and may send */
	unsigned extensions;  /* that it asks for before each answer */
	bool asks_ifs;	      /* before its first answer */
	bool empty_blocks;    /* chains them for ever */
	bool expects, sends;  /* N(S) of the next block in either direction */
	bool sending, last_has_more;
	unsigned asked;
	uint8_t apdu[SMARTCARD_BYTES], answer[SMARTCARD_BYTES], last[SMARTCARD_BYTES];
	size_t apdu_bytes, answer_bytes, answered, last_bytes;

	/* T=0, by characters. */
	unsigned nulls;	  /* before each procedure byte */
	bool byte_by_byte;
	uint8_t queue[4 * SMARTCARD_BYTES];
	size_t queued, taken, wanted;
};

/* A card with T=0, or with T=1, that does everything right. */
void smartcard_begin(struct smartcard *card, unsigned protocol);
void smartcard_power(struct smartcard *card, bool on);

/* An APDU, or a TPDU of T=0; the length of the answer with its status word. */
size_t smartcard_apdu(struct smartcard *card, const uint8_t *apdu, size_t bytes, uint8_t *answer);
/* A block of T=1; 0 for silence. */
size_t smartcard_block(struct smartcard *card, const uint8_t *block, size_t bytes, uint8_t *answer);
/* Characters of T=0, then those it answers, exactly `wanted`; false when it says less. */
bool smartcard_characters(
	struct smartcard *card, const uint8_t *data, size_t bytes, uint8_t *answer, size_t wanted);

/* What happens on the way of one XfrBlock. */
enum reader_fault {
	READER_FAULT_NONE,
	READER_FAULT_TO_CARD,	/* a bit is turned over, for T=1 */
	READER_FAULT_FROM_CARD,
	READER_FAULT_LOST,	/* the card gets nothing, and says nothing */
	READER_FAULT_SILENCE,	/* the card's answer is lost */
	READER_FAULT_NO_ANSWER, /* from the reader */
	READER_FAULT_SEND,
	READER_FAULT_TYPE,
	READER_FAULT_SLOT,
	READER_FAULT_LENGTH,
	READER_FAULT_LONG_LENGTH,
	READER_FAULT_SHORT,	/* than a header */
	READER_FAULT_STATUS,
	READER_FAULT_FAILED,	/* with an error of the reader's own */
	READER_FAULT_REMOVED,	/* the card has been taken out before */
	READER_FAULT_EXCHANGED, /* and another one put in */
	READER_FAULT_EMPTY,	/* no data */
	READER_FAULT_CHAIN,	/* bChainParameter */
	READER_FAULTS
};

struct smartcard_reader {
	struct ccid ccid;
	struct smartcard *card;
	unsigned protocol;
	unsigned extensions; /* of time, before each answer */
	unsigned stale;	     /* answers to commands of somebody else's, before each answer */
	uint8_t works_at;    /* bPowerSelect */
	enum reader_fault fault;
	unsigned fault_at; /* the number of the XfrBlock, from 0 */
	bool fault_stays;
	unsigned transfers, power_ons, power_offs, parameters;
	uint8_t last_wait;
	uint8_t parameter[16];
	size_t parameter_bytes;
	uint8_t message[SMARTCARD_BYTES];
	size_t message_bytes;
	unsigned extensions_left, stale_left;
	bool muted;
};

/* One that does everything right, with such a card in it. */
void smartcard_reader_begin(
	struct smartcard_reader *reader, struct smartcard *card, enum ccid_level level, unsigned protocol);

#endif
