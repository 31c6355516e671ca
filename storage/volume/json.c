/* SPDX-License-Identifier: Apache-2.0 */
#include "storage/volume/json.h"
#include <string.h>

struct parser {
	char *begin, *at, *end;
	struct json_node *nodes;
	size_t used, capacity;
	const char *error;
};

static bool parse_value(struct parser *parser, struct json_node *node, unsigned depth);

static bool fail(struct parser *parser, const char *error)
{
	if (!parser->error)
		parser->error = error;
	return false;
}

static void skip_space(struct parser *parser)
{
	while (parser->at < parser->end &&
		(*parser->at == ' ' || *parser->at == '\t' || *parser->at == '\n' || *parser->at == '\r'))
		parser->at++;
}

/* Takes `c` when it comes next. */
static bool accept(struct parser *parser, char c)
{
	if (parser->at == parser->end || *parser->at != c)
		return false;
	parser->at++;
	return true;
}

static struct json_node *new_node(struct parser *parser)
{
	struct json_node *node;

	if (parser->used == parser->capacity) {
		fail(parser, "too many values");
		return NULL;
	}
	node = &parser->nodes[parser->used++];
	memset(node, 0, sizeof(*node));
	return node;
}

static bool hex4(struct parser *parser, uint32_t *value)
{
	*value = 0;
	for (int i = 0; i < 4; i++) {
		char c = parser->at < parser->end ? *parser->at++ : 0;

		*value <<= 4;
		if (c >= '0' && c <= '9')
			*value |= (uint32_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			*value |= (uint32_t)(c - 'a' + 10);
		else if (c >= 'A' && c <= 'F')
			*value |= (uint32_t)(c - 'A' + 10);
		else
			return fail(parser, "bad \\u escape");
	}
	return true;
}

static char *put_utf8(char *out, uint32_t code)
{
	if (code < 0x80) {
		*out++ = (char)code;
	} else if (code < 0x800) {
		*out++ = (char)(0xc0 | code >> 6);
		*out++ = (char)(0x80 | (code & 0x3f));
	} else if (code < 0x10000) {
		*out++ = (char)(0xe0 | code >> 12);
		*out++ = (char)(0x80 | (code >> 6 & 0x3f));
		*out++ = (char)(0x80 | (code & 0x3f));
	} else {
		*out++ = (char)(0xf0 | code >> 18);
		*out++ = (char)(0x80 | (code >> 12 & 0x3f));
		*out++ = (char)(0x80 | (code >> 6 & 0x3f));
		*out++ = (char)(0x80 | (code & 0x3f));
	}
	return out;
}

/* After "\u": one code unit, or two that form a surrogate pair. Never longer in UTF-8 than as written. */
static bool unicode_escape(struct parser *parser, char **out)
{
	uint32_t code, low;

	if (!hex4(parser, &code))
		return false;
	if (code >= 0xdc00 && code <= 0xdfff)
		return fail(parser, "lone surrogate");
	if (code >= 0xd800 && code <= 0xdbff) {
		if (!accept(parser, '\\') || !accept(parser, 'u') || !hex4(parser, &low) || low < 0xdc00 ||
			low > 0xdfff)
			return fail(parser, "lone surrogate");
		code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
	}
	if (code == 0)
		return fail(parser, "NUL in a string");
	*out = put_utf8(*out, code);
	return true;
}

static bool escape(struct parser *parser, char **out)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	char c = parser->at < parser->end ? *parser->at++ : 0;

	if (c == 'u')
		return unicode_escape(parser, out);
	for (unsigned i = 0; i < sizeof(from) - 1; i++)
		if (c == from[i]) {
			*(*out)++ = to[i];
			return true;
		}
	return fail(parser, "bad escape");
}

/* Checks and copies one multi-byte character (Unicode 15, table 3-7: no overlong forms, no surrogates). */
static bool utf8(struct parser *parser, char **out)
{
	uint8_t lead = (uint8_t)*parser->at, low = 0x80, high = 0xbf;
	unsigned more;

	if (lead >= 0xc2 && lead <= 0xdf)
		more = 1;
	else if (lead >= 0xe0 && lead <= 0xef)
		more = 2;
	else if (lead >= 0xf0 && lead <= 0xf4)
		more = 3;
	else
		return fail(parser, "bad UTF-8");
	if (lead == 0xe0)
		low = 0xa0;
	else if (lead == 0xed)
		high = 0x9f;
	else if (lead == 0xf0)
		low = 0x90;
	else if (lead == 0xf4)
		high = 0x8f;
	*(*out)++ = *parser->at++;
	for (; more; more--) {
		uint8_t c = parser->at < parser->end ? (uint8_t)*parser->at : 0;

		if (c < low || c > high)
			return fail(parser, "bad UTF-8");
		*(*out)++ = *parser->at++;
		low = 0x80;
		high = 0xbf;
	}
	return true;
}

