/* SPDX-License-Identifier: Apache-2.0 */
/* From a passphrase to the volume key: derive, decrypt the slot's area, merge it, compare the digest. */
#include "keymgmt/pbkdf2.h"
#include "storage/crypt/wipe.h"
#include "storage/crypt/xts.h"
#include "storage/volume/luks2.h"
#include <string.h>

#define AREA_SECTOR 512

struct attempt {
	const struct luks2_source *source;
	const void *passphrase;
	size_t passphrase_bytes;
	const struct argon2_memory *memory;
	uint8_t *scratch;
};

static enum luks2_error derive(const struct attempt *attempt, const struct luks2_keyslot *slot, uint8_t *key)
{
	if (slot->kdf == LUKS2_PBKDF2) {
		pbkdf2(slot->kdf_hash, attempt->passphrase, attempt->passphrase_bytes, slot->salt,
			slot->salt_bytes, slot->iterations, key, slot->area_key_bytes);
		return LUKS2_OK;
	}
	switch (argon2id(&slot->cost, attempt->memory, attempt->passphrase, attempt->passphrase_bytes,
		slot->salt, slot->salt_bytes, key, slot->area_key_bytes)) {
	case ARGON2_DONE:
		return LUKS2_OK;
	case ARGON2_NO_MEMORY:
		return LUKS2_NO_MEMORY;
	case ARGON2_BAD_COST:
		break;
	}
	return LUKS2_MALFORMED;
}

/* Reads the split key and decrypts it in the scratch area. */
static enum luks2_error read_area(
	const struct attempt *attempt, const struct luks2_keyslot *slot, const uint8_t *area_key)
{
	size_t bytes = (size_t)slot->key_bytes * slot->stripes; /* whole sectors: 4000 stripes of 32 or 64 */
	struct xts_key key;
	enum luks2_error error = LUKS2_OK;

	if (xts_key_init(&key, area_key, slot->area_key_bytes))
		return LUKS2_WRONG_PASSPHRASE;
	if (bytes > attempt->source->bytes || slot->area_offset > attempt->source->bytes - bytes ||
		attempt->source->read(attempt->source->context, slot->area_offset, attempt->scratch, bytes))
		error = LUKS2_UNREADABLE;
	else
		xts_decrypt(&key, 0, AREA_SECTOR, attempt->scratch, attempt->scratch, bytes);
	secret_wipe(&key, sizeof(key));
	return error;
}

static bool digest_holds(const struct luks2_digest *digest, const uint8_t *key, size_t key_bytes)
{
	uint8_t computed[HASH_MAX_BYTES], difference = 0;

	pbkdf2(digest->hash, key, key_bytes, digest->salt, digest->salt_bytes, digest->iterations, computed,
		digest->digest_bytes);
	for (size_t i = 0; i < digest->digest_bytes; i++)
		difference |= computed[i] ^ digest->digest[i];
	secret_wipe(computed, sizeof(computed));
	return difference == 0;
}

/* The digest that proves a key of this slot to be the key of the segment. */
static const struct luks2_digest *digest_of(const struct luks2 *header, unsigned slot)
{
	for (unsigned i = 0; i < LUKS2_DIGESTS; i++)
		if (header->digest[i].usable && header->digest[i].keyslots & 1u << slot &&
			header->digest[i].segments & 1u)
			return &header->digest[i];
	return NULL;
}

static enum luks2_error try_slot(const struct attempt *attempt, const struct luks2_keyslot *slot,
	const struct luks2_digest *digest, struct luks2_key *key)
{
	uint8_t area_key[LUKS2_MAX_KEY];
	enum luks2_error error;

	error = derive(attempt, slot, area_key);
	if (!error)
		error = read_area(attempt, slot, area_key);
	if (!error) {
		luks2_af_merge(attempt->scratch, slot->stripes, slot->af_hash, key->key, slot->key_bytes);
		key->key_bytes = slot->key_bytes;
		if (!digest_holds(digest, key->key, key->key_bytes))
			error = LUKS2_WRONG_PASSPHRASE;
	}
	secret_wipe(area_key, sizeof(area_key));
	secret_wipe(attempt->scratch, LUKS2_SCRATCH_BYTES);
	if (error)
		secret_wipe(key, sizeof(*key));
	return error;
}

/* A slot that could not be tried outweighs one that said no: the passphrase may have been its own. */
static enum luks2_error outweighing(enum luks2_error before, enum luks2_error now)
{
	return before == LUKS2_OK || before == LUKS2_WRONG_PASSPHRASE ? now : before;
}

enum luks2_error luks2_unlock(struct luks2 *header, const struct luks2_source *source, uint32_t keyslots,
	const void *passphrase, size_t passphrase_bytes, const struct argon2_memory *memory, void *scratch,
	struct luks2_key *key)
{
	struct attempt attempt = {source, passphrase, passphrase_bytes, memory, scratch};
	enum luks2_error result = LUKS2_OK, error;

	memset(key, 0, sizeof(*key));
	header->detail = "";
	for (unsigned priority = 2; priority > 0; priority--)
		for (unsigned i = 0; i < LUKS2_KEYSLOTS; i++) {
			const struct luks2_keyslot *slot = &header->keyslot[i];
			const struct luks2_digest *digest = digest_of(header, i);

			if (!(keyslots & 1u << i) || !slot->present || slot->priority != priority || !digest)
				continue;
			if (slot->unusable) {
				header->detail = slot->unusable;
				continue;
			}
			error = try_slot(&attempt, slot, digest, key);
			if (!error) {
				key->keyslot = i;
				header->detail = "";
				return LUKS2_OK;
			}
			result = outweighing(result, error);
		}
	if (result) {
		header->detail = "";
		return result;
	}
	if (!*header->detail)
		header->detail = "it has no key slot for a passphrase";
	return LUKS2_UNSUPPORTED;
}
