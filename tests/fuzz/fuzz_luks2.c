/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any header at all. The first byte chooses: an even one takes the rest as the
 * image; an odd one takes it as JSON text and puts it into a primary copy whose sum
 * is right, so that the fuzzer gets behind the checksum.
 */
#include "storage/crypt/hash.h"
#include "storage/volume/luks2.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

#define COPY_BYTES  0x4000
#define IMAGE_BYTES (2 * COPY_BYTES + 300000)

struct image {
	const uint8_t *data;
	size_t bytes;
};

static int read_image(void *context, uint64_t offset, void *buffer, size_t bytes)
{
	const struct image *image = context;

	if (offset > image->bytes || bytes > image->bytes - offset)
		abort();
	memcpy(buffer, image->data + offset, bytes);
	return 0;
}

static void *take(void *context, size_t bytes)
{
	(void)context;
	return bytes > 1 << 20 ? NULL : aligned_alloc(64, (bytes + 63) & ~(size_t)63);
}

static void give_back(void *context, void *memory, size_t bytes)
{
	(void)context;
	(void)bytes;
	free(memory);
}

static const struct argon2_memory memory = {.take = take, .give_back = give_back};

static void make_primary(uint8_t *copy, const uint8_t *json, size_t bytes)
{
	struct hash hash;

	memcpy(copy, "LUKS\xba\xbe\0\2", 8);
	copy[14] = COPY_BYTES >> 8;
	copy[23] = 1;
	memcpy(copy + 72, "sha256", 6);
	memcpy(copy + 4096, json, bytes < COPY_BYTES - 4097 ? bytes : COPY_BYTES - 4097);
	hash_init(&hash, HASH_SHA256);
	hash_update(&hash, copy, COPY_BYTES);
	hash_final(&hash, copy + 448);
}

/* Costs that would stop the fuzzer are the disk owner's to choose, and no fault. */
static int is_cheap(const struct luks2 *header)
{
	for (unsigned i = 0; i < LUKS2_KEYSLOTS; i++)
		if (header->keyslot[i].iterations > 4 || header->keyslot[i].cost.passes > 2 ||
			header->keyslot[i].cost.memory_kib > 64)
			return 0;
	for (unsigned i = 0; i < LUKS2_DIGESTS; i++)
		if (header->digest[i].iterations > 4)
			return 0;
	return 1;
}

static void check_slots(const struct luks2 *header)
{
	for (unsigned i = 0; i < LUKS2_KEYSLOTS; i++) {
		const struct luks2_keyslot *slot = &header->keyslot[i];

		if (slot->present && !slot->unusable &&
			(slot->key_bytes > LUKS2_MAX_KEY || slot->area_key_bytes > LUKS2_MAX_KEY ||
				slot->stripes != 4000 || slot->salt_bytes > LUKS2_MAX_SALT))
			abort();
	}
}

static void check_tokens(const struct luks2 *header)
{
	uint8_t name[TPM2_NAME_BYTES];

	if (header->tpm2_tokens > LUKS2_TPM2_TOKENS)
		abort();
	for (unsigned i = 0; i < header->tpm2_tokens; i++) {
		const struct tpm2_token *token = &header->tpm2[i];

		if (!token->unusable && (!token->keyslots || token->pcrs >> 24 || token->blob_bytes > TPM2_MAX_BLOB ||
						tpm2_check_blob(token, name)))
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	static uint8_t *scratch, *primary;
	static struct luks2 header;
	struct image image;
	struct luks2_source source = {.read = read_image, .context = &image};
	struct luks2_key key;
	enum luks2_error error;

	if (!bytes)
		return 0;
	if (!scratch) {
		scratch = aligned_alloc(64, LUKS2_SCRATCH_BYTES);
		primary = malloc(IMAGE_BYTES);
	}
	image.data = data + 1;
	image.bytes = bytes - 1;
	if (data[0] & 1) {
		memset(primary, 0, IMAGE_BYTES);
		make_primary(primary, data + 1, bytes - 1);
		image.data = primary;
		image.bytes = IMAGE_BYTES;
	}
	source.bytes = image.bytes;
	error = luks2_read(&header, &source, scratch);
	if (!header.detail)
		abort();
	if (error)
		return 0;
	check_slots(&header);
	check_tokens(&header);
	if (is_cheap(&header) && !luks2_unlock(&header, &source, LUKS2_ALL_KEYSLOTS, "x", 1, &memory, scratch, &key))
		abort(); /* nobody can know the key of such a header */
	return 0;
}