/* A string from its opening quote on; unescaped in place, where it can only shrink. */
static bool parse_string(struct parser *parser, const char **text, uint32_t *bytes)
{
	char *start, *out;

	if (!accept(parser, '"'))
		return fail(parser, "a string is missing");
	start = out = parser->at;
	while (parser->at < parser->end) {
		uint8_t c = (uint8_t)*parser->at;

		if (c == '"') {
			parser->at++;
			*text = start;
			*bytes = (uint32_t)(out - start);
			return true;
		}
		if (c < 0x20)
			return fail(parser, "control character in a string");
		if (c == '\\') {
			parser->at++;
			if (!escape(parser, &out))
				return false;
		} else if (c >= 0x80) {
			if (!utf8(parser, &out))
				return false;
		} else {
			*out++ = *parser->at++;
		}
	}
	return fail(parser, "unfinished string");
}

static bool digits(struct parser *parser)
{
	char *start = parser->at;

	while (parser->at < parser->end && *parser->at >= '0' && *parser->at <= '9')
		parser->at++;
	return parser->at > start || fail(parser, "bad number");
}

static bool parse_number(struct parser *parser, struct json_node *node)
{
	node->type = JSON_NUMBER;
	node->text = parser->at;
	accept(parser, '-');
	if (!accept(parser, '0') && !digits(parser))
		return false;
	if (accept(parser, '.') && !digits(parser))
		return false;
	if (accept(parser, 'e') || accept(parser, 'E')) {
		if (!accept(parser, '+'))
			accept(parser, '-');
		if (!digits(parser))
			return false;
	}
	node->text_bytes = (uint32_t)(parser->at - node->text);
	return true;
}

static bool parse_word(struct parser *parser, struct json_node *node, const char *word, enum json_type type)
{
	size_t bytes = strlen(word);

	if ((size_t)(parser->end - parser->at) < bytes || memcmp(parser->at, word, bytes))
		return fail(parser, "no JSON value");
	node->type = type;
	node->text = parser->at;
	node->text_bytes = (uint32_t)bytes;
	parser->at += bytes;
	return true;
}

static bool is_new_name(const struct json_node *object, const char *name, uint32_t bytes)
{
	for (const struct json_node *member = object->child; member; member = member->next)
		if (member->name_bytes == bytes && !memcmp(member->name, name, bytes))
			return false;
	return true;
}

/* `"name" :` of a member that is not yet linked into `object`. */
static bool parse_name(struct parser *parser, const struct json_node *object, struct json_node *member)
{
	skip_space(parser);
	if (!parse_string(parser, &member->name, &member->name_bytes))
		return false;
	if (!is_new_name(object, member->name, member->name_bytes))
		return fail(parser, "a name appears twice");
	skip_space(parser);
	return accept(parser, ':') || fail(parser, "a colon is missing");
}

static bool parse_children(struct parser *parser, struct json_node *node, char close, unsigned depth)
{
	struct json_node *last = NULL;

	parser->at++;
	if (depth == JSON_MAX_DEPTH)
		return fail(parser, "nested too deeply");
	skip_space(parser);
	if (accept(parser, close))
		return true;
	do {
		struct json_node *child = new_node(parser);

		if (!child)
			return false;
		if (node->type == JSON_OBJECT && !parse_name(parser, node, child))
			return false;
		if (!parse_value(parser, child, depth + 1))
			return false;
		if (last)
			last->next = child;
		else
			node->child = child;
		last = child;
		skip_space(parser);
	} while (accept(parser, ','));
	return accept(parser, close) || fail(parser, "a bracket is missing");
}

static bool parse_value(struct parser *parser, struct json_node *node, unsigned depth)
{
	skip_space(parser);
	switch (parser->at < parser->end ? *parser->at : 0) {
	case '{':
		node->type = JSON_OBJECT;
		return parse_children(parser, node, '}', depth);
	case '[':
		node->type = JSON_ARRAY;
		return parse_children(parser, node, ']', depth);
	case '"':
		node->type = JSON_STRING;
		return parse_string(parser, &node->text, &node->text_bytes);
	case 't':
		return parse_word(parser, node, "true", JSON_BOOLEAN);
	case 'f':
		return parse_word(parser, node, "false", JSON_BOOLEAN);
	case 'n':
		return parse_word(parser, node, "null", JSON_NULL);
	case '-':
	case '0' ... '9':
		return parse_number(parser, node);
	default:
		return fail(parser, "no JSON value");
	}
}

const struct json_node *json_parse(
	char *text, size_t bytes, struct json_node *nodes, size_t capacity, struct json_error *error)
{
	struct parser parser = {
		.begin = text, .at = text, .end = text + bytes, .nodes = nodes, .capacity = capacity};
	struct json_node *root;

	if (bytes > UINT32_MAX)
		fail(&parser, "too long");
	else if ((root = new_node(&parser)) && parse_value(&parser, root, 0)) {
		skip_space(&parser);
		if (parser.at == parser.end)
			return root;
		fail(&parser, "something follows the value");
	}
	error->text = parser.error;
	error->at = (size_t)(parser.at - parser.begin);
	return NULL;
}
