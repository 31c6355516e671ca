/* SPDX-License-Identifier: Apache-2.0 */
/* The PIV application with real RSA of OpenSSL's: PIN, tries, keys; and the padding, against OpenSSL's. */
#include "keymgmt/pkcs1.h"
#include "tests/unit/card_fixture.h"
#include <openssl/evp.h>
#include <openssl/rsa.h>

static EVP_PKEY *key, *other_key;

static void openssl(EVP_PKEY *with, bool encrypts, int padding, const uint8_t *in, size_t in_bytes, uint8_t *out)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(with, NULL);
	size_t bytes = PIV_RSA_BYTES;

	assert_int_equal((encrypts ? EVP_PKEY_encrypt_init : EVP_PKEY_decrypt_init)(context), 1);
	assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(context, padding), 1);
	assert_int_equal((encrypts ? EVP_PKEY_encrypt : EVP_PKEY_decrypt)(context, out, &bytes, in, in_bytes), 1);
	EVP_PKEY_CTX_free(context);
}

static void real_rsa(const uint8_t in[PIV_RSA_BYTES], uint8_t out[PIV_RSA_BYTES])
{
	openssl(key, false, RSA_NO_PADDING, in, PIV_RSA_BYTES, out);
}

static uint8_t message[PIV_RSA_BYTES];

/* A token for `owner` with that many bytes of secret. */
static void begin_real(EVP_PKEY *owner, size_t bytes)
{
	begin(CCID_TPDU, 0);
	chip.decrypt = real_rsa;
	for (size_t i = 0; i < bytes; i++)
		message[i] = (uint8_t)(17 * i + bytes);
	openssl(owner, true, RSA_PKCS1_PADDING, message, bytes, encrypted);
}

static void real_cards(void **state)
{
	static const uint8_t keys[] = {0x9d, 0x9a, 0x9e, 0x82, 0x95};
	static const size_t sizes[] = {1, 32, 128, 245};

	(void)state;
	for (unsigned k = 0; k < sizeof(keys); k++)
		for (unsigned s = 0; s < 4; s++) {
			begin_real(key, sizes[s]);
			chip.key = keys[k];
			assert_int_equal(unlock("123456"), CARD_OK);
			assert_int_equal(secret.bytes, sizes[s]);
			assert_memory_equal(secret.data, message, sizes[s]);
		}
	begin_real(key, 128);
	chip.key = 0x9c;
	assert_int_equal(unlock("123456"), CARD_WRONG_KEY);
	begin_real(other_key, 128);
	assert_int_equal(unlock("123456"), CARD_WRONG_KEY);
	assert_int_equal(chip.decryptions, 1);
}

static void pins(void **state)
{
	static const char *const never_sent[] = {"", "1", "12345", "123456789"};
	static const uint8_t right[] = {'8', '7', '6', '5', '4', '3', '2', '1'};

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		begin(CCID_TPDU, 1);
		assert_int_equal(unlock(never_sent[i]), CARD_BAD_PIN);
		assert_int_equal(chip.verifies, 0);
	}
	begin(CCID_TPDU, 1);
	chip.pin = "87654321";
	assert_int_equal(unlock("8765432"), CARD_WRONG_PIN);
	assert_int_equal(chip.tries, 2);
	assert_int_equal(unlock("87654321"), CARD_OK);
	assert_int_equal(chip.tries, 3);
	/* Not NUL-terminated. */
	assert_int_equal(card_open(&card, &reader.ccid), CARD_OK);
	assert_int_equal(piv_select(&card), CARD_OK);
	assert_int_equal(piv_verify(&card, right, sizeof(right)), CARD_OK);
	card_close(&card);
}

/* Whatever a card says to a PIN, it is sent once. */
static void odd_words_to_a_pin(void **state)
{
	static const struct {
		uint16_t says;
		enum card_result result;
	} rows[] = {{0x6c08, CARD_BAD_ANSWER}, {0x6108, CARD_WRONG_KEY}, {0x6300, CARD_REFUSED}, {0x6a80, CARD_REFUSED},
		{0x6983, CARD_BLOCKED}, {0x63c0, CARD_BLOCKED}, {0x63c7, CARD_WRONG_PIN}, {0x6282, CARD_REFUSED}};

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		begin(CCID_TPDU, 1);
		chip.says = rows[i].says;
		assert_int_equal(unlock("123456"), rows[i].result);
		assert_int_equal(chip.verifies, 1);
	}
}

static void tries_are_read_and_not_spent(void **state)
{
	unsigned tries = 99;
	bool verified = true;

	(void)state;
	begin(CCID_TPDU, 0);
	chip.tries = chip.most_tries = 15;
	assert_int_equal(card_open(&card, &reader.ccid), CARD_OK);
	assert_int_equal(piv_select(&card), CARD_OK);
	for (unsigned left = 15; left; left--) {
		for (unsigned i = 0; i < 3; i++) {
			assert_int_equal(piv_tries(&card, &tries, &verified), CARD_OK);
			assert_true(tries == left && !verified);
		}
		assert_int_equal(piv_verify(&card, (const uint8_t *)"000000", 6), left > 1 ? CARD_WRONG_PIN : CARD_BLOCKED);
	}
	assert_int_equal(chip.verifies, 15);
	assert_int_equal(piv_tries(&card, &tries, &verified), CARD_BLOCKED);
	assert_int_equal(piv_verify(&card, (const uint8_t *)"123456", 6), CARD_BLOCKED);
	card_close(&card);
}

