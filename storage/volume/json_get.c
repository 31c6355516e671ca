/* SPDX-License-Identifier: Apache-2.0 */
/* Reading values out of a parsed tree. */
#include "storage/volume/json.h"
#include "keymgmt/base64.h"
#include <string.h>

const struct json_node *json_member(const struct json_node *object, const char *name)
{
	size_t bytes = strlen(name);

	for (const struct json_node *member = json_first(object, JSON_OBJECT); member; member = member->next)
		if (member->name_bytes == bytes && !memcmp(member->name, name, bytes))
			return member;
	return NULL;
}

const struct json_node *json_first(const struct json_node *node, enum json_type type)
{
	return node && node->type == type ? node->child : NULL;
}

bool json_is(const struct json_node *node, const char *text)
{
	size_t bytes = strlen(text);

	return node && node->type == JSON_STRING && node->text_bytes == bytes &&
	       !memcmp(node->text, text, bytes);
}

/* Decimal digits without leading zeroes, at most `highest`. */
static bool decimal(const char *text, uint32_t bytes, uint64_t highest, uint64_t *value)
{
	*value = 0;
	if (bytes == 0 || (bytes > 1 && text[0] == '0'))
		return false;
	for (uint32_t i = 0; i < bytes; i++) {
		uint64_t digit = (uint64_t)(text[i] - '0');

		if (text[i] < '0' || text[i] > '9' || *value > (highest - digit) / 10)
			return false;
		*value = *value * 10 + digit;
	}
	return true;
}

bool json_u32(const struct json_node *node, uint32_t *value)
{
	uint64_t wide;

	if (!node || node->type != JSON_NUMBER || !decimal(node->text, node->text_bytes, UINT32_MAX, &wide))
		return false;
	*value = (uint32_t)wide;
	return true;
}

bool json_u64_string(const struct json_node *node, uint64_t *value)
{
	return node && node->type == JSON_STRING && decimal(node->text, node->text_bytes, UINT64_MAX, value);
}

bool json_base64(const struct json_node *node, uint8_t *out, size_t capacity, size_t *bytes)
{
	return node && node->type == JSON_STRING && base64_decode(node->text, node->text_bytes, out, capacity, bytes);
}

bool json_copy(const struct json_node *node, char *out, size_t capacity)
{
	if (!node || node->type != JSON_STRING || node->text_bytes >= capacity)
		return false;
	memcpy(out, node->text, node->text_bytes);
	out[node->text_bytes] = 0;
	return true;
}
