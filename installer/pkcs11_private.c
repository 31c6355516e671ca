/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A token's private key in libcrypto's clothes. Its methods are those of OpenSSL 1.1,
 * which version 3 calls deprecated: they are the only way to a key that is elsewhere
 * without a provider of our own.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "installer/pkcs11_internal.h"
#include "storage/crypt/wipe.h"
#include "storage/port.h"
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>

#define MOST_POINT  140 /* bytes of an uncompressed point, and of a shared secret */
#define MOST_SECRET 72

/* Where a key is; hangs on its RSA or EC_KEY. */
struct place {
	struct pkcs11 *token;
	CK_OBJECT_HANDLE object;
};

static void forget_place(void *parent, void *place, CRYPTO_EX_DATA *data, int index, long number, void *pointer)
{
	(void)parent;
	(void)data;
	(void)index;
	(void)number;
	(void)pointer;
	free(place);
}

/* One index for each kind of key, for the life of the process. */
static int rsa_index(void)
{
	static int index = -1;

	if (index < 0)
		index = RSA_get_ex_new_index(0, NULL, NULL, NULL, forget_place);
	return index;
}

static int curve_index(void)
{
	static int index = -1;

	if (index < 0)
		index = EC_KEY_get_ex_new_index(0, NULL, NULL, NULL, forget_place);
	return index;
}

static int decrypt(int bytes, const unsigned char *from, unsigned char *to, RSA *rsa, int padding)
{
	const struct place *place = RSA_get_ex_data(rsa, rsa_index());
	CK_MECHANISM mechanism = {padding == RSA_NO_PADDING ? CKM_RSA_X_509 : CKM_RSA_PKCS, NULL, 0};
	CK_ULONG got = RSA_size(rsa);
	CK_RV result;

	if (padding != RSA_NO_PADDING && padding != RSA_PKCS1_PADDING)
		return -1;
	result = place->token->module->C_DecryptInit(place->token->session, &mechanism, place->object);
	if (result == CKR_OK)
		result = place->token->module->C_Decrypt(
			place->token->session, (unsigned char *)from, bytes, to, &got);
	if (result == CKR_OK)
		return (int)got;
	log_error("the token does not decrypt: %s", p11_kit_strerror(result));
	return -1;
}

/* Derives a secret object and reads its value. Returns 1, or 0: libcrypto's way. */
static int agree_on(const struct place *place, uint8_t *point, size_t point_bytes, uint8_t *secret, size_t bytes)
{
	CK_FUNCTION_LIST *module = place->token->module;
	CK_ECDH1_DERIVE_PARAMS parameters = {
		.kdf = CKD_NULL, .ulPublicDataLen = point_bytes, .pPublicData = point};
	CK_MECHANISM mechanism = {CKM_ECDH1_DERIVE, &parameters, sizeof parameters};
	CK_OBJECT_CLASS class = CKO_SECRET_KEY;
	CK_KEY_TYPE type = CKK_GENERIC_SECRET;
	CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
	CK_ULONG length = bytes;
	CK_ATTRIBUTE template[] = {
		{CKA_CLASS,       &class,  sizeof class },
		{CKA_KEY_TYPE,    &type,	 sizeof type	},
		{CKA_TOKEN,	     &no,	 sizeof no    },
		{CKA_SENSITIVE,   &no,     sizeof no    },
		{CKA_EXTRACTABLE, &yes,    sizeof yes	},
		{CKA_VALUE_LEN,   &length, sizeof length},
	};
	CK_ATTRIBUTE value = {CKA_VALUE, secret, bytes};
	CK_OBJECT_HANDLE derived;
	CK_RV result = module->C_DeriveKey(place->token->session, &mechanism, place->object, template,
		sizeof template / sizeof *template, &derived);

	if (result == CKR_OK) {
		result = module->C_GetAttributeValue(place->token->session, derived, &value, 1);
		module->C_DestroyObject(place->token->session, derived);
	}
	if (result == CKR_OK && value.ulValueLen == bytes)
		return 1;
	log_error("the token does not derive: %s", p11_kit_strerror(result));
	return 0;
}

