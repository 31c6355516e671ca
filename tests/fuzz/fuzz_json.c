/* SPDX-License-Identifier: Apache-2.0 */
/* Any text at all: the tree stays inside it and the getters inside the tree. */
#include "storage/volume/json.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

#define NODES 512

static struct json_node nodes[NODES];
static const char *begin, *end;

static void check_text(const char *text, uint32_t bytes)
{
	if (text && (text < begin || bytes > (size_t)(end - text)))
		abort();
}

static void walk(const struct json_node *node, unsigned depth)
{
	uint8_t out[64];
	char copy[16];
	uint32_t small;
	uint64_t large;
	size_t decoded;

	if (depth > JSON_MAX_DEPTH)
		abort();
	check_text(node->name, node->name_bytes);
	check_text(node->text, node->text_bytes);
	json_u32(node, &small);
	json_u64_string(node, &large);
	if (json_base64(node, out, sizeof(out), &decoded) && decoded > sizeof(out))
		abort();
	if (json_copy(node, copy, sizeof(copy)) && strlen(copy) != node->text_bytes)
		abort();
	for (const struct json_node *child = node->child; child; child = child->next) {
		if (child < nodes || child >= nodes + NODES)
			abort();
		walk(child, depth + 1);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct json_error error = {0};
	const struct json_node *root;
	char *text = malloc(bytes ? bytes : 1);

	memcpy(text, data, bytes);
	begin = text;
	end = text + bytes;
	root = json_parse(text, bytes, nodes, NODES, &error);
	if (root)
		walk(root, 0);
	else if (!error.text || error.at > bytes)
		abort();
	free(text);
	return 0;
}
