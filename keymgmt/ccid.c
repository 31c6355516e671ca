/* SPDX-License-Identifier: Apache-2.0 */
#include "keymgmt/ccid.h"
#include "storage/crypt/wipe.h"
#include <string.h>

/* Message types (6.1 and 6.2). */
enum {
	SET_PARAMETERS = 0x61,
	ICC_POWER_ON = 0x62,
	ICC_POWER_OFF = 0x63,
	GET_SLOT_STATUS = 0x65,
	GET_PARAMETERS = 0x6c,
	XFR_BLOCK = 0x6f,
	DATA_BLOCK = 0x80,
	SLOT_STATUS = 0x81,
	PARAMETERS = 0x82,
};

/* bStatus (6.2.6): the card in bits 0 and 1, the command in bits 6 and 7. */
enum { ICC_ACTIVE = 0, ICC_INACTIVE = 1, ICC_ABSENT = 2 };
enum { COMMAND_DONE = 0, COMMAND_FAILED = 1, TIME_EXTENSION = 2 };

/* bError (6.2.6). */
enum { ICC_MUTE = 0xfe, XFR_PARITY_ERROR = 0xfd, XFR_OVERRUN = 0xfc };

/* Readers ask for time at least once in the card's waiting time; a private key operation takes seconds. */
#define EXTENSIONS 100
/* Answers to commands that somebody else has sent. */
#define STALE 8

#define SLOT 0

struct request {
	uint8_t type, specific[3];
	const uint8_t *data;
	size_t bytes;
	uint8_t answered_by;
};

struct answer {
	uint8_t icc, command, error;
	uint8_t specific; /* byte 9 */
	const uint8_t *data;
	size_t bytes;
};

static void put32(uint8_t *at, size_t value)
{
	for (unsigned i = 0; i < 4; i++)
		at[i] = (uint8_t)(value >> 8 * i);
}

static enum card_result send(struct ccid *ccid, const struct request *request)
{
	uint8_t *message = ccid->message;

	message[0] = request->type;
	put32(message + 1, request->bytes);
	message[5] = SLOT;
	message[6] = ++ccid->sequence;
	memcpy(message + 7, request->specific, 3);
	if (request->bytes)
		memcpy(message + CCID_HEADER_BYTES, request->data, request->bytes);
	return ccid->send(ccid->context, message, CCID_HEADER_BYTES + request->bytes) ? CARD_NO_ANSWER : CARD_OK;
}

/* One message, taken apart; its length is that of what has come. */
static enum card_result receive_one(struct ccid *ccid, uint8_t type, struct answer *answer, bool *stale)
{
	const uint8_t *message = ccid->message;
	size_t bytes = sizeof(ccid->message);
	uint8_t told[4];

	if (ccid->receive(ccid->context, ccid->message, &bytes))
		return CARD_NO_ANSWER;
	if (bytes < CCID_HEADER_BYTES || bytes > sizeof(ccid->message))
		return CARD_BAD_ANSWER;
	put32(told, bytes - CCID_HEADER_BYTES);
	*stale = message[6] != ccid->sequence;
	if (*stale)
		return CARD_OK;
	if (message[0] != type || message[5] != SLOT || memcmp(message + 1, told, 4))
		return CARD_BAD_ANSWER;
	*answer = (struct answer){.icc = message[7] & 3,
		.command = message[7] >> 6,
		.error = message[8],
		.specific = message[9],
		.data = message + CCID_HEADER_BYTES,
		.bytes = bytes - CCID_HEADER_BYTES};
	return answer->icc > ICC_ABSENT || answer->command > TIME_EXTENSION ? CARD_BAD_ANSWER : CARD_OK;
}

static enum card_result receive(struct ccid *ccid, uint8_t type, struct answer *answer)
{
	unsigned extensions = 0, others = 0;
	enum card_result result;
	bool stale;

	do {
		result = receive_one(ccid, type, answer, &stale);
		if (result)
			return result;
		if (stale ? ++others > STALE : answer->command == TIME_EXTENSION && ++extensions > EXTENSIONS)
			return CARD_BAD_ANSWER;
	} while (stale || answer->command == TIME_EXTENSION);
	return CARD_OK;
}

/* CARD_OK whatever the reader says about the command; the answer's data stands in the message buffer. */
static enum card_result ask(struct ccid *ccid, const struct request *request, struct answer *answer)
{
	enum card_result result;

	if (request->bytes > CCID_MAX_DATA)
		return CARD_BAD_ANSWER;
	result = send(ccid, request);
	secret_wipe(ccid->message, sizeof(ccid->message));
	return result ? result : receive(ccid, request->answered_by, answer);
}

static enum card_result failure(struct ccid *ccid, const struct answer *answer)
{
	ccid->error = answer->error;
	return CARD_READER_FAILED;
}

static enum card_result finish(struct ccid *ccid, enum card_result result)
{
	secret_wipe(ccid->message, sizeof(ccid->message));
	return result;
}

/* ---- power ---- */