static int agree(unsigned char **secret, size_t *secret_bytes, const EC_POINT *peer, const EC_KEY *key)
{
	const struct place *place = EC_KEY_get_ex_data(key, curve_index());
	const EC_GROUP *group = EC_KEY_get0_group(key);
	size_t bytes = (EC_GROUP_get_degree(group) + 7) / 8;
	uint8_t point[MOST_POINT];
	size_t point_bytes =
		EC_POINT_point2oct(group, peer, POINT_CONVERSION_UNCOMPRESSED, point, sizeof point, NULL);

	if (!point_bytes || bytes > MOST_SECRET)
		return 0;
	*secret = OPENSSL_zalloc(bytes);
	*secret_bytes = bytes;
	if (*secret && agree_on(place, point, point_bytes, *secret, bytes))
		return 1;
	OPENSSL_clear_free(*secret, bytes);
	*secret = NULL;
	return 0;
}

/* Takes `place` over, also when it fails. */
static EVP_PKEY *rsa_key(EVP_PKEY *public, struct place *place)
{
	static RSA_METHOD *method;
	RSA *rsa = RSA_new();
	EVP_PKEY *key = EVP_PKEY_new();
	const RSA *from = EVP_PKEY_get0_RSA(public);

	if (!method) {
		method = RSA_meth_dup(RSA_PKCS1_OpenSSL());
		if (method)
			RSA_meth_set_priv_dec(method, decrypt);
	}
	if (method && rsa && key && from && RSA_set_method(rsa, method) &&
		RSA_set0_key(rsa, BN_dup(RSA_get0_n(from)), BN_dup(RSA_get0_e(from)), NULL) &&
		RSA_set_ex_data(rsa, rsa_index(), place)) {
		place = NULL;
		if (EVP_PKEY_assign_RSA(key, rsa) == 1)
			return key;
	}
	free(place);
	RSA_free(rsa);
	EVP_PKEY_free(key);
	return NULL;
}

static EVP_PKEY *curve_key(EVP_PKEY *public, struct place *place)
{
	static EC_KEY_METHOD *method;
	const EC_KEY *from = EVP_PKEY_get0_EC_KEY(public);
	EC_KEY *curve = from ? EC_KEY_dup(from) : NULL;
	EVP_PKEY *key = EVP_PKEY_new();

	if (!method) {
		method = EC_KEY_METHOD_new(EC_KEY_OpenSSL());
		if (method)
			EC_KEY_METHOD_set_compute_key(method, agree);
	}
	if (method && curve && key && EC_KEY_set_method(curve, method) && EC_KEY_set_ex_data(curve, curve_index(), place)) {
		place = NULL;
		if (EVP_PKEY_assign_EC_KEY(key, curve) == 1)
			return key;
	}
	free(place);
	EC_KEY_free(curve);
	EVP_PKEY_free(key);
	return NULL;
}

EVP_PKEY *pkcs11_private_key(struct pkcs11 *token, const struct pkcs11_key *key)
{
	struct place *place = malloc(sizeof *place);
	EVP_PKEY *made = NULL;
	unsigned found = place ? pkcs11_find(token, CKO_PRIVATE_KEY, key, &place->object, 1) : 0;

	if (!found) {
		log_error("the token does not show the private key");
		free(place);
		return NULL;
	}
	place->token = token;
	if (EVP_PKEY_get_base_id(key->public) == EVP_PKEY_RSA)
		made = rsa_key(key->public, place);
	else if (EVP_PKEY_get_base_id(key->public) == EVP_PKEY_EC)
		made = curve_key(key->public, place);
	else
		free(place);
	if (!made)
		log_error("the token's key is neither RSA nor on an elliptic curve");
	return made;
}
