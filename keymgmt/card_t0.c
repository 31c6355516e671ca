/* SPDX-License-Identifier: Apache-2.0 */
/*
 * T=0. A reader of TPDUs answers the card's procedure bytes itself; one of
 * characters leaves them to us (ISO 7816-3, 10.3.3).
 */
#include "keymgmt/card_protocol.h"
#include "storage/crypt/wipe.h"
#include <string.h>

#define HEADER_BYTES 5
#define PROCEDURE_NULL 0x60
/* Each stands for a part of the card's waiting time. */
#define NULLS 1000

/* A command with its data, and what is to come back. */
struct tpdu {
	const uint8_t *at;
	size_t bytes;
	size_t expected; /* at most, without status word */
};

/*
 * The TPDU of an APDU (10.3.2 and 12.2): without data and Le P3 is 0; behind data Le
 * is left out, and the card tells by 61xx what is to be fetched.
 */
static struct tpdu make_tpdu(uint8_t *block, const uint8_t *apdu, size_t bytes)
{
	struct tpdu tpdu = {.at = block, .bytes = bytes < HEADER_BYTES ? HEADER_BYTES : bytes};

	memcpy(block, apdu, bytes);
	if (bytes < HEADER_BYTES)
		block[4] = 0;
	else if (bytes == HEADER_BYTES)
		tpdu.expected = block[4] ? block[4] : 256;
	else
		tpdu.bytes = HEADER_BYTES + (size_t)block[4];
	return tpdu;
}

/* ---- character by character ---- */

struct transfer {
	struct card *card;
	const uint8_t *at;
	size_t left;	 /* of the command's data */
	uint8_t *answer;
	size_t answered, expected;
};

/* Sends, and receives exactly `wanted` characters. */
static enum card_result swap(
	struct transfer *transfer, const uint8_t *data, size_t bytes, uint8_t *received, size_t wanted)
{
	size_t got = wanted;
	enum card_result result = ccid_transfer(
		transfer->card->reader, data, bytes, 0, (uint16_t)wanted, received, &got);

	return !result && got != wanted ? CARD_BAD_ANSWER : result;
}

/* The card asks for the next `bytes` of data, or gives them; `procedure` is its next byte. */
static enum card_result move(struct transfer *transfer, size_t bytes, uint8_t *procedure)
{
	enum card_result result;

	if (transfer->left) {
		result = swap(transfer, transfer->at, bytes, procedure, 1);
		transfer->at += bytes;
		transfer->left -= bytes;
		return result;
	}
	if (!bytes)
		return CARD_BAD_ANSWER;
	result = swap(transfer, NULL, 0, transfer->answer + transfer->answered, bytes);
	transfer->answered += bytes;
	return result ? result : swap(transfer, NULL, 0, procedure, 1);
}

static enum card_result follow(struct transfer *transfer, uint8_t instruction, uint8_t procedure, uint8_t status[2])
{
	enum card_result result = CARD_OK;

	for (unsigned nulls = 0; !result && nulls < NULLS;) {
		size_t all = transfer->left ? transfer->left : transfer->expected - transfer->answered;

		if (procedure == PROCEDURE_NULL) {
			nulls++;
			result = swap(transfer, NULL, 0, &procedure, 1);
		} else if ((procedure & 0xf0) == 0x60 || (procedure & 0xf0) == 0x90) {
			status[0] = procedure;
			return swap(transfer, NULL, 0, status + 1, 1);
		} else if (procedure == instruction) {
			result = move(transfer, all, &procedure);
		} else if ((procedure ^ instruction) == 0xff) {
			result = move(transfer, all ? 1 : 0, &procedure);
		} else {
			result = CARD_BAD_ANSWER;
		}
	}
	return result ? result : CARD_BAD_ANSWER;
}

static enum card_result by_characters(
	struct card *card, const struct tpdu *tpdu, uint8_t *answer, size_t *answer_bytes)
{
	struct transfer transfer = {.card = card,
		.at = tpdu->at + HEADER_BYTES,
		.left = tpdu->bytes - HEADER_BYTES,
		.answer = answer,
		.expected = tpdu->expected};
	uint8_t procedure, status[2];
	enum card_result result = swap(&transfer, tpdu->at, HEADER_BYTES, &procedure, 1);

	if (!result)
		result = follow(&transfer, tpdu->at[1], procedure, status);
	if (result)
		return result;
	memcpy(answer + transfer.answered, status, 2);
	*answer_bytes = transfer.answered + 2;
	return CARD_OK;
}

enum card_result card_exchange_t0(struct card *card, const uint8_t *apdu, size_t bytes, uint8_t *answer,
	size_t *answer_bytes)
{
	struct tpdu tpdu = make_tpdu(card->block, apdu, bytes);
	enum card_result result;

	if (card->reader->is.level == CCID_CHARACTERS)
		result = by_characters(card, &tpdu, answer, answer_bytes);
	else
		result = ccid_transfer(card->reader, tpdu.at, tpdu.bytes, 0, 0, answer, answer_bytes);
	secret_wipe(card->block, sizeof(card->block));
	return result;
}
