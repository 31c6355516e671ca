/* SPDX-License-Identifier: Apache-2.0 */
/* The objects of a token. */
#include "installer/pkcs11_internal.h"
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#define MOST_ATTRIBUTES 8 /* of a URI: class, label and ID are all it can name; and ours */

/*
 * What to look for: the class and the ID, or what the URI says but its own class. A certificate
 * and its keys share the ID; their labels may differ.
 */
static CK_ULONG make_template(struct pkcs11 *t, CK_OBJECT_CLASS *class, const struct pkcs11_key *id,
	CK_ATTRIBUTE template[MOST_ATTRIBUTES])
{
	CK_ULONG given = 0, count = 0;
	CK_ATTRIBUTE *attributes = p11_kit_uri_get_attributes(t->uri, &given);

	template[count++] = (CK_ATTRIBUTE){CKA_CLASS, class, sizeof *class};
	if (id && id->id_bytes) {
		template[count++] = (CK_ATTRIBUTE){CKA_ID, (void *)id->id, id->id_bytes};
		return count;
	}
	for (CK_ULONG i = 0; i < given && count < MOST_ATTRIBUTES; i++)
		if (attributes[i].type != CKA_CLASS)
			template[count++] = attributes[i];
	return count;
}

unsigned pkcs11_find(
	struct pkcs11 *t, CK_OBJECT_CLASS class, const struct pkcs11_key *id, CK_OBJECT_HANDLE *found, unsigned most)
{
	CK_ATTRIBUTE template[MOST_ATTRIBUTES];
	CK_ULONG count = make_template(t, &class, id, template), got = 0;

	if (t->module->C_FindObjectsInit(t->session, template, count) != CKR_OK)
		return 0;
	if (t->module->C_FindObjects(t->session, found, most, &got) != CKR_OK)
		got = 0;
	t->module->C_FindObjectsFinal(t->session);
	return (unsigned)got;
}

void *pkcs11_attribute(struct pkcs11 *t, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type, size_t *bytes)
{
	CK_ATTRIBUTE attribute = {type, NULL, 0};

	if (t->module->C_GetAttributeValue(t->session, object, &attribute, 1) != CKR_OK || !attribute.ulValueLen ||
		attribute.ulValueLen == CK_UNAVAILABLE_INFORMATION || attribute.ulValueLen > 65536)
		return NULL;
	attribute.pValue = malloc(attribute.ulValueLen);
	if (attribute.pValue && t->module->C_GetAttributeValue(t->session, object, &attribute, 1) == CKR_OK) {
		*bytes = attribute.ulValueLen;
		return attribute.pValue;
	}
	free(attribute.pValue);
	return NULL;
}

static void take_id(struct pkcs11 *t, CK_OBJECT_HANDLE object, struct pkcs11_key *key)
{
	size_t bytes = 0;
	void *id = pkcs11_attribute(t, object, CKA_ID, &bytes);

	if (id && bytes <= sizeof key->id) {
		memcpy(key->id, id, bytes);
		key->id_bytes = bytes;
	}
	free(id);
}

static int take_certificate(struct pkcs11 *t, CK_OBJECT_HANDLE object, struct pkcs11_key *key)
{
	size_t bytes = 0;
	uint8_t *der = pkcs11_attribute(t, object, CKA_VALUE, &bytes);
	const uint8_t *at = der;

	key->certificate = der ? d2i_X509(NULL, &at, (long)bytes) : NULL;
	free(der);
	key->public = key->certificate ? X509_get_pubkey(key->certificate) : NULL;
	return key->public ? 0 : -1;
}

static EVP_PKEY *rsa_key(const uint8_t *modulus, size_t modulus_bytes, const uint8_t *exponent, size_t exponent_bytes)
{
	BIGNUM *n = BN_bin2bn(modulus, (int)modulus_bytes, NULL), *e = BN_bin2bn(exponent, (int)exponent_bytes, NULL);
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	OSSL_PARAM *parameters = NULL;
	EVP_PKEY *key = NULL;

	if (build && context && OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
		OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e) == 1)
		parameters = OSSL_PARAM_BLD_to_param(build);
	if (!parameters || EVP_PKEY_fromdata_init(context) != 1 ||
		EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, parameters) != 1)
		key = NULL;
	OSSL_PARAM_free(parameters);
	OSSL_PARAM_BLD_free(build);
	EVP_PKEY_CTX_free(context);
	BN_free(n);
	BN_free(e);
	return key;
}

