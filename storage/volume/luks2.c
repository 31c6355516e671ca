/* SPDX-License-Identifier: Apache-2.0 */
/* The binary header: two copies, of which the newer whole one is used. */
#include "storage/volume/luks2_json.h"
#include <string.h>

#define LABEL_BYTES    48
#define CHECKSUM_BYTES 64

/* LUKS2 On-Disk Format 1.1, 2.1; numbers are big endian. JSON text follows. */
struct binary_header {
	char magic[6];
	uint8_t version[2];
	uint8_t header_bytes[8]; /* with the JSON area */
	uint8_t sequence[8];
	char label[LABEL_BYTES];
	char checksum_name[32];
	uint8_t salt[64];
	char uuid[40];
	char subsystem[48];
	uint8_t header_offset[8];
	uint8_t padding[184];
	uint8_t checksum[CHECKSUM_BYTES];
	uint8_t padding4096[7 * 512];
};

_Static_assert(offsetof(struct binary_header, uuid) == 168, "on-disk layout");
_Static_assert(offsetof(struct binary_header, header_offset) == 256, "on-disk layout");
_Static_assert(offsetof(struct binary_header, checksum) == 448, "on-disk layout");
_Static_assert(sizeof(struct binary_header) == 4096, "on-disk layout");
_Static_assert(sizeof(struct json_node) <= 64, "LUKS2_SCRATCH_BYTES");

#define MAX_HEADER 0x400000u

const char *luks2_error_text(enum luks2_error error)
{
	switch (error) {
	case LUKS2_OK:
		return "No error.";
	case LUKS2_UNREADABLE:
		return "The encryption header cannot be read from the disk.";
	case LUKS2_NO_HEADER:
		return "The encryption header is gone: neither of its copies can be recognised.";
	case LUKS2_DAMAGED:
		return "Both copies of the encryption header are damaged.";
	case LUKS2_MALFORMED:
		return "The encryption header contradicts itself.";
	case LUKS2_UNSUPPORTED:
		return "The encryption header uses a feature that is not supported.";
	case LUKS2_REENCRYPTING:
		return "This volume is still being encrypted; finish that first.";
	case LUKS2_NO_TOKEN:
		return "The encryption header does not say which partition it belongs to.";
	case LUKS2_TOKEN_MISMATCH:
		return "The partition is not the one that was encrypted: it was moved, resized or copied.";
	case LUKS2_WRONG_PASSPHRASE:
		return "Wrong passphrase.";
	case LUKS2_NO_MEMORY:
		return "There is not enough memory for this passphrase's key derivation.";
	}
	return "Unknown error.";
}

static uint64_t be64(const uint8_t bytes[8])
{
	uint64_t value = 0;

	for (int i = 0; i < 8; i++)
		value = value << 8 | bytes[i];
	return value;
}

/* The sizes a copy may have, which are also where a secondary may stand (2.1.2). */
static bool is_header_size(uint64_t bytes)
{
	return bytes >= 0x4000 && bytes <= MAX_HEADER && (bytes & (bytes - 1)) == 0;
}

static bool is_terminated(const char *text, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		if (!text[i])
			return true;
	return false;
}

/* Checks the sum over the copy with the sum's own field as zeroes. */
static bool sum_holds(struct binary_header *header, size_t bytes)
{
	uint8_t stored[CHECKSUM_BYTES], computed[HASH_MAX_BYTES];
	enum hash_kind kind;
	struct hash hash;

	if (!is_terminated(header->checksum_name, sizeof(header->checksum_name)))
		return false;
	if (!strcmp(header->checksum_name, "sha256"))
		kind = HASH_SHA256;
	else if (!strcmp(header->checksum_name, "sha512"))
		kind = HASH_SHA512;
	else
		return false;
	memcpy(stored, header->checksum, sizeof(stored));
	memset(header->checksum, 0, sizeof(header->checksum));
	hash_init(&hash, kind);
	hash_update(&hash, header, bytes);
	hash_final(&hash, computed);
	memcpy(header->checksum, stored, sizeof(stored));
	return !memcmp(stored, computed, hash_bytes(kind));
}

/* The JSON text ends at its first NUL; nothing but NULs may follow. */
static const struct json_node *parse_text(struct binary_header *header, size_t bytes)
{
	char *text = (char *)(header + 1);
	size_t area = bytes - sizeof(*header), length = 0;
	struct json_node *nodes = (struct json_node *)((uint8_t *)header + MAX_HEADER);
	struct json_error error;

	while (length < area && text[length])
		length++;
	if (length == area)
		return NULL;
	for (size_t i = length; i < area; i++)
		if (text[i])
			return NULL;
	return json_parse(text, length, nodes, LUKS2_MAX_NODES, &error);
}

