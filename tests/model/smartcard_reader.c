/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/model/smartcard.h"
#include <stdlib.h>
#include <string.h>

enum { STATUS_ABSENT = 2, STATUS_INACTIVE = 1, STATUS_FAILED = 0x40, STATUS_EXTENSION = 0x80 };
enum { ERROR_MUTE = 0xfe, ERROR_HARDWARE = 0xfb };

static uint8_t card_status(const struct smartcard_reader *reader)
{
	return !reader->card->inserted ? STATUS_ABSENT : !reader->card->powered ? STATUS_INACTIVE : 0;
}

static void answer(struct smartcard_reader *reader, uint8_t type, uint8_t failed, uint8_t error, uint8_t specific,
	size_t bytes)
{
	uint8_t *message = reader->message;

	message[0] = type;
	for (unsigned i = 0; i < 4; i++)
		message[1 + i] = (uint8_t)(bytes >> 8 * i);
	message[7] = card_status(reader) | failed;
	message[8] = error;
	message[9] = specific;
	reader->message_bytes = CCID_HEADER_BYTES + bytes;
}

static void power_on(struct smartcard_reader *reader, uint8_t select)
{
	struct smartcard *card = reader->card;

	reader->power_ons++;
	if (!card->inserted || select != reader->works_at) {
		answer(reader, 0x80, STATUS_FAILED, ERROR_MUTE, 0, 0);
		return;
	}
	smartcard_power(card, true);
	memcpy(reader->message + CCID_HEADER_BYTES, card->atr, card->atr_bytes);
	answer(reader, 0x80, 0, 0, 0, card->atr_bytes);
}

/* What the card says to it at the reader's level; 0 for silence. */
static size_t carry(struct smartcard_reader *reader, const uint8_t *data, size_t bytes, size_t wanted, uint8_t *out)
{
	struct smartcard *card = reader->card;
	/* The rest of a block that has been asked for in two parts. */
	static uint8_t rest[SMARTCARD_BYTES];
	static size_t rest_bytes;

	if (reader->ccid.is.level >= CCID_SHORT_APDU)
		return smartcard_apdu(card, data, bytes, out);
	if (reader->protocol == 0) {
		if (reader->ccid.is.level == CCID_CHARACTERS)
			return smartcard_characters(card, data, bytes, out, wanted) ? wanted : 0;
		/* A TPDU: P3 is Le unless data follows. */
		return smartcard_apdu(card, data, bytes, out);
	}
	if (reader->ccid.is.level == CCID_TPDU)
		return smartcard_block(card, data, bytes, out);
	if (bytes) {
		rest_bytes = smartcard_block(card, data, bytes, rest);
		memcpy(out, rest, wanted);
		return wanted;
	}
	memcpy(out, rest + 3, wanted);
	return wanted == rest_bytes - 3 ? wanted : 0;
}

static void transfer(struct smartcard_reader *reader, const uint8_t *message, size_t bytes)
{
	unsigned number = reader->transfers++;
	bool now = number == reader->fault_at || (reader->fault_stays && number > reader->fault_at);
	enum reader_fault fault = now ? reader->fault : READER_FAULT_NONE;
	uint8_t data[SMARTCARD_BYTES];
	size_t received = 0;

	reader->last_wait = message[7];
	memcpy(data, message + CCID_HEADER_BYTES, bytes);
	if (fault == READER_FAULT_REMOVED || fault == READER_FAULT_EXCHANGED)
		smartcard_power(reader->card, false);
	if (fault == READER_FAULT_REMOVED)
		reader->card->inserted = false;
	if (fault == READER_FAULT_TO_CARD && bytes)
		data[bytes / 2] ^= 0x10;
	if (fault != READER_FAULT_LOST && reader->card->powered)
		received = carry(reader, data, bytes, message[8] | (size_t)message[9] << 8,
			reader->message + CCID_HEADER_BYTES);
	if (fault == READER_FAULT_FROM_CARD && received)
		reader->message[CCID_HEADER_BYTES + received / 2] ^= 0x10;
	if (fault == READER_FAULT_SILENCE || fault == READER_FAULT_EMPTY)
		received = 0;
	if (received || fault == READER_FAULT_EMPTY)
		answer(reader, 0x80, fault == READER_FAULT_FAILED ? STATUS_FAILED : 0, ERROR_HARDWARE, 0, received);
	else
		answer(reader, 0x80, STATUS_FAILED, ERROR_MUTE, 0, 0);
	switch (fault) {
	case READER_FAULT_TYPE:
		reader->message[0] = 0x81;
		break;
	case READER_FAULT_SLOT:
		reader->message[5] = 1;
		break;
	case READER_FAULT_LENGTH:
		reader->message[1]++;
		break;
	case READER_FAULT_LONG_LENGTH:
		reader->message[4] = 0x80;
		break;
	case READER_FAULT_SHORT:
		reader->message_bytes = CCID_HEADER_BYTES - 1;
		break;
	case READER_FAULT_STATUS:
		reader->message[7] |= 3;
		break;
	case READER_FAULT_CHAIN:
		reader->message[9] = 1;
		break;
	case READER_FAULT_NO_ANSWER:
		reader->muted = true;
		break;
	default:
		break;
	}
}

