/* SPDX-License-Identifier: Apache-2.0 */
/* Commands longer than an APDU, answers longer than one (ISO 7816-4, 5.1.1 and 5.3). */
#include "keymgmt/card_protocol.h"
#include "storage/crypt/wipe.h"
#include <string.h>

#define CHAINED 0x10 /* CLA: more of the command follows */
#define MAX_DATA 255
#define GET_RESPONSE 0xc0

enum { STATUS_DONE = 0x9000, STATUS_MORE = 0x61, STATUS_WRONG_LE = 0x6c };

/* A short APDU in card->apdu, as far as it has been put together. */
struct apdu {
	size_t bytes;
	bool has_le; /* its last byte */
};

static struct apdu make(struct card *card, const struct card_command *command, size_t at, size_t part, bool last)
{
	uint8_t *apdu = card->apdu;
	struct apdu made = {.bytes = 4};

	apdu[0] = command->cla | (last ? 0 : CHAINED);
	apdu[1] = command->ins;
	apdu[2] = command->p1;
	apdu[3] = command->p2;
	if (part) {
		apdu[made.bytes++] = (uint8_t)part;
		memcpy(apdu + made.bytes, command->data + at, part);
		made.bytes += part;
	}
	if (last && command->answers) {
		apdu[made.bytes++] = 0;
		made.has_le = true;
	}
	return made;
}

static struct apdu make_get_response(struct card *card, uint8_t bytes)
{
	const uint8_t apdu[] = {0, GET_RESPONSE, 0, 0, bytes};

	memcpy(card->apdu, apdu, sizeof(apdu));
	return (struct apdu){.bytes = sizeof(apdu), .has_le = true};
}

/* Ne, what may come before the status word. */
static size_t most(const struct card *card, const struct apdu *apdu)
{
	uint8_t le = card->apdu[apdu->bytes - 1];

	return !apdu->has_le ? 0 : le ? le : 256;
}

/* One APDU there and its answer into card->answer; `bytes` are those before the status word. */
static enum card_result exchange(struct card *card, const struct apdu *apdu, size_t *bytes)
{
	enum card_result result;
	size_t received = sizeof(card->answer);

	if (card->reader->is.level >= CCID_SHORT_APDU)
		result = ccid_transfer(card->reader, card->apdu, apdu->bytes, 0, 0, card->answer, &received);
	else if (card->protocol == 1)
		result = card_exchange_t1(card, card->apdu, apdu->bytes, card->answer, &received);
	else
		result = card_exchange_t0(card, card->apdu, apdu->bytes, card->answer, &received);
	if (result)
		return result;
	if (received < 2 || received - 2 > most(card, apdu))
		return CARD_BAD_ANSWER;
	*bytes = received - 2;
	card->status = (uint16_t)(card->answer[*bytes] << 8 | card->answer[*bytes + 1]);
	return CARD_OK;
}

/* The last APDU of a command, and what the card has to say to it until a final status word. */
static enum card_result collect(struct card *card, struct apdu apdu, uint8_t *answer, size_t room, size_t *total)
{
	bool corrected = false;
	size_t bytes;

	for (*total = 0;;) {
		enum card_result result = exchange(card, &apdu, &bytes);

		if (result)
			return result;
		if (card->status >> 8 == STATUS_WRONG_LE) {
			if (corrected || bytes || !apdu.has_le)
				return CARD_BAD_ANSWER;
			corrected = true;
			card->apdu[apdu.bytes - 1] = (uint8_t)card->status;
			continue;
		}
		if (bytes > room - *total)
			return CARD_BAD_ANSWER;
		if (bytes)
			memcpy(answer + *total, card->answer, bytes);
		*total += bytes;
		if (card->status >> 8 != STATUS_MORE)
			return card->status == STATUS_DONE ? CARD_OK : CARD_REFUSED;
		/* To a command that announces more an answer without any would never end. */
		if (apdu.bytes == 5 && card->apdu[1] == GET_RESPONSE && !bytes)
			return CARD_BAD_ANSWER;
		apdu = make_get_response(card, (uint8_t)card->status);
		corrected = false;
	}
}

/* All but the last part of a command's data; `at` becomes where that begins. */
static enum card_result send_chain(struct card *card, const struct card_command *command, size_t *at)
{
	enum card_result result = CARD_OK;
	size_t bytes;

	for (*at = 0; !result && command->bytes - *at > MAX_DATA; *at += MAX_DATA) {
		struct apdu apdu = make(card, command, *at, MAX_DATA, false);

		result = exchange(card, &apdu, &bytes);
		if (!result && card->status != STATUS_DONE)
			result = CARD_REFUSED;
	}
	return result;
}

enum card_result card_run(
	struct card *card, const struct card_command *command, uint8_t *answer, size_t *answer_bytes)
{
	size_t at, total = 0;
	enum card_result result;

	card->status = 0;
	result = send_chain(card, command, &at);
	if (!result)
		result = collect(card, make(card, command, at, command->bytes - at, true), answer,
			answer ? *answer_bytes : 0, &total);
	if (answer_bytes)
		*answer_bytes = result ? 0 : total;
	secret_wipe(card->apdu, sizeof(card->apdu));
	secret_wipe(card->answer, sizeof(card->answer));
	return result;
}
