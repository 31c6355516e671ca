/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A smartcard reader on USB, by the messages of its device class (Integrated
 * Circuit(s) Cards Interface Devices, CCID, 1.1), behind any transport.
 *
 * Every answer is hostile: kind, slot, sequence number and length are checked
 * before a byte of it is used. The one message buffer is wiped after each
 * exchange, for PINs and secrets pass through it. No allocation.
 */
#ifndef KEYMGMT_CCID_H
#define KEYMGMT_CCID_H

#include "keymgmt/card_result.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CCID_HEADER_BYTES  10
#define CCID_MAX_DATA	   261 /* a short APDU (ISO 7816-4, 5.1); blocks and TPDUs are shorter */
#define CCID_MESSAGE_BYTES (CCID_HEADER_BYTES + CCID_MAX_DATA)
#define CCID_MAX_ATR	   33  /* ISO 7816-3, 8.2.1 */

/* What one XfrBlock carries (5.1, dwFeatures). */
enum ccid_level { CCID_CHARACTERS, CCID_TPDU, CCID_SHORT_APDU, CCID_EXTENDED_APDU };

/* dwFeatures, what is used of it. */
enum {
	CCID_SETS_PARAMETERS = 0x02, /* by the answer to reset */
	CCID_CHOOSES_VOLTAGE = 0x08,
	CCID_NEGOTIATES = 0x40, /* parameters, by an algorithm of its own */
	CCID_SETS_IFSD = 0x400,
};

/* The class descriptor. */
struct ccid_description {
	uint8_t voltages;   /* bit 0: 5 V, 1: 3 V, 2: 1.8 V */
	uint32_t protocols; /* bit 0: T=0, 1: T=1 */
	uint32_t features;
	enum ccid_level level;
	uint32_t max_message; /* bytes, with the header */
};

/*
 * Finds the class descriptor of an interface in a configuration descriptor, which is
 * checked whole. NULL, or a clause that says why the reader cannot be used.
 */
const char *ccid_describe(
	const uint8_t *configuration, size_t bytes, uint8_t interface, struct ccid_description *description);

struct ccid {
	/* Each 0, or -1. `receive` waits some seconds; `*bytes` is the room and becomes what has come. */
	int (*send)(void *context, const uint8_t *message, size_t bytes);
	int (*receive)(void *context, uint8_t *message, size_t *bytes);
	void *context;
	struct ccid_description is;

	uint8_t sequence;
	uint8_t error; /* bError of the last CARD_READER_FAILED */
	uint8_t message[CCID_MESSAGE_BYTES];
};

/* Gives the card power, at the lowest voltage at which it answers. `atr` has room for CCID_MAX_ATR. */
enum card_result ccid_power_on(struct ccid *ccid, uint8_t *atr, size_t *bytes);
/* The card forgets what it was shown. What fails is not told: there is nothing to be done about it. */
void ccid_power_off(struct ccid *ccid);

/* Which protocol the reader speaks with the card, by itself. */
enum card_result ccid_get_protocol(struct ccid *ccid, uint8_t *protocol);
enum card_result ccid_set_parameters(struct ccid *ccid, uint8_t protocol, const uint8_t *parameters, size_t bytes);

/*
 * One XfrBlock. `wait` is bBWI, how many times as long the card may take for a block;
 * `expected` counts the bytes that are waited for, at the level of characters
 * alone. `*answer_bytes` is the room in `answer` and becomes what has come.
 * Errors that a repetition can cure are CARD_READER_FAILED (ccid_is_noise()).
 */
enum card_result ccid_transfer(struct ccid *ccid, const uint8_t *data, size_t bytes, uint8_t wait,
	uint16_t expected, uint8_t *answer, size_t *answer_bytes);

/* Whether the last CARD_READER_FAILED is one between reader and card: parity, overrun, silence. */
bool ccid_is_noise(const struct ccid *ccid);

#endif
