/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which partition a header belongs to. A partition that was grown or moved would
 * mix plaintext into ciphertext, so anything but equality refuses the volume.
 */
#include "storage/volume/luks2_json.h"
#include <string.h>

int luks2_hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool luks2_parse_guid(const char *text, size_t bytes, uint8_t guid[16])
{
	/* Where each byte of the text form goes. */
	static const uint8_t order[16] = {3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};

	if (bytes != 36)
		return false;
	for (unsigned i = 0, at = 0; i < 16; i++, at += 2) {
		if (at == 8 || at == 13 || at == 18 || at == 23)
			if (text[at++] != '-')
				return false;
		int high = luks2_hex_value(text[at]), low = luks2_hex_value(text[at + 1]);

		if (high < 0 || low < 0)
			return false;
		guid[order[i]] = (uint8_t)(high << 4 | low);
	}
	return true;
}

enum luks2_error luks2_check_place(struct luks2 *header, const struct luks2_place *place)
{
	const struct luks2_place *token = &header->token;

	header->detail = "";
	if (!header->has_token)
		return LUKS2_NO_TOKEN;
	if (memcmp(token->partuuid, place->partuuid, 16))
		header->detail = "it has another unique identifier";
	else if (memcmp(token->disk_guid, place->disk_guid, 16))
		header->detail = "it is on another disk";
	else if (token->lba_bytes != place->lba_bytes)
		header->detail = "the disk has another sector size";
	else if (token->first_lba != place->first_lba)
		header->detail = "it begins at another sector";
	else if (token->last_lba != place->last_lba)
		header->detail = "it ends at another sector";
	else
		return LUKS2_OK;
	return LUKS2_TOKEN_MISMATCH;
}