static void set_parameters(struct smartcard_reader *reader, const uint8_t *message, size_t bytes)
{
	if (bytes > sizeof(reader->parameter))
		abort();
	reader->parameters++;
	reader->protocol = message[7];
	reader->parameter_bytes = bytes;
	memcpy(reader->parameter, message + CCID_HEADER_BYTES, bytes);
}

static int send(void *context, const uint8_t *message, size_t bytes)
{
	struct smartcard_reader *reader = context;

	if (bytes < CCID_HEADER_BYTES || (message[1] | (size_t)message[2] << 8) != bytes - CCID_HEADER_BYTES)
		abort();
	if (reader->fault == READER_FAULT_SEND && message[0] == 0x6f && reader->transfers == reader->fault_at)
		return -1;
	reader->extensions_left = reader->extensions;
	reader->stale_left = reader->stale;
	reader->muted = false;
	reader->message[5] = message[5];
	reader->message[6] = message[6];
	switch (message[0]) {
	case 0x61:
		set_parameters(reader, message, bytes - CCID_HEADER_BYTES);
		answer(reader, 0x82, 0, 0, (uint8_t)reader->protocol, 0);
		break;
	case 0x62:
		power_on(reader, message[7]);
		break;
	case 0x63:
		reader->power_offs++;
		smartcard_power(reader->card, false);
		answer(reader, 0x81, 0, 0, 0, 0);
		break;
	case 0x65:
		answer(reader, 0x81, 0, 0, 0, 0);
		break;
	case 0x6c:
		answer(reader, 0x82, 0, 0, (uint8_t)reader->protocol, 0);
		break;
	case 0x6f:
		transfer(reader, message, bytes - CCID_HEADER_BYTES);
		break;
	default:
		abort();
	}
	return 0;
}

static int receive(void *context, uint8_t *message, size_t *bytes)
{
	struct smartcard_reader *reader = context;

	if (reader->muted || reader->message_bytes > *bytes)
		return -1;
	if (reader->stale_left || reader->extensions_left) {
		memset(message, 0, CCID_HEADER_BYTES);
		*bytes = CCID_HEADER_BYTES;
		message[0] = reader->message[0];
		message[6] = (uint8_t)(reader->message[6] - (reader->stale_left ? 1 : 0));
		message[7] = STATUS_EXTENSION;
		if (reader->stale_left)
			reader->stale_left--;
		else
			reader->extensions_left--;
		return 0;
	}
	memcpy(message, reader->message, reader->message_bytes);
	*bytes = reader->message_bytes;
	return 0;
}

void smartcard_reader_begin(
	struct smartcard_reader *reader, struct smartcard *card, enum ccid_level level, unsigned protocol)
{
	*reader = (struct smartcard_reader){.card = card, .protocol = protocol};
	reader->ccid.send = send;
	reader->ccid.receive = receive;
	reader->ccid.context = reader;
	reader->ccid.is = (struct ccid_description){.voltages = 7,
		.protocols = 3,
		.features = CCID_CHOOSES_VOLTAGE,
		.level = level,
		.max_message = CCID_MESSAGE_BYTES};
	if (protocol)
		card->direct = true;
}
