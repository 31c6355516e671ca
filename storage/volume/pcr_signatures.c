/* SPDX-License-Identifier: Apache-2.0 */
#include "storage/volume/pcr_signatures.h"
#include "storage/volume/luks2_json.h"
#include <string.h>

/* {"pcrs":[12],"pkfp":"<hex>","pol":"<hex>","sig":"<base64>"} */
static bool read_one(const struct json_node *object, struct tpm2_signature *signature)
{
	return luks2_parse_hex(json_member(object, "pkfp"), signature->signer, sizeof(signature->signer)) &&
	       luks2_parse_hex(json_member(object, "pol"), signature->policy, sizeof(signature->policy)) &&
	       json_base64(json_member(object, "sig"), signature->data, sizeof(signature->data), &signature->bytes);
}

const char *pcr_signatures_read(struct tpm2_signatures *signatures, char *text, size_t bytes,
	struct json_node nodes[PCR_SIGNATURES_NODES])
{
	struct json_error error;
	const struct json_node *root = json_parse(text, bytes, nodes, PCR_SIGNATURES_NODES, &error);

	signatures->count = 0;
	if (!root)
		return error.text;
	for (const struct json_node *item = json_first(json_member(root, "sha256"), JSON_ARRAY); item; item = item->next)
		if (signatures->count < TPM2_MAX_SIGNATURES &&
			read_one(item, &signatures->signature[signatures->count]))
			signatures->count++;
	return signatures->count ? NULL : "it has no signature for the bank of SHA-256";
}
