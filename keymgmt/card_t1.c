/* SPDX-License-Identifier: Apache-2.0 */
/*
 * T=1: blocks with a check byte, resent when one is lost (ISO 7816-3, 11). An I-block
 * goes out a second time only when the card says that it has not had it: no PIN
 * is ever tried twice. When nothing helps the exchange ends; it is not resynchronised.
 */
#include "keymgmt/card_protocol.h"
#include "storage/crypt/wipe.h"
#include <string.h>

/* Protocol control bytes (11.3.2.2). */
enum {
	I_SEQUENCE = 0x40,
	I_MORE = 0x20,
	R_BLOCK = 0x80,
	R_SEQUENCE = 0x10,
	S_BLOCK = 0xc0,
	S_RESPONSE = 0x20,
	S_IFS = 0x01,
	S_WTX = 0x03,
};

enum { PROLOGUE_BYTES = 3, CHECK_BYTES = 1, MAX_INFORMATION = 254 };

enum fault { FAULT_NONE, FAULT_CHECK, FAULT_OTHER }; /* the lower two in an R-block as they stand */

#define REPEATS 3
/* Waiting time extensions and the like, in one step. */
#define ROUNDS 200

struct block {
	uint8_t control;
	const uint8_t *information;
	size_t bytes;
	enum fault fault;
};

static bool is_i(uint8_t control)
{
	return !(control & 0x80);
}

static bool is_r(uint8_t control)
{
	return (control & 0xc0) == R_BLOCK;
}

static bool is_s(uint8_t control)
{
	return (control & 0xc0) == S_BLOCK;
}

/* ---- one block there and one back ---- */

static uint8_t sum(const uint8_t *at, size_t bytes)
{
	uint8_t value = 0;

	for (size_t i = 0; i < bytes; i++)
		value ^= at[i];
	return value;
}

static size_t put_block(uint8_t *at, const struct block *block)
{
	at[0] = 0; /* NAD */
	at[1] = block->control;
	at[2] = (uint8_t)block->bytes;
	if (block->bytes)
		memcpy(at + PROLOGUE_BYTES, block->information, block->bytes);
	at[PROLOGUE_BYTES + block->bytes] = sum(at, PROLOGUE_BYTES + block->bytes);
	return PROLOGUE_BYTES + block->bytes + CHECK_BYTES;
}

/* A reader of characters has to be told how many will come: first the prologue's, then the rest. */
static enum card_result transfer(struct card *card, size_t bytes, uint8_t wait, size_t *received)
{
	struct ccid *reader = card->reader;
	bool characters = reader->is.level == CCID_CHARACTERS;
	enum card_result result;
	size_t rest;

	*received = sizeof(card->block);
	result = ccid_transfer(reader, card->block, bytes, wait, characters ? PROLOGUE_BYTES : 0, card->block, received);
	if (result || !characters || *received != PROLOGUE_BYTES)
		return result;
	rest = card->block[2] + (size_t)CHECK_BYTES;
	result = ccid_transfer(reader, NULL, 0, 0, (uint16_t)rest, card->block + PROLOGUE_BYTES, &rest);
	*received += rest;
	return result;
}

/* What is wrong with the block that came is told in it; CARD_OK all the same. Its information stands in card->block. */
static enum card_result swap(struct card *card, const struct block *out, uint8_t wait, struct block *in)
{
	const uint8_t *at = card->block;
	size_t received;
	enum card_result result = transfer(card, put_block(card->block, out), wait, &received);

	*in = (struct block){.fault = FAULT_OTHER};
	if (result == CARD_READER_FAILED && ccid_is_noise(card->reader)) {
		in->fault = FAULT_CHECK;
		return CARD_OK;
	}
	if (result)
		return result;
	if (received < PROLOGUE_BYTES + CHECK_BYTES || at[2] > MAX_INFORMATION ||
		received != PROLOGUE_BYTES + at[2] + (size_t)CHECK_BYTES)
		return CARD_OK;
	if (sum(at, received)) {
		in->fault = FAULT_CHECK;
		return CARD_OK;
	}
	if (!at[0])
		*in = (struct block){.control = at[1], .information = at + PROLOGUE_BYTES, .bytes = at[2]};
	return CARD_OK;
}

/* ---- a step: what we have to say until the card has said what follows from it ---- */