/* A public key without a certificate: RSA alone, for whose numbers every token has attributes. */
static int take_public(struct pkcs11 *t, CK_OBJECT_HANDLE object, struct pkcs11_key *key)
{
	size_t modulus_bytes = 0, exponent_bytes = 0;
	uint8_t *modulus = pkcs11_attribute(t, object, CKA_MODULUS, &modulus_bytes);
	uint8_t *exponent = pkcs11_attribute(t, object, CKA_PUBLIC_EXPONENT, &exponent_bytes);

	if (modulus && exponent)
		key->public = rsa_key(modulus, modulus_bytes, exponent, exponent_bytes);
	free(modulus);
	free(exponent);
	return key->public ? 0 : -1;
}

static int is_known(const struct pkcs11_key *keys, unsigned count, const struct pkcs11_key *key)
{
	for (unsigned i = 0; i < count; i++)
		if (EVP_PKEY_eq(keys[i].public, key->public) == 1)
			return 1;
	return 0;
}

static unsigned take_all(struct pkcs11 *t, CK_OBJECT_CLASS class, struct pkcs11_key *keys, unsigned count,
	int (*take)(struct pkcs11 *, CK_OBJECT_HANDLE, struct pkcs11_key *))
{
	CK_OBJECT_HANDLE objects[PKCS11_KEYS];
	unsigned found = pkcs11_find(t, class, NULL, objects, PKCS11_KEYS);

	for (unsigned i = 0; i < found && count < PKCS11_KEYS; i++) {
		struct pkcs11_key *key = &keys[count];

		memset(key, 0, sizeof *key);
		take_id(t, objects[i], key);
		/* Two certificates of one key are two ways to name it; a bare key adds nothing to one. */
		if (take(t, objects[i], key) || (!key->certificate && is_known(keys, count, key)))
			pkcs11_forget(key, 1);
		else
			count++;
	}
	return count;
}

unsigned pkcs11_keys(struct pkcs11 *t, struct pkcs11_key keys[PKCS11_KEYS])
{
	unsigned count = take_all(t, CKO_CERTIFICATE, keys, 0, take_certificate);

	return take_all(t, CKO_PUBLIC_KEY, keys, count, take_public);
}

void pkcs11_forget(struct pkcs11_key *keys, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		X509_free(keys[i].certificate);
		EVP_PKEY_free(keys[i].public);
		memset(&keys[i], 0, sizeof keys[i]);
	}
}

int pkcs11_key_is_rsa(const struct pkcs11_key *key)
{
	return EVP_PKEY_get_base_id(key->public) == EVP_PKEY_RSA;
}

int pkcs11_key_uri(struct pkcs11 *t, const struct pkcs11_key *key, char uri[PKCS11_URI_BYTES])
{
	P11KitUri *made = p11_kit_uri_new();
	CK_ATTRIBUTE id = {CKA_ID, (void *)key->id, key->id_bytes};
	CK_TOKEN_INFO *info = p11_kit_uri_get_token_info(made);
	char *text = NULL;
	int fits;

	memcpy(info->label, t->info.label, sizeof info->label);
	memcpy(info->manufacturerID, t->info.manufacturerID, sizeof info->manufacturerID);
	memcpy(info->model, t->info.model, sizeof info->model);
	memcpy(info->serialNumber, t->info.serialNumber, sizeof info->serialNumber);
	fits = (!key->id_bytes || p11_kit_uri_set_attribute(made, &id) == P11_KIT_URI_OK) &&
	       p11_kit_uri_format(made, P11_KIT_URI_FOR_OBJECT_ON_TOKEN, &text) == P11_KIT_URI_OK &&
	       strlen(text) < PKCS11_URI_BYTES;
	if (fits)
		strcpy(uri, text);
	free(text);
	p11_kit_uri_free(made);
	return fits ? 0 : -1;
}
