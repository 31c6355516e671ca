/* SPDX-License-Identifier: Apache-2.0 */
/* The key slots of a header's JSON text (LUKS2 On-Disk Format 1.1, 3.2). */
#include "storage/volume/luks2_json.h"

static bool is_cipher_key(uint32_t bytes)
{
	return bytes == 32 || bytes == 64;
}

static const char *parse_kdf(const struct json_node *kdf, struct luks2_keyslot *slot)
{
	const struct json_node *type = json_member(kdf, "type");

	if (!json_base64(json_member(kdf, "salt"), slot->salt, sizeof(slot->salt), &slot->salt_bytes))
		return "a key slot has no proper salt";
	if (json_is(type, "pbkdf2")) {
		slot->kdf = LUKS2_PBKDF2;
		if (!json_u32(json_member(kdf, "iterations"), &slot->iterations) || !slot->iterations)
			return "a key slot has no number of iterations";
		if (!luks2_parse_hash(json_member(kdf, "hash"), &slot->kdf_hash))
			slot->unusable = "its key derivation uses a hash other than sha256 and sha512";
	} else if (json_is(type, "argon2id")) {
		slot->kdf = LUKS2_ARGON2ID;
		if (!json_u32(json_member(kdf, "time"), &slot->cost.passes) || !slot->cost.passes ||
			!json_u32(json_member(kdf, "memory"), &slot->cost.memory_kib) ||
			!json_u32(json_member(kdf, "cpus"), &slot->cost.lanes) || !slot->cost.lanes)
			return "a key slot has no proper argon2id cost";
	} else if (json_is(type, "argon2i")) {
		slot->unusable = "its key derivation is argon2i, only argon2id and pbkdf2 are supported";
	} else {
		slot->unusable = "its key derivation is neither argon2id nor pbkdf2";
	}
	return NULL;
}

static const char *parse_area(const struct json_node *area, struct luks2_keyslot *slot)
{
	if (!json_u64_string(json_member(area, "offset"), &slot->area_offset) ||
		!json_u64_string(json_member(area, "size"), &slot->area_bytes))
		return "a key slot has no area";
	if (!json_is(json_member(area, "type"), "raw"))
		slot->unusable = "its area is of an unknown type";
	else if (!json_is(json_member(area, "encryption"), "aes-xts-plain64"))
		slot->unusable = "its area is not encrypted by aes-xts-plain64";
	else if (!json_u32(json_member(area, "key_size"), &slot->area_key_bytes) ||
		 !is_cipher_key(slot->area_key_bytes))
		return "a key slot's area has no proper key size";
	return NULL;
}

static const char *parse_splitter(const struct json_node *af, struct luks2_keyslot *slot)
{
	if (!json_is(json_member(af, "type"), "luks1"))
		slot->unusable = "its splitter is of an unknown type";
	else if (!json_u32(json_member(af, "stripes"), &slot->stripes) || slot->stripes != 4000)
		return "a key slot has other than 4000 stripes";
	else if (!luks2_parse_hash(json_member(af, "hash"), &slot->af_hash))
		slot->unusable = "its splitter uses a hash other than sha256 and sha512";
	return NULL;
}

static const char *parse_keyslot(const struct json_node *object, struct luks2_keyslot *slot)
{
	const struct json_node *priority = json_member(object, "priority");
	uint32_t value = 1;
	const char *wrong;

	slot->present = true;
	if (priority && (!json_u32(priority, &value) || value > 2))
		return "a key slot has an unknown priority";
	slot->priority = (uint8_t)value;
	if (!json_is(json_member(object, "type"), "luks2")) {
		slot->unusable = "it is of an unknown type";
		return NULL;
	}
	if (!json_u32(json_member(object, "key_size"), &slot->key_bytes))
		return "a key slot has no key size";
	if (!is_cipher_key(slot->key_bytes))
		slot->unusable = "its key is no key of AES-XTS";
	if ((wrong = parse_kdf(json_member(object, "kdf"), slot)) ||
		(wrong = parse_splitter(json_member(object, "af"), slot)) ||
		(wrong = parse_area(json_member(object, "area"), slot)))
		return wrong;
	if (!slot->unusable && slot->area_bytes < (uint64_t)slot->key_bytes * slot->stripes)
		return "a key slot's area is too small for its key";
	return NULL;
}

/* Areas lie behind both header copies, within the space for key slots, and not upon each other. */
static const char *check_areas(const struct luks2 *header, uint64_t keyslots_bytes)
{
	uint64_t first = 2 * header->header_bytes;

	for (unsigned i = 0; i < LUKS2_KEYSLOTS; i++) {
		const struct luks2_keyslot *slot = &header->keyslot[i];

		if (!slot->present || !slot->area_bytes)
			continue;
		if (slot->area_offset < first || slot->area_offset - first > keyslots_bytes ||
			slot->area_bytes > keyslots_bytes - (slot->area_offset - first) ||
			slot->area_offset % 512)
			return "a key slot's area lies outside the space for key slots";
		for (unsigned j = 0; j < i; j++) {
			const struct luks2_keyslot *other = &header->keyslot[j];

			if (other->present && slot->area_offset < other->area_offset + other->area_bytes &&
				other->area_offset < slot->area_offset + slot->area_bytes)
				return "the areas of two key slots overlap";
		}
	}
	return NULL;
}

const char *luks2_parse_keyslots(
	const struct json_node *object, struct luks2 *header, uint64_t keyslots_bytes)
{
	uint32_t number;
	const char *wrong;

	if (!object || object->type != JSON_OBJECT)
		return "there is no list of key slots";
	for (const struct json_node *member = object->child; member; member = member->next) {
		if (!luks2_number_of(member, LUKS2_KEYSLOTS, &number))
			return "a key slot has no proper number";
		if ((wrong = parse_keyslot(member, &header->keyslot[number])))
			return wrong;
	}
	return check_areas(header, keyslots_bytes);
}