/* Whether `in` is what the protocol has after `out`. */
static bool follows(const struct card *card, const struct block *out, const struct block *in)
{
	if (is_s(out->control))
		return in->control == (out->control | S_RESPONSE) && in->bytes == out->bytes &&
		       !memcmp(in->information, out->information, in->bytes);
	if (is_i(out->control) && out->control & I_MORE) /* acknowledged */
		return is_r(in->control) && !in->bytes &&
		       !(in->control & R_SEQUENCE) == !!(out->control & I_SEQUENCE);
	return is_i(in->control) && !(in->control & I_SEQUENCE) == !card->receive_sequence;
}

/* Requests of the card's have their own contents for an answer. False for what is no request, or no good one. */
static bool grants(struct card *card, const struct block *in, uint8_t *value, struct block *answer)
{
	if ((in->control != (S_BLOCK | S_IFS) && in->control != (S_BLOCK | S_WTX)) || in->bytes != 1)
		return false;
	*value = in->information[0];
	if (in->control == (S_BLOCK | S_IFS)) {
		if (!*value || *value > MAX_INFORMATION)
			return false;
		card->card_block = *value;
	}
	*answer = (struct block){.control = in->control | S_RESPONSE, .information = value, .bytes = 1};
	return true;
}

/* Whether the card has not had `out` and asks for it. */
static bool asks_again(const struct block *out, const struct block *in)
{
	if (!is_r(in->control) || in->bytes)
		return false;
	return !is_i(out->control) || !(in->control & R_SEQUENCE) == !(out->control & I_SEQUENCE);
}

static enum card_result step(struct card *card, const struct block *out, struct block *in)
{
	struct block next = *out;
	unsigned repeats = 0;
	uint8_t value = 0;

	for (unsigned round = 0; round < ROUNDS && repeats < REPEATS; round++) {
		uint8_t wait = next.control == (S_BLOCK | S_WTX | S_RESPONSE) ? value : 0;
		enum card_result result = swap(card, &next, wait, in);

		if (result)
			return result;
		if (!in->fault && follows(card, out, in))
			return CARD_OK;
		if (!in->fault && grants(card, in, &value, &next))
			continue;
		repeats++;
		if (!in->fault && asks_again(out, in))
			next = *out;
		else if (!in->fault && is_r(in->control) && is_s(next.control))
			continue; /* our answer to its request is what was lost */
		else
			next = (struct block){.control = (uint8_t)(R_BLOCK | (card->receive_sequence ? R_SEQUENCE : 0) |
							 (in->fault ? in->fault : FAULT_OTHER))};
	}
	return CARD_BAD_ANSWER;
}

/* ---- an APDU ---- */

/* In as many blocks as the card's size makes necessary; `in` is the first of the answer. */
static enum card_result say(struct card *card, const uint8_t *apdu, size_t bytes, struct block *in)
{
	enum card_result result;
	size_t at = 0;

	do {
		size_t part = bytes - at < card->card_block ? bytes - at : card->card_block;
		bool more = at + part < bytes;
		struct block out = {.control = (uint8_t)((card->send_sequence ? I_SEQUENCE : 0) | (more ? I_MORE : 0)),
			.information = apdu + at,
			.bytes = part};

		result = step(card, &out, in);
		card->send_sequence ^= 1;
		at += part;
	} while (!result && at < bytes);
	return result;
}

static enum card_result hear(struct card *card, struct block *in, uint8_t *answer, size_t room, size_t *bytes)
{
	enum card_result result = CARD_OK;

	for (*bytes = 0;;) {
		struct block acknowledge = {.control = R_BLOCK};

		if (in->bytes > room - *bytes)
			return CARD_BAD_ANSWER;
		if (in->bytes)
			memcpy(answer + *bytes, in->information, in->bytes);
		*bytes += in->bytes;
		card->receive_sequence ^= 1;
		if (!(in->control & I_MORE))
			return CARD_OK;
		if (!in->bytes) /* or it would never end */
			return CARD_BAD_ANSWER;
		acknowledge.control |= card->receive_sequence ? R_SEQUENCE : 0;
		result = step(card, &acknowledge, in);
		if (result)
			return result;
	}
}

enum card_result card_exchange_t1(struct card *card, const uint8_t *apdu, size_t bytes, uint8_t *answer,
	size_t *answer_bytes)
{
	struct block in;
	enum card_result result = say(card, apdu, bytes, &in);

	if (!result)
		result = hear(card, &in, answer, *answer_bytes, answer_bytes);
	secret_wipe(card->block, sizeof(card->block));
	return result;
}

enum card_result card_set_block_t1(struct card *card)
{
	static const uint8_t size = MAX_INFORMATION;
	const struct block out = {.control = S_BLOCK | S_IFS, .information = &size, .bytes = 1};
	struct block in;

	return step(card, &out, &in);
}
