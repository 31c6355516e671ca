/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The JSON text of a header into its typed description (LUKS2 On-Disk Format 1.1,
 * section 3). A parser returns NULL, or the clause that says what is wrong.
 * What we merely cannot use is no error of the text: a key slot is marked, a
 * segment makes the header unsupported.
 */
#include "storage/volume/luks2_json.h"
#include <string.h>

#define SEGMENTS 32

bool luks2_number_of(const struct json_node *member, uint32_t limit, uint32_t *number)
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

bool luks2_parse_set(const struct json_node *array, uint32_t limit, uint32_t *mask)
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

bool luks2_parse_hash(const struct json_node *node, enum hash_kind *hash)
{
	*hash = json_is(node, "sha512") ? HASH_SHA512 : HASH_SHA256;
	return json_is(node, "sha256") || json_is(node, "sha512");
}

static const char *parse_digest(const struct json_node *object, struct luks2_digest *digest)
{
	if (!luks2_parse_set(json_member(object, "keyslots"), LUKS2_KEYSLOTS, &digest->keyslots) ||
		!luks2_parse_set(json_member(object, "segments"), SEGMENTS, &digest->segments))
		return "a digest does not say what it covers";
	if (!json_is(json_member(object, "type"), "pbkdf2") ||
		!luks2_parse_hash(json_member(object, "hash"), &digest->hash))
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
		if (!luks2_number_of(member, LUKS2_DIGESTS, &number))
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

	if (!only || !luks2_number_of(only, SEGMENTS, &number)) {
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
		if (!luks2_number_of(member, 32, &number))
			return "a token has no proper number";
		if (json_is(json_member(member, "type"), "underseal"))
			wrong = parse_token(member, header);
		else if (json_is(json_member(member, "type"), "systemd-tpm2") &&
			header->tpm2_tokens < LUKS2_TPM2_TOKENS)
			luks2_parse_tpm2(member, &header->tpm2[header->tpm2_tokens++]);
		else if (json_is(json_member(member, "type"), "systemd-pkcs11") &&
			header->pkcs11_tokens < LUKS2_PKCS11_TOKENS)
			luks2_parse_pkcs11(member, &header->pkcs11[header->pkcs11_tokens++]);
	}
	for (const struct json_node *member = object->child; member; member = member->next)
		if (json_is(json_member(member, "type"), "underseal-pcrs"))
			luks2_take_record(member, header->tpm2, header->tpm2_tokens);
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
	if ((wrong = luks2_parse_keyslots(json_member(root, "keyslots"), header, keyslots_bytes)) ||
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
