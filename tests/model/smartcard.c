/* SPDX-License-Identifier: Apache-2.0 */
/* The application: NIST SP 800-73-4, part 2. */
#include "tests/model/smartcard.h"
#include <stdlib.h>
#include <string.h>

static const uint8_t atr_t0[] = {0x3b, 0x65, 0x00, 0x00, 0x53, 0x4f, 0x46, 0x54, 0x31};
/* T=1 first, IFSC 32, TCK. */
static const uint8_t atr_t1[] = {0x3b, 0x82, 0x81, 0x31, 0x20, 0x43, 0x41, 0x43, 0x53};

void smartcard_begin(struct smartcard *card, unsigned protocol)
{
	*card = (struct smartcard){.inserted = true,
		.atr = protocol ? atr_t1 : atr_t0,
		.atr_bytes = protocol ? sizeof(atr_t1) : sizeof(atr_t0),
		.pin = "123456",
		.tries = 3,
		.most_tries = 3,
		.key = 0x9d,
		.step = 256,
		.direct = protocol,
		.own_block = 32,
		.reader_block = 32};
}

void smartcard_power(struct smartcard *card, bool on)
{
	card->powered = on;
	card->selected = card->verified = card->expects = card->sends = card->sending = false;
	card->chained = card->pending_bytes = card->given = card->asked = 0;
	card->apdu_bytes = card->answered = card->answer_bytes = card->last_bytes = 0;
	card->queued = card->taken = card->wanted = 0;
	card->reader_block = 32;
}

static size_t status(uint8_t *answer, size_t bytes, unsigned value)
{
	answer[bytes] = (uint8_t)(value >> 8);
	answer[bytes + 1] = (uint8_t)value;
	return bytes + 2;
}

/* How many bytes it will give next, as a status word. */
static size_t announce(const struct smartcard *card, uint8_t *answer, size_t bytes)
{
	size_t left = card->pending_bytes - card->given, next = left < card->step ? left : card->step;

	return status(answer, bytes, 0x6100 | (uint8_t)(card->generous ? next - 1 : next));
}

/* What is pending, as far as it fits. */
static size_t give(struct smartcard *card, unsigned le, uint8_t *answer)
{
	size_t left = card->pending_bytes - card->given;
	size_t bytes = left < card->step ? left : card->step;

	if (card->never_exact)
		return status(answer, 0, 0x6c00 | (uint8_t)(le + 1));
	if (card->stalls)
		return announce(card, answer, 0);
	if (card->exact && le != bytes)
		return status(answer, 0, 0x6c00 | (uint8_t)bytes);
	if (bytes > le && !card->generous)
		bytes = le;
	memcpy(answer, card->pending + card->given, bytes);
	card->given += bytes;
	return card->given < card->pending_bytes ? announce(card, answer, bytes) : status(answer, bytes, 0x9000);
}

static size_t begin_answer(struct smartcard *card, unsigned le, uint8_t *answer)
{
	card->given = 0;
	if (card->direct && le)
		return give(card, le, answer);
	return announce(card, answer, 0);
}

static size_t select_application(struct smartcard *card, const uint8_t *data, size_t bytes, unsigned le, uint8_t *answer)
{
	static const uint8_t name[] = {0xa0, 0, 0, 3, 8}, properties[] = {0x61, 4, 0x4f, 2, 0x10, 0};

	card->selected = !card->no_piv && bytes >= sizeof(name) && !memcmp(data, name, sizeof(name));
	if (!card->selected)
		return status(answer, 0, 0x6a82);
	memcpy(card->pending, properties, sizeof(properties));
	card->pending_bytes = sizeof(properties);
	return begin_answer(card, le, answer);
}

static size_t verify(struct smartcard *card, const uint8_t *data, size_t bytes, uint8_t *answer)
{
	uint8_t pin[8];

	if (bytes && bytes != sizeof(pin))
		return status(answer, 0, 0x6700);
	if (!bytes && card->verified)
		return status(answer, 0, 0x9000);
	if (bytes)
		card->verifies++;
	if (bytes && card->says)
		return status(answer, 0, card->says);
	if (!card->tries)
		return status(answer, 0, 0x6983);
	if (!bytes)
		return status(answer, 0, 0x63c0 | card->tries);
	memset(pin, 0xff, sizeof(pin));
	memcpy(pin, card->pin, strlen(card->pin));
	card->verified = !memcmp(pin, data, sizeof(pin));
	card->tries = card->verified ? card->most_tries : card->tries - 1;
	return status(answer, 0, card->verified ? 0x9000 : 0x63c0 | card->tries);
}

static size_t authenticate(struct smartcard *card, uint8_t key, unsigned le, uint8_t *answer)
{
	static const uint8_t asked[] = {0x7c, 0x82, 1, 6, 0x82, 0, 0x81, 0x82, 1, 0},
			     told[] = {0x7c, 0x82, 1, 4, 0x82, 0x82, 1, 0};
	size_t chained = card->chained;

	card->chained = 0;
	if (card->refuses)
		return status(answer, 0, card->refuses);
	if (!card->verified)
		return status(answer, 0, 0x6982);
	if (key != card->key)
		return status(answer, 0, 0x6a88);
	if (chained != sizeof(asked) + SMARTCARD_RSA_BYTES || memcmp(card->chain, asked, sizeof(asked)))
		return status(answer, 0, 0x6a80);
	card->decryptions++;
	memcpy(card->pending, told, sizeof(told));
	card->decrypt(card->chain + sizeof(asked), card->pending + sizeof(told));
	card->pending_bytes = sizeof(told) + SMARTCARD_RSA_BYTES + (size_t)card->longer;
	if (card->spoiled)
		card->pending[card->spoiled - 1] ^= 1;
	return begin_answer(card, le, answer);
}

static size_t chain(
	struct smartcard *card, const uint8_t *apdu, const uint8_t *data, size_t bytes, unsigned le, uint8_t *answer)
{
	if (apdu[0] & 0x10 && card->no_chaining)
		return status(answer, 0, 0x6884);
	if (bytes > sizeof(card->chain) - card->chained)
		return status(answer, 0, 0x6700);
	memcpy(card->chain + card->chained, data, bytes);
	card->chained += bytes;
	return apdu[0] & 0x10 ? status(answer, 0, 0x9000) : authenticate(card, apdu[3], le, answer);
}

size_t smartcard_apdu(struct smartcard *card, const uint8_t *apdu, size_t bytes, uint8_t *answer)
{
	size_t data = bytes > 5 ? apdu[4] : 0;
	unsigned le = bytes == 5 || bytes == data + 6 ? (apdu[bytes - 1] ? apdu[bytes - 1] : 256) : 0;

	if (bytes < 4 || (bytes > 5 && bytes != data + 5 && bytes != data + 6))
		abort(); /* no APDU at all */
	if (apdu[1] == 0xc0)
		return give(card, le, answer);
	card->given = card->pending_bytes = 0;
	if (apdu[1] == 0xa4)
		return select_application(card, apdu + 5, data, le, answer);
	if (!card->selected)
		return status(answer, 0, 0x6d00);
	if (apdu[1] == 0x20 && apdu[3] == 0x80)
		return verify(card, apdu + 5, data, answer);
	if (apdu[1] == 0x87 && apdu[2] == 0x07)
		return chain(card, apdu, apdu + 5, data, le, answer);
	return status(answer, 0, 0x6d00);
}
