/* SPDX-License-Identifier: Apache-2.0 */
/* A token of type systemd-pkcs11 into its typed description, as systemd 248 and later write it. */
#include "storage/volume/luks2_json.h"
#include <string.h>

static const char *parse(const struct json_node *object, struct pkcs11_token *token)
{
	size_t bytes;

	if (!luks2_parse_set(json_member(object, "keyslots"), LUKS2_KEYSLOTS, &token->keyslots) ||
		!token->keyslots)
		return "it does not say which key slot it opens";
	if (!json_base64(json_member(object, "pkcs11-key"), token->encrypted, sizeof(token->encrypted), &bytes) ||
		bytes != sizeof(token->encrypted))
		return "its encrypted key is not of 2048 bits RSA";
	return NULL;
}

void luks2_parse_pkcs11(const struct json_node *object, struct pkcs11_token *token)
{
	memset(token, 0, sizeof(*token));
	token->unusable = parse(object, token);
}