struct copy {
	enum luks2_copy state;
	uint64_t offset, bytes, sequence;
	const struct json_node *root;
	bool unreadable;
};

/* Reads and checks the copy at `offset` into `scratch`. Its header must say that it stands there. */
static void load_copy(const struct luks2_source *source, uint64_t offset, void *scratch, struct copy *copy)
{
	struct binary_header *header = scratch;

	memset(copy, 0, sizeof(*copy));
	copy->offset = offset;
	if (offset > source->bytes || source->bytes - offset < sizeof(*header))
		return;
	copy->unreadable = source->read(source->context, offset, header, sizeof(*header)) != 0;
	if (copy->unreadable || memcmp(header->magic, offset ? "SKUL\xba\xbe" : "LUKS\xba\xbe", 6))
		return;
	copy->state = LUKS2_COPY_DAMAGED;
	copy->bytes = be64(header->header_bytes);
	copy->sequence = be64(header->sequence);
	if (header->version[0] != 0 || header->version[1] != 2 || !is_header_size(copy->bytes) ||
		be64(header->header_offset) != offset || (offset && offset != copy->bytes) ||
		copy->bytes > source->bytes - offset || !is_terminated(header->uuid, sizeof(header->uuid)) ||
		!is_terminated(header->label, sizeof(header->label)))
		return;
	copy->unreadable = source->read(source->context, offset + sizeof(*header), header + 1,
				   copy->bytes - sizeof(*header)) != 0;
	if (copy->unreadable || !sum_holds(header, copy->bytes))
		return;
	copy->root = parse_text(header, copy->bytes);
	if (copy->root)
		copy->state = LUKS2_COPY_WHOLE;
}

/* The secondary follows a whole primary; without one it is looked for at every legal place. */
static void find_secondary(
	const struct luks2_source *source, const struct copy *primary, void *scratch, struct copy *secondary)
{
	struct copy found = {0};

	if (primary->state == LUKS2_COPY_WHOLE) {
		load_copy(source, primary->bytes, scratch, secondary);
		return;
	}
	for (uint64_t offset = 0x4000; offset <= MAX_HEADER; offset *= 2) {
		load_copy(source, offset, scratch, secondary);
		if (secondary->state == LUKS2_COPY_WHOLE)
			return;
		if (secondary->state == LUKS2_COPY_DAMAGED || secondary->unreadable)
			found = *secondary;
	}
	*secondary = found;
}

static enum luks2_error no_copy(const struct copy *primary, const struct copy *secondary)
{
	if (primary->unreadable || secondary->unreadable)
		return LUKS2_UNREADABLE;
	if (primary->state == LUKS2_COPY_ABSENT && secondary->state == LUKS2_COPY_ABSENT)
		return LUKS2_NO_HEADER;
	return LUKS2_DAMAGED;
}

enum luks2_error luks2_read(struct luks2 *header, const struct luks2_source *source, void *scratch)
{
	const struct binary_header *binary = scratch;
	struct copy primary, secondary, *chosen = &secondary;

	memset(header, 0, sizeof(*header));
	header->detail = "";
	load_copy(source, 0, scratch, &primary);
	find_secondary(source, &primary, scratch, &secondary);
	header->copy[0] = primary.state;
	header->copy[1] = secondary.state;
	if (primary.state != LUKS2_COPY_WHOLE && secondary.state != LUKS2_COPY_WHOLE)
		return no_copy(&primary, &secondary);
	if (primary.state == LUKS2_COPY_WHOLE &&
		(secondary.state != LUKS2_COPY_WHOLE || primary.sequence >= secondary.sequence)) {
		/* The scratch holds the secondary now: read the primary again, and check it again. */
		chosen = &primary;
		load_copy(source, 0, scratch, &primary);
		if (primary.state != LUKS2_COPY_WHOLE)
			return LUKS2_UNREADABLE;
	}
	header->chosen = chosen == &secondary;
	header->header_bytes = chosen->bytes;
	header->sequence = chosen->sequence;
	memcpy(header->uuid, binary->uuid, sizeof(header->uuid));
	memcpy(header->label, binary->label, sizeof(header->label));
	return luks2_describe(header, chosen->root);
}