static enum card_result power_on_at(struct ccid *ccid, uint8_t voltage, uint8_t *atr, size_t *bytes)
{
	const struct request request = {.type = ICC_POWER_ON, .specific = {voltage}, .answered_by = DATA_BLOCK};
	struct answer answer;
	enum card_result result = ask(ccid, &request, &answer);

	if (result)
		return result;
	if (answer.icc == ICC_ABSENT)
		return CARD_ABSENT;
	if (answer.command == COMMAND_FAILED)
		return answer.error == ICC_MUTE ? CARD_MUTE : failure(ccid, &answer);
	if (answer.icc != ICC_ACTIVE || answer.bytes < 2 || answer.bytes > CCID_MAX_ATR)
		return CARD_BAD_ANSWER;
	memcpy(atr, answer.data, answer.bytes);
	*bytes = answer.bytes;
	return CARD_OK;
}

static enum card_result slot_status(struct ccid *ccid, uint8_t command)
{
	const struct request request = {.type = command, .answered_by = SLOT_STATUS};
	struct answer answer;
	enum card_result result = ask(ccid, &request, &answer);

	if (result)
		return result;
	return answer.icc == ICC_ABSENT ? CARD_ABSENT : CARD_OK;
}

enum card_result ccid_power_on(struct ccid *ccid, uint8_t *atr, size_t *bytes)
{
	/* bPowerSelect of 1.8 V, 3 V, 5 V, which are bits 2, 1, 0 of bVoltageSupport. */
	static const uint8_t selects[] = {3, 2, 1};
	enum card_result result = slot_status(ccid, GET_SLOT_STATUS);

	if (!result && ccid->is.features & CCID_CHOOSES_VOLTAGE)
		return finish(ccid, power_on_at(ccid, 0, atr, bytes));
	if (!result)
		result = CARD_MUTE;
	for (unsigned i = 0; i < sizeof(selects) && result == CARD_MUTE; i++) {
		if (!(ccid->is.voltages & 1u << (selects[i] - 1)))
			continue;
		result = power_on_at(ccid, selects[i], atr, bytes);
		if (result == CARD_MUTE)
			ccid_power_off(ccid);
	}
	return finish(ccid, result);
}

void ccid_power_off(struct ccid *ccid)
{
	finish(ccid, slot_status(ccid, ICC_POWER_OFF));
}

/* ---- parameters ---- */

static enum card_result parameters(struct ccid *ccid, const struct request *request, uint8_t *protocol)
{
	struct answer answer;
	enum card_result result = ask(ccid, request, &answer);

	if (!result && answer.icc != ICC_ACTIVE)
		result = CARD_REMOVED;
	if (!result && answer.command == COMMAND_FAILED)
		result = failure(ccid, &answer);
	if (!result && answer.specific > 1)
		result = CARD_BAD_ANSWER;
	if (!result)
		*protocol = answer.specific;
	return finish(ccid, result);
}

enum card_result ccid_get_protocol(struct ccid *ccid, uint8_t *protocol)
{
	const struct request request = {.type = GET_PARAMETERS, .answered_by = PARAMETERS};

	return parameters(ccid, &request, protocol);
}

enum card_result ccid_set_parameters(struct ccid *ccid, uint8_t protocol, const uint8_t *data, size_t bytes)
{
	const struct request request = {.type = SET_PARAMETERS, .specific = {protocol}, .data = data, .bytes = bytes,
		.answered_by = PARAMETERS};
	uint8_t set;
	enum card_result result = parameters(ccid, &request, &set);

	return !result && set != protocol ? CARD_BAD_ANSWER : result;
}

/* ---- data ---- */

static enum card_result take_data(
	struct ccid *ccid, const struct answer *answer, uint8_t *data, size_t *bytes)
{
	/* A card that is there without power has been exchanged. */
	if (answer->icc != ICC_ACTIVE)
		return CARD_REMOVED;
	if (answer->command == COMMAND_FAILED)
		return failure(ccid, answer);
	/* bChainParameter: the answer goes on in further messages, which no short APDU needs. */
	if (ccid->is.level == CCID_EXTENDED_APDU && answer->specific)
		return CARD_BAD_ANSWER;
	if (answer->bytes > *bytes)
		return CARD_BAD_ANSWER;
	memcpy(data, answer->data, answer->bytes);
	*bytes = answer->bytes;
	return CARD_OK;
}

enum card_result ccid_transfer(struct ccid *ccid, const uint8_t *data, size_t bytes, uint8_t wait,
	uint16_t expected, uint8_t *answer_data, size_t *answer_bytes)
{
	const struct request request = {.type = XFR_BLOCK,
		.specific = {wait, (uint8_t)expected, (uint8_t)(expected >> 8)},
		.data = data,
		.bytes = bytes,
		.answered_by = DATA_BLOCK};
	struct answer answer;
	enum card_result result = ask(ccid, &request, &answer);

	return finish(ccid, result ? result : take_data(ccid, &answer, answer_data, answer_bytes));
}

bool ccid_is_noise(const struct ccid *ccid)
{
	return ccid->error == ICC_MUTE || ccid->error == XFR_PARITY_ERROR || ccid->error == XFR_OVERRUN;
}
