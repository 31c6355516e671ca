/* SPDX-License-Identifier: Apache-2.0 */
/* A model card in a model reader, and one unlocking with it. */
#ifndef TESTS_UNIT_CARD_FIXTURE_H
#define TESTS_UNIT_CARD_FIXTURE_H

#include "keymgmt/piv.h"
#include "tests/model/smartcard.h"
#include "tests/unit/zero.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct smartcard chip;
static struct smartcard_reader reader;
static struct card card;
static struct piv_secret secret;
static uint8_t encrypted[PIV_RSA_BYTES];

/* A card whose RSA changes nothing: what is given to it is the padded message itself. */
static inline void no_rsa(const uint8_t in[PIV_RSA_BYTES], uint8_t out[PIV_RSA_BYTES])
{
	memcpy(out, in, PIV_RSA_BYTES);
}

/* 128 bytes of message, as systemd has for RSA-2048. */
static inline void begin(enum ccid_level level, unsigned protocol)
{
	smartcard_begin(&chip, protocol);
	chip.decrypt = no_rsa;
	smartcard_reader_begin(&reader, &chip, level, protocol);
	memset(encrypted, 0x5a, sizeof(encrypted));
	encrypted[0] = 0;
	encrypted[1] = 2;
	encrypted[127] = 0;
	memset(&card, 0xa5, sizeof(card));
}

/* From power to the secret. Whatever happens nothing secret stays behind and the card has no power. */
static inline enum card_result unlock(const char *pin)
{
	enum card_result result = card_open(&card, &reader.ccid);
	bool opened = result == CARD_OK, verified = false;
	unsigned tries = 0;

	memset(&secret, 0xa5, sizeof(secret));
	if (!result)
		result = piv_select(&card);
	if (!result)
		result = piv_tries(&card, &tries, &verified);
	if (!result)
		assert_true(tries == chip.tries && !verified);
	if (!result)
		result = piv_verify(&card, (const uint8_t *)pin, strlen(pin));
	if (!result) {
		result = piv_decrypt(&card, encrypted, &secret);
		if (result)
			assert_true(is_zero(&secret, sizeof(secret)));
	}
	if (opened) {
		assert_true(is_zero(card.apdu, sizeof(card.apdu)) && is_zero(card.answer, sizeof(card.answer)));
		assert_true(is_zero(card.block, sizeof(card.block)));
		card_close(&card);
	}
	assert_true(is_zero(&card, sizeof(card)) || !opened);
	assert_true(is_zero(reader.ccid.message, sizeof(reader.ccid.message)));
	assert_true(!chip.powered || result == CARD_NO_ANSWER);
	return result;
}

static inline bool secret_is_right(void)
{
	return secret.bytes == 128 && !memcmp(secret.data, encrypted + 128, 128);
}

#endif
