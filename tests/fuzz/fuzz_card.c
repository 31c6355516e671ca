/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any reader with any card. The input begins with a byte: bits 0 and 1 are the
 * reader's level, bit 2 has the header of every message made right, bit 3 the frame of every
 * block of T=1, so that the fuzzer gets behind them; bit 4 makes all of it a
 * configuration descriptor instead. Then one message after the other: two bytes of
 * length, the bytes. No secret may stay behind.
 */
#include "keymgmt/piv.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

struct messages {
	const uint8_t *at;
	size_t left;
	bool headers, blocks;
	uint8_t sent[7]; /* of the last header */
	unsigned count;
};

static int send(void *context, const uint8_t *message, size_t bytes)
{
	struct messages *messages = context;

	if (bytes < CCID_HEADER_BYTES || bytes > CCID_MESSAGE_BYTES || messages->count++ > 100000 ||
		(message[1] | (size_t)message[2] << 8) != bytes - CCID_HEADER_BYTES)
		abort();
	memcpy(messages->sent, message, sizeof(messages->sent));
	return 0;
}

/* NAD, length and check byte. */
static void frame(uint8_t *block, size_t bytes)
{
	uint8_t sum = 0;

	if (bytes < 4)
		return;
	block[0] = 0;
	block[2] = (uint8_t)(bytes - 4);
	for (size_t i = 0; i + 1 < bytes; i++)
		sum ^= block[i];
	block[bytes - 1] = sum;
}

static void make_header(const struct messages *messages, uint8_t *message, size_t bytes)
{
	uint8_t type = messages->sent[0];

	if (bytes < CCID_HEADER_BYTES)
		return;
	message[0] = type == 0x62 || type == 0x6f ? 0x80 : type == 0x61 || type == 0x6c ? 0x82 : 0x81;
	message[1] = (uint8_t)(bytes - CCID_HEADER_BYTES);
	message[2] = (uint8_t)((bytes - CCID_HEADER_BYTES) >> 8);
	message[3] = message[4] = 0;
	message[5] = messages->sent[5];
	message[6] = messages->sent[6];
	message[7] = 0;
	if (messages->blocks && type == 0x6f)
		frame(message + CCID_HEADER_BYTES, bytes - CCID_HEADER_BYTES);
}

static int receive(void *context, uint8_t *message, size_t *room)
{
	struct messages *messages = context;
	size_t bytes;

	if (messages->left < 2)
		return -1;
	bytes = (size_t)messages->at[0] << 8 | messages->at[1];
	messages->at += 2;
	messages->left -= 2;
	if (bytes > messages->left)
		bytes = messages->left;
	if (bytes > *room)
		bytes = *room;
	memcpy(message, messages->at, bytes);
	messages->at += bytes;
	messages->left -= bytes;
	if (messages->headers)
		make_header(messages, message, bytes);
	*room = bytes;
	return 0;
}

static void check_zero(const void *memory, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		if (((const uint8_t *)memory)[i])
			abort();
}

static void use(struct card *card)
{
	static const uint8_t encrypted[PIV_RSA_BYTES] = {1, 2, 3};
	struct piv_secret secret;
	enum card_result result;
	unsigned tries;
	bool verified;

	result = piv_select(card);
	if (!result)
		result = piv_tries(card, &tries, &verified);
	if (!result)
		result = piv_verify(card, (const uint8_t *)"123456", 6);
	if (!result) {
		result = piv_decrypt(card, encrypted, &secret);
		if (result)
			check_zero(&secret, sizeof(secret));
		else if (!secret.bytes || secret.bytes > PIV_RSA_BYTES - 11)
			abort();
	}
	check_zero(card->apdu, sizeof(card->apdu));
	check_zero(card->answer, sizeof(card->answer));
	check_zero(card->block, sizeof(card->block));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct messages messages = {.at = data + 1, .left = bytes - 1};
	struct ccid ccid = {.send = send, .receive = receive, .context = &messages};
	struct card card;

	if (!bytes)
		return 0;
	if (data[0] & 0x10) {
		ccid_describe(data + 1, bytes - 1, 0, &ccid.is);
		return 0;
	}
	messages.headers = data[0] & 4;
	messages.blocks = data[0] & 8;
	ccid.is = (struct ccid_description){
		.voltages = 7, .protocols = 3, .level = data[0] & 3, .max_message = CCID_MESSAGE_BYTES};
	if (!card_open(&card, &ccid)) {
		use(&card);
		card_close(&card);
		check_zero(&card, sizeof(card));
	}
	check_zero(ccid.message, sizeof(ccid.message));
	return 0;
}
