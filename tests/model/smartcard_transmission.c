/* SPDX-License-Identifier: Apache-2.0 */
/* The card's side of T=1 and T=0: ISO 7816-3, 11 and 10.3. */
#include "tests/model/smartcard.h"
#include <string.h>

/* ---- T=1 ---- */

static size_t block(struct smartcard *card, uint8_t control, const uint8_t *data, size_t bytes, uint8_t *out)
{
	uint8_t sum = 0;

	card->last[0] = 0;
	card->last[1] = control;
	card->last[2] = (uint8_t)bytes;
	memmove(card->last + 3, data, bytes);
	for (size_t i = 0; i < bytes + 3; i++)
		sum ^= card->last[i];
	card->last[bytes + 3] = sum;
	card->last_bytes = bytes + 4;
	memcpy(out, card->last, card->last_bytes);
	return card->last_bytes;
}

static size_t again(const struct smartcard *card, uint8_t *out)
{
	memcpy(out, card->last, card->last_bytes);
	return card->last_bytes;
}

static size_t r_block(struct smartcard *card, uint8_t fault, uint8_t *out)
{
	return block(card, 0x80 | (card->expects ? 0x10 : 0) | fault, card->last, 0, out);
}

static size_t next_part(struct smartcard *card, uint8_t *out)
{
	size_t left = card->answer_bytes - card->answered;
	size_t bytes = card->empty_blocks ? 0 : left < card->reader_block ? left : card->reader_block;
	uint8_t control = (card->sends ? 0x40 : 0) | (bytes < left ? 0x20 : 0);

	card->sending = true;
	card->last_has_more = bytes < left;
	card->answered += bytes;
	return block(card, control, card->answer + card->answered - bytes, bytes, out);
}

/* Its requests first, each answered before the next. */
static size_t begin_sending(struct smartcard *card, uint8_t *out)
{
	static const uint8_t longer[] = {8}, size[] = {48};

	if (card->asks_ifs) {
		card->asks_ifs = false;
		card->own_block = size[0];
		return block(card, 0xc1, size, 1, out);
	}
	if (card->asked++ < card->extensions)
		return block(card, 0xc3, longer, 1, out);
	return next_part(card, out);
}

static size_t i_block(struct smartcard *card, const uint8_t *in, uint8_t *out)
{
	if (!(in[1] & 0x40) != !card->expects || in[2] > card->own_block)
		return r_block(card, 2, out);
	if (card->sending) {
		card->sending = false;
		card->sends = !card->sends;
		card->apdu_bytes = 0;
	}
	memcpy(card->apdu + card->apdu_bytes, in + 3, in[2]);
	card->apdu_bytes += in[2];
	card->expects = !card->expects;
	if (in[1] & 0x20)
		return r_block(card, 0, out);
	card->answer_bytes = smartcard_apdu(card, card->apdu, card->apdu_bytes, card->answer);
	card->answered = card->asked = 0;
	card->apdu_bytes = 0;
	return begin_sending(card, out);
}

static size_t asked_by_r(struct smartcard *card, uint8_t control, uint8_t *out)
{
	bool same = !(control & 0x10) == !card->sends;

	if (card->sending && !same && card->last_has_more) {
		card->sends = !card->sends;
		return next_part(card, out);
	}
	/* Its last block, when that is still to be answered; else what it has not had. */
	if ((card->sending && same) || (card->last_bytes && (card->last[1] & 0xe0) == 0xc0))
		return again(card, out);
	return r_block(card, 0, out);
}

size_t smartcard_block(struct smartcard *card, const uint8_t *in, size_t bytes, uint8_t *out)
{
	uint8_t sum = 0;

	for (size_t i = 0; i < bytes; i++)
		sum ^= in[i];
	if (bytes < 4 || in[0] || (size_t)in[2] + 4 != bytes || sum)
		return r_block(card, 1, out);
	if (!(in[1] & 0x80))
		return i_block(card, in, out);
	if (!(in[1] & 0x40))
		return asked_by_r(card, in[1], out);
	if (in[1] == 0xc1) {
		card->reader_block = in[3];
		return block(card, 0xe1, in + 3, 1, out);
	}
	return (in[1] == 0xe3 || in[1] == 0xe1) && bytes == 5 ? begin_sending(card, out) : r_block(card, 2, out);
}

/* ---- T=0 ---- */

static void say(struct smartcard *card, uint8_t byte)
{
	card->queue[card->queued++] = byte;
}

static void procedure(struct smartcard *card, uint8_t byte)
{
	for (unsigned i = 0; i < card->nulls; i++)
		say(card, 0x60);
	say(card, byte);
}

static void acknowledge(struct smartcard *card)
{
	procedure(card, card->byte_by_byte ? (uint8_t)~card->apdu[1] : card->apdu[1]);
}

static void run(struct smartcard *card)
{
	uint8_t answer[SMARTCARD_BYTES];
	size_t bytes;

	/* P3 of 0 stands for no data as well: an instruction that gives none ignores it. */
	bytes = smartcard_apdu(card, card->apdu, card->apdu_bytes, answer) - 2;
	for (size_t i = 0; i < bytes; i++) {
		if (!i || card->byte_by_byte)
			acknowledge(card);
		say(card, answer[i]);
	}
	procedure(card, answer[bytes]);
	say(card, answer[bytes + 1]);
	card->apdu_bytes = 0;
}

static void hear(struct smartcard *card, const uint8_t *data, size_t bytes)
{
	memcpy(card->apdu + card->apdu_bytes, data, bytes);
	card->apdu_bytes += bytes;
	if (card->apdu_bytes == 5)
		card->wanted = 5 + (card->apdu[1] == 0xc0 ? 0 : card->apdu[4]);
	if (card->apdu_bytes == card->wanted)
		run(card);
	else if (card->apdu_bytes == 5 || card->byte_by_byte)
		acknowledge(card);
}

bool smartcard_characters(
	struct smartcard *card, const uint8_t *data, size_t bytes, uint8_t *answer, size_t wanted)
{
	if (card->taken == card->queued)
		card->taken = card->queued = 0;
	if (bytes)
		hear(card, data, bytes);
	if (wanted > card->queued - card->taken)
		return false;
	memcpy(answer, card->queue + card->taken, wanted);
	card->taken += wanted;
	return true;
}
