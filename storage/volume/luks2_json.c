/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The JSON text of a header into its typed description (LUKS2 On-Disk Format 1.1,
 * section 3). A parser here returns NULL, or the clause that says what is wrong.
 * What we merely cannot use is no error of the text: a key slot is marked, a
 * segment makes the header unsupported.
 */
#include "storage/volume/json.h"
#include "storage/volume/luks2.h"
#include <string.h>

#define SEGMENTS 32

/* The number that names an object: "0" .. "31". */
static bool number_of(const struct json_node *member, uint32_t limit, uint32_t *number)
{
	const char *name = member->name;

	if (member->name_bytes == 0 || member->name_bytes > 2 || (member->name_bytes == 2 && name[0] == '0'))
		return false;
	*number = 0;
	for (uint32_t i = 0; i < member->name_bytes; i++) {
		if (name[i] < '0' || name[i] > '9')
			return false;
		*number = *number * 10 + (uint32_t)(name[i] - '0');
	}
	return *number < limit;
}

/* An array of such numbers in strings, as a bit mask. */
static bool parse_set(const struct json_node *array, uint32_t limit, uint32_t *mask)
{
	uint64_t number;

	*mask = 0;
	if (!array || array->type != JSON_ARRAY)
		return false;
	for (const struct json_node *item = array->child; item; item = item->next) {
		if (!json_u64_string(item, &number) || number >= limit || *mask & 1u << number)
			return false;
		*mask |= 1u << number;
	}
	return true;
}

static bool parse_hash(const struct json_node *node, enum hash_kind *hash)
{
	*hash = json_is(node, "sha512") ? HASH_SHA512 : HASH_SHA256;
	return json_is(node, "sha256") || json_is(node, "sha512");
}

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
		if (!parse_hash(json_member(kdf, "hash"), &slot->kdf_hash))
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
	else if (!parse_hash(json_member(af, "hash"), &slot->af_hash))
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

static const char *parse_keyslots(
	const struct json_node *object, struct luks2 *header, uint64_t keyslots_bytes)
{
	uint32_t number;
	const char *wrong;

	if (!object || object->type != JSON_OBJECT)
		return "there is no list of key slots";
	for (const struct json_node *member = object->child; member; member = member->next) {
		if (!number_of(member, LUKS2_KEYSLOTS, &number))
			return "a key slot has no proper number";
		if ((wrong = parse_keyslot(member, &header->keyslot[number])))
			return wrong;
	}
	return check_areas(header, keyslots_bytes);
}

static const char *parse_digest(const struct json_node *object, struct luks2_digest *digest)
{
	if (!parse_set(json_member(object, "keyslots"), LUKS2_KEYSLOTS, &digest->keyslots) ||
		!parse_set(json_member(object, "segments"), SEGMENTS, &digest->segments))
		return "a digest does not say what it covers";
	if (!json_is(json_member(object, "type"), "pbkdf2") ||
		!parse_hash(json_member(object, "hash"), &digest->hash))
		return NULL;
	if (!json_u32(json_member(object, "iterations"), &digest->iterations) || !digest->iterations ||
		!json_base64(json_member(object, "salt"), digest->salt, sizeof(digest->salt),
			&digest->salt_bytes) ||
		!json_base64(json_member(object, "digest"), digest->digest, sizeof(digest->digest),
			&digest->digest_bytes) ||
		digest->digest_bytes < 20)
		return "a digest is incomplete";
	digest->usable = true;
	return NULL;
}

static const char *parse_digests(const struct json_node *object, struct luks2 *header)
{
	uint32_t number, covered = 0;
	const char *wrong;

	if (!object || object->type != JSON_OBJECT)
		return "there is no list of digests";
	for (const struct json_node *member = object->child; member; member = member->next) {
		if (!number_of(member, LUKS2_DIGESTS, &number))
			return "a digest has no proper number";
		if ((wrong = parse_digest(member, &header->digest[number])))
			return wrong;
		if (covered & header->digest[number].keyslots)
			return "two digests cover the same key slot";
		covered |= header->digest[number].keyslots;
	}
	for (unsigned i = 0; i < LUKS2_KEYSLOTS; i++)
		if (covered & 1u << i && !header->keyslot[i].present)
			return "a digest covers a key slot that is not there";
	return NULL;
}

static const char *parse_segment(const struct json_node *object, struct luks2_segment *segment)
{
	const struct json_node *size = json_member(object, "size");

	if (!json_u64_string(json_member(object, "offset"), &segment->offset) ||
		!json_u64_string(json_member(object, "iv_tweak"), &segment->iv_tweak) ||
		!json_u32(json_member(object, "sector_size"), &segment->sector_bytes))
		return "the segment is incomplete";
	if (segment->sector_bytes < 512 || segment->sector_bytes > 4096 ||
		(segment->sector_bytes & (segment->sector_bytes - 1)))
		return "the segment has an impossible sector size";
	if (!json_is(size, "dynamic") && (!json_u64_string(size, &segment->bytes) || !segment->bytes))
		return "the segment has no size";
	if (segment->offset % segment->sector_bytes || segment->bytes % segment->sector_bytes)
		return "the segment does not begin and end with a sector";
	return NULL;
}

