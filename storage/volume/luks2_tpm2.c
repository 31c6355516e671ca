/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A token of type systemd-tpm2 into its typed description, as systemd 248 to 252
 * write it. A token that cannot be used is marked and costs nothing else: a
 * passphrase still opens the volume. Beside it may stand a record of the PCRs it was
 * made for.
 */
#include "storage/volume/luks2_json.h"
#include <string.h>

static bool parse_pcrs(const struct json_node *array, uint32_t *mask)
{
	uint32_t number;

	*mask = 0;
	if (!array || array->type != JSON_ARRAY)
		return false;
	for (const struct json_node *item = array->child; item; item = item->next) {
		if (!json_u32(item, &number) || number > 23 || *mask & 1u << number)
			return false;
		*mask |= 1u << number;
	}
	return true;
}

/* A token from before other banks could be chosen does not name one. */
static bool parse_bank(const struct json_node *node, enum tpm2_bank *bank)
{
	static const struct {
		const char *name;
		enum tpm2_bank bank;
	} banks[] = {
		{"sha1", TPM2_SHA1}, {"sha256", TPM2_SHA256}, {"sha384", TPM2_SHA384}, {"sha512", TPM2_SHA512}};

	*bank = TPM2_SHA256;
	if (!node)
		return true;
	for (unsigned i = 0; i < sizeof(banks) / sizeof(banks[0]); i++)
		if (json_is(node, banks[i].name)) {
			*bank = banks[i].bank;
			return true;
		}
	return false;
}

static bool parse_primary(const struct json_node *node, enum tpm2_primary *primary)
{
	*primary = json_is(node, "rsa") ? TPM2_PRIMARY_RSA : TPM2_PRIMARY_ECC;
	return !node || json_is(node, "rsa") || json_is(node, "ecc");
}

static bool parse_pin(const struct json_node *node, bool *pin)
{
	*pin = node && node->type == JSON_BOOLEAN && node->text[0] == 't';
	return !node || node->type == JSON_BOOLEAN;
}

bool luks2_parse_hex(const struct json_node *node, uint8_t *out, size_t bytes)
{
	if (!node || node->type != JSON_STRING || node->text_bytes != 2 * bytes)
		return false;
	for (size_t i = 0; i < bytes; i++) {
		int high = luks2_hex_value(node->text[2 * i]), low = luks2_hex_value(node->text[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		out[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

/* Whose signature must be on the values of which PCRs; the key is PEM text in base64. */
static bool parse_signer(const struct json_node *object, struct tpm2_token *token)
{
	const struct json_node *pcrs = json_member(object, "tpm2_pubkey_pcrs"), *key = json_member(object, "tpm2_pubkey");
	uint8_t pem[RSA_KEY_PEM_BYTES];
	size_t bytes;

	if (!pcrs && !key)
		return true;
	return parse_pcrs(pcrs, &token->signed_pcrs) && token->signed_pcrs &&
	       json_base64(key, pem, sizeof(pem), &bytes) && rsa_key_read(&token->signer, (const char *)pem, bytes);
}

static const char *parse(const struct json_node *object, struct tpm2_token *token)
{
	uint8_t name[TPM2_NAME_BYTES];

	if (!luks2_parse_set(json_member(object, "keyslots"), LUKS2_KEYSLOTS, &token->keyslots) ||
		!token->keyslots)
		return "it does not say which key slot it opens";
	if (!parse_signer(object, token))
		return "its key for signed measurements cannot be used";
	if (json_member(object, "tpm2_srk") || json_member(object, "tpm2_salt") ||
		json_member(object, "tpm2_pcrlock_nv"))
		return "a newer systemd has made it, in a form that is not supported";
	if (!parse_pcrs(json_member(object, "tpm2-pcrs"), &token->pcrs))
		return "its list of PCRs cannot be used";
	if (!parse_bank(json_member(object, "tpm2-pcr-bank"), &token->bank))
		return "its bank of PCRs is not known";
	if (token->signed_pcrs && token->bank != TPM2_SHA256)
		return "its signed measurements are of a bank other than SHA-256";
	if (!parse_primary(json_member(object, "tpm2-primary-alg"), &token->primary))
		return "its primary key is of a kind that is not known";
	if (!parse_pin(json_member(object, "tpm2-pin"), &token->pin))
		return "it does not say whether it needs a PIN";
	if (!luks2_parse_hex(json_member(object, "tpm2-policy-hash"), token->policy, sizeof(token->policy)))
		return "its policy hash cannot be used";
	if (!json_base64(json_member(object, "tpm2-blob"), token->blob, sizeof(token->blob), &token->blob_bytes))
		return "its sealed key cannot be used";
	return tpm2_check_blob(token, name);
}

void luks2_parse_tpm2(const struct json_node *object, struct tpm2_token *token)
{
	memset(token, 0, sizeof(*token));
	token->unusable = parse(object, token);
}

/* {"type":"underseal-pcrs","keyslots":[],"tpm2-policy-hash":"...","sha256":{"7":"...","12":"..."}} */
static bool parse_record(const struct json_node *values, struct tpm2_pcrs *pcrs)
{
	uint32_t pcr;

	memset(pcrs, 0, sizeof(*pcrs));
	for (const struct json_node *value = json_first(values, JSON_OBJECT); value; value = value->next) {
		if (!luks2_number_of(value, TPM2_PCRS, &pcr) || !luks2_parse_hex(value, pcrs->value[pcr], TPM2_PCR_BYTES))
			return false;
		pcrs->mask |= 1u << pcr;
	}
	return true;
}

void luks2_take_record(const struct json_node *object, struct tpm2_token *tokens, unsigned count)
{
	uint8_t policy[TPM2_POLICY_BYTES];
	struct tpm2_pcrs pcrs;

	if (!parse_record(json_member(object, "sha256"), &pcrs))
		return;
	for (unsigned i = 0; i < count; i++) {
		if (tokens[i].unusable || tokens[i].bank != TPM2_SHA256 || tokens[i].pcrs != pcrs.mask)
			continue;
		tpm2_policy_digest(&pcrs, tokens[i].pin, policy);
		if (!memcmp(policy, tokens[i].policy, sizeof(policy)))
			tokens[i].recorded = pcrs;
	}
}
