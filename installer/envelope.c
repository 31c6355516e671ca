/* SPDX-License-Identifier: Apache-2.0 */
#include "installer/envelope.h"
#include "installer/exits.h"
#include "storage/crypt/wipe.h"
#include "storage/port.h"
#include <openssl/cms.h>
#include <openssl/err.h>

/* CMS_PARTIAL: what is wrapped is written straight into the cipher, and kept in no buffer on the way. */
#define SEAL_FLAGS (CMS_BINARY | CMS_PARTIAL)

static CMS_ContentInfo *begin(X509 *const *certificates, unsigned count)
{
	STACK_OF(X509) *list = sk_X509_new_null();
	CMS_ContentInfo *cms = NULL;
	unsigned pushed = 0;

	while (list && pushed < count && sk_X509_push(list, certificates[pushed]) > 0)
		pushed++;
	if (list && pushed == count)
		cms = CMS_encrypt(list, NULL, EVP_aes_256_gcm(), SEAL_FLAGS);
	sk_X509_free(list);
	return cms;
}

static int fill(CMS_ContentInfo *cms, const struct envelope_part *parts, unsigned count)
{
	BIO *cipher = CMS_dataInit(cms, NULL);
	int ok = cipher != NULL;

	for (unsigned i = 0; ok && i < count; i++)
		ok = BIO_write(cipher, parts[i].data, (int)parts[i].bytes) == (int)parts[i].bytes;
	ok = ok && BIO_flush(cipher) == 1 && CMS_dataFinal(cms, cipher) == 1;
	BIO_free_all(cipher);
	return ok ? 0 : -1;
}

int envelope_seal(struct envelope *envelope, X509 *const *certificates, unsigned count,
	const struct envelope_part *parts, unsigned part_count)
{
	CMS_ContentInfo *cms = begin(certificates, count);
	uint8_t *der = NULL;
	int bytes = cms && !fill(cms, parts, part_count) ? i2d_CMS_ContentInfo(cms, &der) : -1;

	CMS_ContentInfo_free(cms);
	*envelope = (struct envelope){der, bytes > 0 ? (size_t)bytes : 0};
	if (bytes > 0 && bytes <= ENVELOPE_MOST_BYTES)
		return EXITS_OK;
	log_error("the key cannot be wrapped for these certificates: %s", ERR_reason_error_string(ERR_peek_last_error()));
	envelope_free(envelope);
	return EXITS_FAILED;
}

void envelope_free(struct envelope *envelope)
{
	OPENSSL_free(envelope->der);
	*envelope = (struct envelope){NULL, 0};
}

/* NULL for what is no CMS of the types that hold a wrapped secret, or has bytes behind it. */
static CMS_ContentInfo *parse(const struct envelope *envelope)
{
	const uint8_t *at = envelope->der;
	CMS_ContentInfo *cms = d2i_CMS_ContentInfo(NULL, &at, (long)envelope->bytes);

	if (cms && at == envelope->der + envelope->bytes && CMS_get0_RecipientInfos(cms))
		return cms;
	CMS_ContentInfo_free(cms);
	return NULL;
}

int envelope_recipients(const struct envelope *envelope)
{
	CMS_ContentInfo *cms = parse(envelope);
	int count = cms ? sk_CMS_RecipientInfo_num(CMS_get0_RecipientInfos(cms)) : -1;

	CMS_ContentInfo_free(cms);
	return count;
}

static int agreed_with(CMS_RecipientInfo *info, X509 *certificate)
{
	STACK_OF(CMS_RecipientEncryptedKey) *keys = CMS_RecipientInfo_kari_get0_reks(info);

	for (int i = 0; i < sk_CMS_RecipientEncryptedKey_num(keys); i++)
		if (!CMS_RecipientEncryptedKey_cert_cmp(sk_CMS_RecipientEncryptedKey_value(keys, i), certificate))
			return 1;
	return 0;
}

static int names(CMS_RecipientInfo *info, X509 *certificate)
{
	switch (CMS_RecipientInfo_type(info)) {
	case CMS_RECIPINFO_TRANS:
		return !CMS_RecipientInfo_ktri_cert_cmp(info, certificate);
	case CMS_RECIPINFO_AGREE:
		return agreed_with(info, certificate);
	}
	return 0;
}

int envelope_is_for(const struct envelope *envelope, X509 *certificate)
{
	CMS_ContentInfo *cms = parse(envelope);
	STACK_OF(CMS_RecipientInfo) *infos = cms ? CMS_get0_RecipientInfos(cms) : NULL;
	int found = 0;

	for (int i = 0; !found && i < sk_CMS_RecipientInfo_num(infos); i++)
		found = names(sk_CMS_RecipientInfo_value(infos, i), certificate);
	CMS_ContentInfo_free(cms);
	return found;
}

/* Up to the end of the cipher, whose check of what it has decrypted comes last. */
static int drain(CMS_ContentInfo *cms, uint8_t *content, size_t capacity)
{
	BIO *cipher = CMS_dataInit(cms, NULL);
	size_t have = 0;
	int got = -1;

	while (cipher && have < capacity && (got = BIO_read(cipher, content + have, (int)(capacity - have))) > 0)
		have += got;
	if (!cipher || got || have == capacity || BIO_get_cipher_status(cipher) != 1)
		have = 0;
	BIO_free_all(cipher);
	return have ? (int)have : -1;
}

int envelope_open(
	const struct envelope *envelope, EVP_PKEY *key, X509 *certificate, uint8_t *content, size_t capacity)
{
	CMS_ContentInfo *cms = parse(envelope);
	int bytes = cms && CMS_decrypt_set1_pkey(cms, key, certificate) == 1 ? drain(cms, content, capacity) : -1;

	CMS_ContentInfo_free(cms);
	if (bytes < 0)
		secret_wipe(content, capacity);
	return bytes;
}