static enum luks2_error parse_segments(const struct json_node *object, struct luks2 *header)
{
	const struct json_node *only = json_first(object, JSON_OBJECT);
	uint32_t number;
	const char *wrong = NULL;

	if (!only || !number_of(only, SEGMENTS, &number)) {
		header->detail = "there is no segment";
		return LUKS2_MALFORMED;
	}
	if (only->next || number != 0)
		wrong = "it has more than one segment";
	else if (!json_is(json_member(only, "type"), "crypt"))
		wrong = "its segment is not encrypted";
	else if (!json_is(json_member(only, "encryption"), "aes-xts-plain64"))
		wrong = "its cipher is not aes-xts-plain64";
	else if (json_member(only, "integrity"))
		wrong = "it uses integrity tags";
	else if (json_member(only, "flags"))
		wrong = "its segment has flags";
	if (wrong) {
		header->detail = wrong;
		return LUKS2_UNSUPPORTED;
	}
	header->detail = parse_segment(only, &header->segment);
	return header->detail ? LUKS2_MALFORMED : LUKS2_OK;
}

/* A requirement is something that a reader must understand before it touches the volume. */
static enum luks2_error check_requirements(const struct json_node *config, struct luks2 *header)
{
	const struct json_node *requirements = json_member(config, "requirements");
	const struct json_node *mandatory = json_member(requirements, "mandatory");
	static const char prefix[] = "online-reencrypt";

	for (const struct json_node *item = json_first(mandatory, JSON_ARRAY); item; item = item->next)
		if (item->type == JSON_STRING && item->text_bytes >= sizeof(prefix) - 1 &&
			!memcmp(item->text, prefix, sizeof(prefix) - 1))
			return LUKS2_REENCRYPTING;
	if (requirements && (!mandatory || mandatory->type != JSON_ARRAY || mandatory->child)) {
		header->detail = "it sets a requirement that is not known";
		return LUKS2_UNSUPPORTED;
	}
	return LUKS2_OK;
}

static bool guid_member(const struct json_node *object, const char *name, uint8_t guid[16])
{
	const struct json_node *node = json_member(object, name);

	return node && node->type == JSON_STRING && luks2_parse_guid(node->text, node->text_bytes, guid);
}

/* {"type":"underseal","keyslots":[],"partuuid":"...","disk_guid":"...","first_lba":"..","last_lba":"..","lba_size":"512"}
 */
static const char *parse_token(const struct json_node *object, struct luks2 *header)
{
	struct luks2_place *place = &header->token;
	uint64_t lba_bytes;

	if (header->has_token)
		return "it names two partitions";
	if (!guid_member(object, "partuuid", place->partuuid) ||
		!guid_member(object, "disk_guid", place->disk_guid) ||
		!json_u64_string(json_member(object, "first_lba"), &place->first_lba) ||
		!json_u64_string(json_member(object, "last_lba"), &place->last_lba) ||
		!json_u64_string(json_member(object, "lba_size"), &lba_bytes) || lba_bytes > UINT32_MAX ||
		place->first_lba > place->last_lba)
		return "the token that names its partition is incomplete";
	place->lba_bytes = (uint32_t)lba_bytes;
	header->has_token = true;
	return NULL;
}

static const char *parse_tokens(const struct json_node *object, struct luks2 *header)
{
	const char *wrong = NULL;
	uint32_t number;

	if (!object || object->type != JSON_OBJECT)
		return "there is no list of tokens";
	for (const struct json_node *member = object->child; member && !wrong; member = member->next) {
		if (!number_of(member, 32, &number))
			return "a token has no proper number";
		if (json_is(json_member(member, "type"), "underseal"))
			wrong = parse_token(member, header);
	}
	return wrong;
}

enum luks2_error luks2_describe(struct luks2 *header, const struct json_node *root)
{
	const struct json_node *config = json_member(root, "config");
	uint64_t json_bytes, keyslots_bytes;
	enum luks2_error error;
	const char *wrong = NULL;

	if (!json_u64_string(json_member(config, "json_size"), &json_bytes) ||
		json_bytes != header->header_bytes - 4096 ||
		!json_u64_string(json_member(config, "keyslots_size"), &keyslots_bytes)) {
		header->detail = "its sizes do not fit together";
		return LUKS2_MALFORMED;
	}
	if ((error = check_requirements(config, header)))
		return error;
	if ((wrong = parse_keyslots(json_member(root, "keyslots"), header, keyslots_bytes)) ||
		(wrong = parse_digests(json_member(root, "digests"), header)) ||
		(wrong = parse_tokens(json_member(root, "tokens"), header))) {
		header->detail = wrong;
		return LUKS2_MALFORMED;
	}
	if ((error = parse_segments(json_member(root, "segments"), header)))
		return error;
	header->detail = "";
	return LUKS2_OK;
}
