/* SPDX-License-Identifier: Apache-2.0 */
#include "keymgmt/piv.h"
#include "keymgmt/pkcs1.h"
#include "storage/crypt/wipe.h"
#include <string.h>

enum { SELECT = 0xa4, VERIFY = 0x20, GENERAL_AUTHENTICATE = 0x87 }; /* 3.1.1, 3.2.1, 3.2.4 */
enum { PIN_OF_APPLICATION = 0x80, PIN_BYTES = 8, PIN_LEAST = 6 };
enum { RSA_2048 = 0x07 }; /* SP 800-78-4, table 6-2 */

/* What VERIFY says. */
enum { STATUS_BLOCKED = 0x6983, STATUS_TRIES = 0x63c0 };

/* Tags of the dynamic authentication template (3.2.4, table 7). */
enum { TEMPLATE = 0x7c, CHALLENGE = 0x81, RESPONSE = 0x82 };

enum card_result piv_select(struct card *card)
{
	/* The application's identifier without its version (2.2). */
	static const uint8_t application[] = {0xa0, 0, 0, 3, 8};
	const struct card_command command = {
		.ins = SELECT, .p1 = 4, .data = application, .bytes = sizeof(application), .answers = true};
	uint8_t properties[256]; /* which mean nothing here */
	size_t bytes = sizeof(properties);
	enum card_result result = card_run(card, &command, properties, &bytes);

	return result == CARD_REFUSED ? CARD_NOT_PIV : result;
}

static enum card_result meaning(const struct card *card)
{
	if (card->status == STATUS_BLOCKED || card->status == STATUS_TRIES)
		return CARD_BLOCKED;
	return card->status >> 4 == STATUS_TRIES >> 4 ? CARD_WRONG_PIN : CARD_REFUSED;
}

enum card_result piv_tries(struct card *card, unsigned *tries, bool *verified)
{
	const struct card_command command = {.ins = VERIFY, .p2 = PIN_OF_APPLICATION};
	enum card_result result = card_run(card, &command, NULL, NULL);

	*verified = result == CARD_OK;
	*tries = card->status & 0xf;
	if (result == CARD_REFUSED)
		result = meaning(card);
	return result == CARD_WRONG_PIN ? CARD_OK : result;
}

enum card_result piv_verify(struct card *card, const uint8_t *pin, size_t bytes)
{
	uint8_t padded[PIN_BYTES];
	const struct card_command command = {
		.ins = VERIFY, .p2 = PIN_OF_APPLICATION, .data = padded, .bytes = sizeof(padded)};
	enum card_result result;

	if (bytes < PIN_LEAST || bytes > PIN_BYTES)
		return CARD_BAD_PIN;
	memset(padded, 0xff, sizeof(padded));
	memcpy(padded, pin, bytes);
	result = card_run(card, &command, NULL, NULL);
	secret_wipe(padded, sizeof(padded));
	return result == CARD_REFUSED ? meaning(card) : result;
}

/* The raw private key operation. */
static enum card_result use_key(
	struct card *card, uint8_t key, const uint8_t in[PIV_RSA_BYTES], uint8_t out[PIV_RSA_BYTES])
{
	static const uint8_t asked[] = {TEMPLATE, 0x82, 1, 6, RESPONSE, 0, CHALLENGE, 0x82, 1, 0};
	static const uint8_t told[] = {TEMPLATE, 0x82, 1, 4, RESPONSE, 0x82, 1, 0};
	uint8_t request[sizeof(asked) + PIV_RSA_BYTES], answer[sizeof(told) + PIV_RSA_BYTES];
	const struct card_command command = {.ins = GENERAL_AUTHENTICATE,
		.p1 = RSA_2048,
		.p2 = key,
		.data = request,
		.bytes = sizeof(request),
		.answers = true};
	size_t bytes = sizeof(answer);
	enum card_result result;

	memcpy(request, asked, sizeof(asked));
	memcpy(request + sizeof(asked), in, PIV_RSA_BYTES);
	result = card_run(card, &command, answer, &bytes);
	if (!result && (bytes != sizeof(answer) || memcmp(answer, told, sizeof(told))))
		result = CARD_BAD_ANSWER;
	if (!result)
		memcpy(out, answer + sizeof(told), PIV_RSA_BYTES);
	secret_wipe(answer, sizeof(answer));
	return result;
}

/* A key that is not there, of another kind or not allowed is refused by cards in many words. */
static enum card_result try_key(
	struct card *card, uint8_t key, const uint8_t encrypted[PIV_RSA_BYTES], struct piv_secret *secret)
{
	uint8_t block[PIV_RSA_BYTES];
	enum card_result result = use_key(card, key, encrypted, block);

	if (!result)
		secret->bytes = pkcs1_unpad(block, sizeof(block), secret->data);
	secret_wipe(block, sizeof(block));
	if (result)
		return result == CARD_REFUSED ? CARD_WRONG_KEY : result;
	return secret->bytes ? CARD_OK : CARD_WRONG_KEY;
}

enum card_result piv_decrypt(
	struct card *card, const uint8_t encrypted[PIV_RSA_BYTES], struct piv_secret *secret)
{
	/* Key references (part 1, table 4b). */
	static const uint8_t keys[] = {0x9d, 0x9a, 0x9e, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8b,
		0x8c, 0x8d, 0x8e, 0x8f, 0x90, 0x91, 0x92, 0x93, 0x94, 0x95};
	enum card_result result = CARD_WRONG_KEY;

	memset(secret, 0, sizeof(*secret));
	for (unsigned i = 0; i < sizeof(keys) && result == CARD_WRONG_KEY; i++)
		result = try_key(card, keys[i], encrypted, secret);
	return result;
}
