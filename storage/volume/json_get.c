/* SPDX-License-Identifier: Apache-2.0 */
/* Reading values out of a parsed tree. */
#include "storage/volume/json.h"
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

static int base64_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool json_base64(const struct json_node *node, uint8_t *out, size_t capacity, size_t *bytes)
{
	size_t length, pad;
	uint32_t bits = 0;

	if (!node || node->type != JSON_STRING || node->text_bytes % 4 || node->text_bytes == 0)
		return false;
	length = node->text_bytes;
	pad = node->text[length - 1] != '=' ? 0 : node->text[length - 2] != '=' ? 1 : 2;
	*bytes = length / 4 * 3 - pad;
	if (*bytes > capacity)
		return false;
	for (size_t i = 0, done = 0; i < length; i++) {
		int value = i < length - pad ? base64_value(node->text[i]) : 0;

		if (value < 0)
			return false;
		bits = bits << 6 | (uint32_t)value;
		if (i % 4 != 3)
			continue;
		for (int shift = 16; shift >= 0; shift -= 8) {
			uint8_t byte = (uint8_t)(bits >> shift);

			if (done < *bytes)
				out[done++] = byte;
			else if (byte)
				return false; /* bits that mean nothing must be zero */
		}
	}
	return true;
}

bool json_copy(const struct json_node *node, char *out, size_t capacity)
{
	if (!node || node->type != JSON_STRING || node->text_bytes >= capacity)
		return false;
	memcpy(out, node->text, node->text_bytes);
	out[node->text_bytes] = 0;
	return true;
}
