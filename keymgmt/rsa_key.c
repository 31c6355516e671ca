/* SPDX-License-Identifier: Apache-2.0 */
#include "keymgmt/rsa_key.h"
#include "keymgmt/base64.h"
#include "keymgmt/tpm2_wire.h"
#include "storage/crypt/hash.h"
#include <string.h>

enum { DER_INTEGER = 0x02, DER_BIT_STRING = 0x03, DER_SEQUENCE = 0x30 };

/* One element of that tag (X.690, 8.1 and 10.1); false when it is another one, or incomplete. */
static bool get(struct tpm2_reader *der, uint8_t tag, struct tpm2_reader *contents)
{
	bool right = tpm2_get8(der) == tag;
	size_t bytes = tpm2_get8(der);

	if (bytes == 0x81)
		bytes = tpm2_get8(der);
	else if (bytes == 0x82)
		bytes = tpm2_get16(der);
	else if (bytes > 0x7f)
		return false;
	*contents = tpm2_get(der, bytes);
	return right && !contents->short_of;
}

/* A positive number without the zero in front that keeps it so. */
static bool get_number(struct tpm2_reader *der, struct tpm2_reader *number)
{
	if (!get(der, DER_INTEGER, number) || !number->left || *number->at & 0x80)
		return false;
	if (!*number->at)
		tpm2_get8(number);
	return number->left != 0;
}

/* RSAPublicKey */
static bool read_numbers(struct rsa_key *key, struct tpm2_reader der)
{
	struct tpm2_reader sequence, modulus, exponent;

	if (!get(&der, DER_SEQUENCE, &sequence) || !tpm2_at_end(&der) || !get_number(&sequence, &modulus) ||
		!get_number(&sequence, &exponent) || !tpm2_at_end(&sequence))
		return false;
	if ((modulus.left != 256 && modulus.left != 384 && modulus.left != 512) || exponent.left > 4)
		return false;
	key->bytes = modulus.left;
	memcpy(key->modulus, modulus.at, modulus.left);
	key->exponent = 0;
	while (exponent.left)
		key->exponent = key->exponent << 8 | tpm2_get8(&exponent);
	return true;
}

/* SubjectPublicKeyInfo with rsaEncryption */
static bool read_der(struct rsa_key *key, struct tpm2_reader der)
{
	static const uint8_t rsa[] = {0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00};
	struct tpm2_reader info, algorithm, bits;
	struct hash hash;

	if (!get(&der, DER_SEQUENCE, &info) || !tpm2_at_end(&der) || !get(&info, DER_SEQUENCE, &algorithm) ||
		algorithm.left != sizeof(rsa) || memcmp(algorithm.at, rsa, sizeof(rsa)))
		return false;
	if (!get(&info, DER_BIT_STRING, &bits) || !tpm2_at_end(&info) || tpm2_get8(&bits))
		return false;
	hash_init(&hash, HASH_SHA256);
	hash_update(&hash, bits.at, bits.left);
	hash_final(&hash, key->fingerprint);
	return read_numbers(key, bits);
}

/* The lines between, without their ends. */
static size_t strip(const char *pem, size_t bytes, char *text)
{
	static const char begin[] = "-----BEGIN PUBLIC KEY-----\n";
	size_t count = 0;

	if (bytes < sizeof(begin) - 1 || memcmp(pem, begin, sizeof(begin) - 1))
		return 0;
	for (size_t i = sizeof(begin) - 1; i < bytes && pem[i] != '-'; i++)
		if (pem[i] != '\n' && pem[i] != '\r')
			text[count++] = pem[i];
	return count;
}

bool rsa_key_read(struct rsa_key *key, const char *pem, size_t bytes)
{
	char text[RSA_KEY_PEM_BYTES];
	uint8_t der[RSA_KEY_PEM_BYTES];
	size_t count;

	if (bytes > sizeof(text) || !base64_decode(text, strip(pem, bytes, text), der, sizeof(der), &count))
		return false;
	return read_der(key, (struct tpm2_reader){.at = der, .left = count});
}