static void verified_until_the_power_goes(void **state)
{
	unsigned tries;
	bool verified;

	(void)state;
	begin(CCID_SHORT_APDU, 1);
	assert_int_equal(card_open(&card, &reader.ccid), CARD_OK);
	assert_int_equal(piv_select(&card), CARD_OK);
	assert_int_equal(piv_verify(&card, (const uint8_t *)"123456", 6), CARD_OK);
	assert_int_equal(piv_tries(&card, &tries, &verified), CARD_OK);
	assert_true(verified);
	card_close(&card);
	assert_false(chip.verified);
	assert_int_equal(reader.power_offs, 1);
}

static void other_cards(void **state)
{
	(void)state;
	begin(CCID_TPDU, 1);
	chip.no_piv = true;
	assert_int_equal(unlock("123456"), CARD_NOT_PIV);
	begin(CCID_TPDU, 1);
	chip.refuses = 0x6f00;
	assert_int_equal(unlock("123456"), CARD_WRONG_KEY);
	assert_int_equal(chip.decryptions, 0);
	/* What comes behind a refused part is not sent: 23 keys, and three commands before them. */
	begin(CCID_SHORT_APDU, 1);
	chip.no_chaining = true;
	assert_int_equal(unlock("123456"), CARD_WRONG_KEY);
	assert_int_equal(reader.transfers, 3 + 23);
}

/* Of the answer each byte of the frame counts, and its length. */
static void templates(void **state)
{
	static const int longer[] = {-260, -256, -1, 1, 200};

	(void)state;
	for (unsigned at = 1; at <= 8; at++) {
		begin(CCID_TPDU, 1);
		chip.spoiled = at;
		assert_int_equal(unlock("123456"), CARD_BAD_ANSWER);
	}
	for (unsigned i = 0; i < sizeof(longer) / sizeof(longer[0]); i++) {
		begin(CCID_TPDU, 1);
		chip.longer = longer[i];
		assert_int_equal(unlock("123456"), CARD_BAD_ANSWER);
	}
}

/* ---- padding ---- */

static size_t unpad(const uint8_t *block, size_t bytes)
{
	uint8_t *in = malloc(bytes), out[PIV_RSA_BYTES];
	size_t length;

	memcpy(in, block, bytes);
	memset(out, 0xa5, sizeof(out));
	length = pkcs1_unpad(in, bytes, out);
	if (bytes > 10)
		assert_true(is_zero(out + length, bytes - length));
	if (length)
		assert_memory_equal(out, block + bytes - length, length);
	free(in);
	return length;
}

static void paddings(void **state)
{
	uint8_t block[PIV_RSA_BYTES];

	(void)state;
	for (size_t separator = 0; separator <= 256; separator++) {
		memset(block, 0xff, sizeof(block));
		block[0] = 0;
		block[1] = 2;
		if (separator < 256 && separator > 1)
			block[separator] = 0;
		assert_int_equal(unpad(block, 256), separator >= 10 && separator < 256 ? 255 - separator : 0);
	}
	/* The first zero counts; those behind it are the message's. */
	memset(block + 2, 0x11, 254);
	block[20] = block[30] = block[255] = 0;
	assert_int_equal(unpad(block, 256), 235);
	for (unsigned value = 0; value < 256; value++) {
		block[0] = (uint8_t)value;
		assert_int_equal(unpad(block, 256), value ? 0 : 235);
		block[0] = 0;
		block[1] = (uint8_t)value;
		assert_int_equal(unpad(block, 256), value == 2 ? 235 : 0);
		block[1] = 2;
	}
	for (size_t bytes = 0; bytes < 11; bytes++)
		assert_int_equal(unpad(block, bytes), 0);
}

static int make_keys(void **state)
{
	(void)state;
	key = EVP_RSA_gen(2048);
	other_key = EVP_RSA_gen(2048);
	return !key || !other_key;
}

static int free_keys(void **state)
{
	(void)state;
	EVP_PKEY_free(key);
	EVP_PKEY_free(other_key);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(real_cards),
		cmocka_unit_test(pins),
		cmocka_unit_test(odd_words_to_a_pin),
		cmocka_unit_test(tries_are_read_and_not_spent),
		cmocka_unit_test(verified_until_the_power_goes),
		cmocka_unit_test(other_cards),
		cmocka_unit_test(templates),
		cmocka_unit_test(paddings),
	};

	return cmocka_run_group_tests(tests, make_keys, free_keys);
}
