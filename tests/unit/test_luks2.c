/* SPDX-License-Identifier: Apache-2.0 */
/*
 * LUKS2 against headers made by stock cryptsetup on plain files: every key is
 * compared with the one cryptsetup dumps, and every kind of damage has its answer.
 */
#include "storage/volume/luks2.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#define PASSPHRASE   "correct horse"
#define HEADER_BYTES (1 << 20) /* all that is read of a header; the image is made as large */
#define COPY_BYTES   0x4000

static char directory[] = "/tmp/underseal-luks2-XXXXXX";
static uint8_t *scratch;

/* A header in memory, of exactly its size, so that the sanitizer sees a byte too far. */
struct image {
	uint8_t *data;
	size_t bytes;
	uint64_t fail_from, fail_to; /* reads that touch this range fail */
};

static int read_image(void *context, uint64_t offset, void *buffer, size_t bytes)
{
	const struct image *image = context;

	assert_true(offset <= image->bytes && bytes <= image->bytes - offset);
	if (offset < image->fail_to && offset + bytes > image->fail_from)
		return -1;
	memcpy(buffer, image->data + offset, bytes);
	return 0;
}

static struct luks2_source source_of(struct image *image)
{
	return (struct luks2_source){.read = read_image, .context = image, .bytes = image->bytes};
}

static void *take(void *context, size_t bytes)
{
	(void)context;
	return aligned_alloc(64, bytes);
}

static void *take_nothing(void *context, size_t bytes)
{
	(void)context;
	(void)bytes;
	return NULL;
}

static void give_back(void *context, void *memory, size_t bytes)
{
	(void)context;
	(void)bytes;
	free(memory);
}

static const struct argon2_memory memory = {.take = take, .give_back = give_back};
static const struct argon2_memory no_memory = {.take = take_nothing, .give_back = give_back};

static void run(const char *format, ...)
{
	char command[2000];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(command, sizeof(command), format, arguments);
	va_end(arguments);
	if (system(command) != 0)
		fail_msg("failed: %s", command);
}

static void load(struct image *image, const char *name)
{
	char path[200];
	FILE *file;

	memset(image, 0, sizeof(*image));
	snprintf(path, sizeof(path), "%s/%s", directory, name);
	file = fopen(path, "rb");
	assert_non_null(file);
	image->data = malloc(HEADER_BYTES);
	image->bytes = fread(image->data, 1, HEADER_BYTES, file);
	fclose(file);
	assert_true(image->bytes > 0);
}

#define PBKDF2_CHEAP "--pbkdf pbkdf2 --pbkdf-force-iterations 1000 "
#define ARGON2_CHEAP "--pbkdf argon2id --pbkdf-force-iterations 4 --pbkdf-memory 64 --pbkdf-parallel 2 "
#define TOKEN                                                                                                \
	"{\"type\":\"underseal\",\"keyslots\":[],\"partuuid\":\"01234567-89AB-cdef-0011-223344556677\","     \
	"\"disk_guid\":\"A1234567-89ab-cdef-0011-223344556677\",\"first_lba\":\"2048\",\"last_lba\":"        \
	"\"67583\","                                                                                         \
	"\"lba_size\":\"512\"}"

/* Makes the header `name` with the given options; its key is in `name`.key. */
static void format_header(const char *name, const char *options)
{
	run("cd %s && printf %%s '" PASSPHRASE "' >pass && truncate -s 32M data && truncate -s 1M %s && "
	    "cryptsetup luksFormat -q --type luks2 --luks2-metadata-size 16k --luks2-keyslots-size 900k "
	    "--cipher aes-xts-plain64 --header %s %s data --key-file pass && "
	    "cryptsetup luksDump -q --dump-volume-key --volume-key-file %s.key --key-file pass %s >dump 2>&1",
		directory, name, name, options, name, name);
}

static int make_headers(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(directory));
	scratch = aligned_alloc(64, LUKS2_SCRATCH_BYTES);
	format_header("sha256", PBKDF2_CHEAP "--hash sha256 --key-size 512 --sector-size 512");
	format_header("sha512", PBKDF2_CHEAP "--hash sha512 --key-size 512 --sector-size 4096");
	format_header("aes128", PBKDF2_CHEAP "--hash sha256 --key-size 256 --sector-size 2048");
	format_header("argon2id", ARGON2_CHEAP "--hash sha256 --key-size 512 --sector-size 4096");
	run("cd %s && printf %%s '" TOKEN "' | cryptsetup token import sha256", directory);
	return 0;
}

static int remove_headers(void **state)
{
	(void)state;
	free(scratch);
	run("rm -rf %s", directory);
	return 0;
}

/* ---- changing a header ---- */

static void reseal(struct image *image, uint64_t offset)
{
	uint8_t *copy = image->data + offset;
	struct hash hash;

	memset(copy + 448, 0, 64);
	hash_init(&hash, HASH_SHA256);
	hash_update(&hash, copy, COPY_BYTES);
	hash_final(&hash, copy + 448);
}

/* Replaces the first `from` in the JSON of both copies and makes the sums right again. */
static void patch(struct image *image, const char *from, const char *to)
{
	for (uint64_t offset = 0; offset <= COPY_BYTES; offset += COPY_BYTES) {
		char *text = (char *)image->data + offset + 4096, *end = text + strlen(text);
		char *found = strstr(text, from);
		size_t grow = strlen(to) - strlen(from);

		if (!found)
			fail_msg("no %s in %s", from, text);
		memmove(found + strlen(to), found + strlen(from), (size_t)(end - found) - strlen(from));
		memcpy(found, to, strlen(to));
		memset(end + (ptrdiff_t)grow, 0,
			(size_t)((char *)image->data + offset + COPY_BYTES - end) - grow);
		reseal(image, offset);
	}
}

static enum luks2_error read_header(struct luks2 *header, struct image *image)
{
	struct luks2_source source = source_of(image);

	return luks2_read(header, &source, scratch);
}

static enum luks2_error unlock(
	struct luks2 *header, struct image *image, const char *passphrase, struct luks2_key *key)
{
	struct luks2_source source = source_of(image);

	return luks2_unlock(
		header, &source, LUKS2_ALL_KEYSLOTS, passphrase, strlen(passphrase), &memory, scratch, key);
}

static void expect_patched(const char *name, const char *from, const char *to, enum luks2_error expected)
{
	struct luks2 header;
	struct image image;
	enum luks2_error error;

	load(&image, name);
	patch(&image, from, to);
	error = read_header(&header, &image);
	if (error != expected)
		fail_msg("%s -> %s: error %d (%s), not %d", from, to, error, header.detail, expected);
	free(image.data);
}

static bool is_zero(const void *data, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		if (((const uint8_t *)data)[i])
			return false;
	return true;
}

/* ---- the tests ---- */

static void check_opens(const char *name, uint32_t sector_bytes, uint32_t key_bytes)
{
	struct luks2_key key, expected_zero = {0};
	struct image image, raw;
	struct luks2 header;
	char key_name[40];

	load(&image, name);
	snprintf(key_name, sizeof(key_name), "%s.key", name);
	load(&raw, key_name);
	assert_int_equal(raw.bytes, key_bytes);
	assert_int_equal(read_header(&header, &image), LUKS2_OK);
	assert_int_equal(header.copy[0], LUKS2_COPY_WHOLE);
	assert_int_equal(header.copy[1], LUKS2_COPY_WHOLE);
	assert_int_equal(header.chosen, 0);
	assert_int_equal(header.segment.sector_bytes, sector_bytes);
	assert_int_equal(header.segment.offset, 0);
	assert_int_equal(header.segment.bytes, 0);
	assert_int_equal(header.segment.iv_tweak, 0);
	assert_int_equal(strlen(header.uuid), 36);
	assert_int_equal(unlock(&header, &image, PASSPHRASE, &key), LUKS2_OK);
	assert_int_equal(key.key_bytes, key_bytes);
	assert_int_equal(key.keyslot, 0);
	assert_memory_equal(key.key, raw.data, key_bytes);
	assert_true(is_zero(scratch, LUKS2_SCRATCH_BYTES));

	assert_int_equal(unlock(&header, &image, PASSPHRASE "!", &key), LUKS2_WRONG_PASSPHRASE);
	assert_int_equal(unlock(&header, &image, "", &key), LUKS2_WRONG_PASSPHRASE);
	assert_memory_equal(&key, &expected_zero, sizeof(key));
	assert_true(is_zero(scratch, LUKS2_SCRATCH_BYTES));
	free(image.data);
	free(raw.data);
}

static void pbkdf2_sha256_opens(void **state)
{
	(void)state;
	check_opens("sha256", 512, 64);
}

static void pbkdf2_sha512_opens(void **state)
{
	(void)state;
	check_opens("sha512", 4096, 64);
}

static void aes128_opens(void **state)
{
	(void)state;
	check_opens("aes128", 2048, 32);
}

static void argon2id_opens(void **state)
{
	struct luks2_source source;
	struct image image;
	struct luks2 header;
	struct luks2_key key;

	(void)state;
	check_opens("argon2id", 4096, 64);
	load(&image, "argon2id");
	source = source_of(&image);
	assert_int_equal(read_header(&header, &image), LUKS2_OK);
	assert_int_equal(luks2_unlock(&header, &source, LUKS2_ALL_KEYSLOTS, PASSPHRASE, strlen(PASSPHRASE),
				 &no_memory, scratch, &key),
		LUKS2_NO_MEMORY);
	assert_true(is_zero(&key, sizeof(key)));
	free(image.data);
}

/* Several slots: whichever fits opens; an ignored one does not, nor one that was not asked for. */
static void several_slots(void **state)
{
	struct luks2_source source;
	struct luks2_key key;
	struct luks2 header;
	struct image image;

	(void)state;
	run("cd %s && cp sha256 many && printf second >pass2 && printf third >pass3 && "
	    "cryptsetup luksAddKey -q " ARGON2_CHEAP "--key-file pass many pass2 && "
	    "cryptsetup luksAddKey -q " PBKDF2_CHEAP "--hash sha512 --key-file pass many pass3 && "
	    "cryptsetup config --key-slot 2 --priority ignore many",
		directory);
	load(&image, "many");
	assert_int_equal(read_header(&header, &image), LUKS2_OK);
	assert_int_equal(unlock(&header, &image, "second", &key), LUKS2_OK);
	assert_int_equal(key.keyslot, 1);
	assert_int_equal(unlock(&header, &image, PASSPHRASE, &key), LUKS2_OK);
	assert_int_equal(key.keyslot, 0);
	assert_int_equal(unlock(&header, &image, "third", &key), LUKS2_WRONG_PASSPHRASE);
	header.keyslot[2].priority = 2;
	assert_int_equal(unlock(&header, &image, "third", &key), LUKS2_OK);
	assert_int_equal(key.keyslot, 2);
	source = source_of(&image);
	for (uint32_t slot = 0; slot < 4; slot++)
		assert_int_equal(luks2_unlock(&header, &source, 1u << slot, "second", 6, &memory, scratch, &key),
			slot == 1 ? LUKS2_OK : slot == 3 ? LUKS2_UNSUPPORTED : LUKS2_WRONG_PASSPHRASE);
	free(image.data);
}

/* A flipped bit anywhere in what the sum covers costs that copy, and the other serves. */
static void one_damaged_copy(void **state)
{
	struct luks2_key key;
	struct luks2 header;
	struct image image;

	(void)state;
	load(&image, "sha256");
	for (uint32_t copy = 0; copy < 2; copy++)
		for (uint32_t at = 0; at < COPY_BYTES; at += at < 512 ? 1 : 97) {
			uint8_t *byte = image.data + copy * COPY_BYTES + at;
			uint8_t bit = (uint8_t)(1u << at % 8);

			if (at >= 448 + 32 && at < 512)
				continue; /* behind a sum of 32 bytes nothing is meant */
			*byte ^= bit;
			if (read_header(&header, &image) != LUKS2_OK || header.chosen != 1 - copy ||
				header.copy[copy] == LUKS2_COPY_WHOLE ||
				header.copy[1 - copy] != LUKS2_COPY_WHOLE)
				fail_msg("copy %u, byte %u", copy, at);
			*byte ^= bit;
		}
	memset(image.data, 0, 4096);
	assert_int_equal(read_header(&header, &image), LUKS2_OK);
	assert_int_equal(header.copy[0], LUKS2_COPY_ABSENT);
	assert_int_equal(unlock(&header, &image, PASSPHRASE, &key), LUKS2_OK);
	free(image.data);
}

static void both_copies_damaged(void **state)
{
	struct luks2 header;
	struct image image;

	(void)state;
	load(&image, "sha256");
	image.data[5000] ^= 1;
	image.data[COPY_BYTES + 5000] ^= 1;
	assert_int_equal(read_header(&header, &image), LUKS2_DAMAGED);
	assert_int_equal(header.copy[0], LUKS2_COPY_DAMAGED);
	assert_int_equal(header.copy[1], LUKS2_COPY_DAMAGED);
	memset(image.data, 0, 2 * COPY_BYTES);
	assert_int_equal(read_header(&header, &image), LUKS2_NO_HEADER);
	free(image.data);
}

/* The secondary of every legal size is found behind a lost primary. */
static void secondary_is_probed(void **state)
{
	static const char *const sizes[] = {"16k", "32k", "64k", "128k", "256k", "512k", "1m", "2m", "4m"};
	struct luks2 header;

	(void)state;
	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct image image = {.bytes = 9 << 20};
		char path[200];
		FILE *file;

		run("cd %s && truncate -s 0 probe && truncate -s 9M probe && "
		    "cryptsetup luksFormat -q --type luks2 --luks2-metadata-size %s --luks2-keyslots-size "
		    "512k "
		    "--header probe " PBKDF2_CHEAP "data --key-file pass",
			directory, sizes[i]);
		snprintf(path, sizeof(path), "%s/probe", directory);
		file = fopen(path, "rb");
		image.data = malloc(image.bytes);
		image.bytes = fread(image.data, 1, image.bytes, file);
		fclose(file);
		assert_int_equal(read_header(&header, &image), LUKS2_OK);
		assert_int_equal(header.header_bytes, (uint64_t)COPY_BYTES << i);
		memset(image.data, 0xff, 512);
		assert_int_equal(read_header(&header, &image), LUKS2_OK);
		assert_int_equal(header.chosen, 1);
		assert_int_equal(header.header_bytes, (uint64_t)COPY_BYTES << i);
		free(image.data);
	}
}

static void set_sequence(struct image *image, uint64_t offset, uint8_t sequence)
{
	memset(image->data + offset + 16, 0, 7);
	image->data[offset + 16 + 7] = sequence;
	reseal(image, offset);
}

static void newer_copy_wins(void **state)
{
	struct luks2 header;
	struct image image;

	(void)state;
	load(&image, "sha256");
	set_sequence(&image, 0, 7);
	set_sequence(&image, COPY_BYTES, 8);
	assert_int_equal(read_header(&header, &image), LUKS2_OK);
	assert_int_equal(header.chosen, 1);
	assert_int_equal(header.sequence, 8);
	set_sequence(&image, 0, 9);
	assert_int_equal(read_header(&header, &image), LUKS2_OK);
	assert_int_equal(header.chosen, 0);
	assert_int_equal(header.sequence, 9);
	set_sequence(&image, COPY_BYTES, 9);
	assert_int_equal(read_header(&header, &image), LUKS2_OK);
	assert_int_equal(header.chosen, 0);
	free(image.data);
}

static void short_and_unreadable_sources(void **state)
{
	struct luks2_key key;
	struct luks2 header;
	struct image image;
	static const size_t lengths[] = {0, 1, 4095, 4096, 4097, COPY_BYTES - 1};

	(void)state;
	load(&image, "sha256");
	for (unsigned i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		struct image cut = {.data = malloc(lengths[i] + 1), .bytes = lengths[i]};

		memcpy(cut.data, image.data, lengths[i]);
		assert_int_not_equal(read_header(&header, &cut), LUKS2_OK);
		free(cut.data);
	}
	image.fail_to = 1; /* the primary's first sector */
	assert_int_equal(read_header(&header, &image), LUKS2_OK);
	assert_int_equal(header.chosen, 1);
	image.fail_to = 2 * COPY_BYTES;
	assert_int_equal(read_header(&header, &image), LUKS2_UNREADABLE);
	image.fail_from = 2 * COPY_BYTES; /* the key slots */
	image.fail_to = image.bytes;
	assert_int_equal(read_header(&header, &image), LUKS2_OK);
	assert_int_equal(unlock(&header, &image, PASSPHRASE, &key), LUKS2_UNREADABLE);
	image.fail_to = 0;
	image.bytes = 2 * COPY_BYTES + 5000; /* a source that ends within the area */
	assert_int_equal(read_header(&header, &image), LUKS2_OK);
	assert_int_equal(unlock(&header, &image, PASSPHRASE, &key), LUKS2_UNREADABLE);
	free(image.data);
}

/* A copy whose sum is right, but which stands where it does not belong. */
static void misplaced_copies_are_damaged(void **state)
{
	struct luks2 header;
	struct image image;

	(void)state;
	load(&image, "sha256");
	image.data[256 + 6] ^= 0x40; /* the primary says it stands at 16 KiB */
	reseal(&image, 0);
	assert_int_equal(read_header(&header, &image), LUKS2_OK);
	assert_int_equal(header.copy[0], LUKS2_COPY_DAMAGED);
	free(image.data);

	/* A secondary of 16 KiB at 32 KiB, which says so. */
	load(&image, "sha256");
	memset(image.data, 0, COPY_BYTES);
	memcpy(image.data + 2 * COPY_BYTES, image.data + COPY_BYTES, COPY_BYTES);
	memset(image.data + COPY_BYTES, 0, COPY_BYTES);
	image.data[2 * COPY_BYTES + 256 + 6] = 2 * COPY_BYTES >> 8;
	reseal(&image, 2 * COPY_BYTES);
	assert_int_equal(read_header(&header, &image), LUKS2_DAMAGED);
	assert_int_equal(header.copy[1], LUKS2_COPY_DAMAGED);
	free(image.data);
}

/* A second key slot upon the first, and a second digest of it. */
static void doubles_are_malformed(void **state)
{
	char slot[1500] = "\"keyslots\":{\"1\":", digest[1500] = "\"digests\":{\"1\":";
	struct image image;
	char *text, *start;

	(void)state;
	load(&image, "sha256");
	text = (char *)image.data + 4096;
	start = strstr(text, "{\"0\":") + 5;
	strncat(slot, start, (size_t)(strstr(start, "},\"tokens\"") - start));
	strcat(slot, ",\"0\":");
	start = strstr(text, "\"digests\":{\"0\":") + 15;
	strncat(digest, start, (size_t)(strstr(start, "},\"config\"") - start));
	strcat(digest, ",\"0\":");
	free(image.data);
	expect_patched("sha256", "\"keyslots\":{\"0\":", slot, LUKS2_MALFORMED);
	expect_patched("sha256", "\"digests\":{\"0\":", digest, LUKS2_MALFORMED);
}

static void contradictions_are_malformed(void **state)
{
	(void)state;
	expect_patched("sha256", "\"stripes\":4000", "\"stripes\":4001", LUKS2_MALFORMED);
	expect_patched("sha256", "\"offset\":\"32768\"", "\"offset\":\"16384\"", LUKS2_MALFORMED);
	expect_patched(
		"sha256", "\"offset\":\"32768\"", "\"offset\":\"18446744073709551104\"", LUKS2_MALFORMED);
	expect_patched("sha256", "\"size\":\"258048\"", "\"size\":\"18446744073709551104\"", LUKS2_MALFORMED);
	expect_patched("sha256", "\"size\":\"258048\"", "\"size\":\"255488\"", LUKS2_MALFORMED);
	expect_patched("sha256", "\"iterations\":1000", "\"iterations\":0", LUKS2_MALFORMED);
	expect_patched("sha256", "\"iterations\":1000", "\"iterations\":-1", LUKS2_MALFORMED);
	expect_patched("sha256", "\"json_size\":\"12288\"", "\"json_size\":\"12289\"", LUKS2_MALFORMED);
	expect_patched("sha256", "\"sector_size\":512", "\"sector_size\":513", LUKS2_MALFORMED);
	expect_patched("sha256", "\"sector_size\":512", "\"sector_size\":0", LUKS2_MALFORMED);
	expect_patched("sha256", "\"segments\":[\"0\"]", "\"segments\":[0]", LUKS2_MALFORMED);
	expect_patched("sha256", "\"keyslots\":[\"0\"]", "\"keyslots\":[\"1\"]", LUKS2_MALFORMED);
	expect_patched("sha256", "\"first_lba\":\"2048\"", "\"first_lba\":2048", LUKS2_MALFORMED);
	expect_patched("sha256", "\"first_lba\":\"2048\"", "\"first_lba\":\"99999\"", LUKS2_MALFORMED);
	expect_patched("sha256", "\"tokens\"", "\"sekots\"", LUKS2_MALFORMED);
}

static void text_that_is_no_json_costs_the_copy(void **state)
{
	struct luks2 header;
	struct image image;

	(void)state;
	expect_patched("sha256", "{\"keyslots\"", "[\"keyslots\"", LUKS2_DAMAGED);
	expect_patched("sha256", "\"tokens\"", "\"keyslots\"", LUKS2_DAMAGED);
	load(&image, "sha256");
	image.data[COPY_BYTES - 1] = '{'; /* behind the NULs that follow the text */
	reseal(&image, 0);
	assert_int_equal(read_header(&header, &image), LUKS2_OK);
	assert_int_equal(header.copy[0], LUKS2_COPY_DAMAGED);
	memset(image.data + COPY_BYTES + 4096, ' ', COPY_BYTES - 4096);
	reseal(&image, COPY_BYTES);
	assert_int_equal(read_header(&header, &image), LUKS2_DAMAGED);
	free(image.data);
}

static void foreign_features_are_told(void **state)
{
	struct luks2_key key;
	struct luks2 header;
	struct image image;

	(void)state;
	expect_patched("sha256", "\"type\":\"crypt\"", "\"type\":\"linear\"", LUKS2_UNSUPPORTED);
	expect_patched("sha256", "\"segments\":{\"0\":{", "\"segments\":{\"0\":{\"flags\":[\"x\"],",
		LUKS2_UNSUPPORTED);
	expect_patched("sha256", "\"segments\":{\"0\":{", "\"segments\":{\"0\":{\"integrity\":{},",
		LUKS2_UNSUPPORTED);
	expect_patched("sha256", "\"config\":{", "\"config\":{\"requirements\":{\"mandatory\":[\"magic\"]},",
		LUKS2_UNSUPPORTED);
	expect_patched("sha256", "\"config\":{",
		"\"config\":{\"requirements\":{\"mandatory\":[\"online-reencrypt-v2\"]},",
		LUKS2_REENCRYPTING);

	load(&image, "argon2id");
	patch(&image, "\"argon2id\"", "\"argon2i\"");
	assert_int_equal(read_header(&header, &image), LUKS2_OK);
	assert_int_equal(unlock(&header, &image, PASSPHRASE, &key), LUKS2_UNSUPPORTED);
	assert_non_null(strstr(header.detail, "argon2i,"));
	free(image.data);
}

/* A header that stock cryptsetup has begun to convert. */
static void reencryption_is_told(void **state)
{
	struct luks2 header;
	struct image image;

	(void)state;
	run("cd %s && cp data plain && truncate -s 0 moving && truncate -s 4M moving && "
	    "cryptsetup reencrypt -q --encrypt --init-only --type luks2 " PBKDF2_CHEAP
	    "--header moving --key-file pass plain",
		directory);
	load(&image, "moving");
	assert_int_equal(read_header(&header, &image), LUKS2_REENCRYPTING);
	free(image.data);
}

/* A damaged key area is a wrong passphrase to everybody: the digest says no. */
static void damaged_key_area(void **state)
{
	struct luks2_key key;
	struct luks2 header;
	struct image image;

	(void)state;
	load(&image, "sha256");
	image.data[2 * COPY_BYTES + 100000] ^= 0x10;
	assert_int_equal(read_header(&header, &image), LUKS2_OK);
	assert_int_equal(unlock(&header, &image, PASSPHRASE, &key), LUKS2_WRONG_PASSPHRASE);
	free(image.data);
}

static void token_binds_the_place(void **state)
{
	static const uint8_t partuuid[16] = {0x67, 0x45, 0x23, 0x01, 0xab, 0x89, 0xef, 0xcd, 0x00, 0x11, 0x22,
		0x33, 0x44, 0x55, 0x66, 0x77};
	struct luks2_place place, other;
	struct luks2 header;
	struct image image;

	(void)state;
	load(&image, "sha256");
	assert_int_equal(read_header(&header, &image), LUKS2_OK);
	assert_true(header.has_token);
	memcpy(place.partuuid, partuuid, 16);
	memcpy(place.disk_guid, partuuid, 16);
	place.disk_guid[3] = 0xa1;
	place.first_lba = 2048;
	place.last_lba = 67583;
	place.lba_bytes = 512;
	assert_int_equal(luks2_check_place(&header, &place), LUKS2_OK);
	for (unsigned i = 0; i < 5; i++) {
		other = place;
		other.first_lba += i == 0;
		other.last_lba += i == 1;
		other.lba_bytes <<= i == 2 ? 3 : 0;
		other.partuuid[15] ^= i == 3;
		other.disk_guid[0] ^= i == 4;
		assert_int_equal(luks2_check_place(&header, &other), LUKS2_TOKEN_MISMATCH);
		assert_true(*header.detail);
	}
	header.has_token = false;
	assert_int_equal(luks2_check_place(&header, &place), LUKS2_NO_TOKEN);
	free(image.data);
}

static void guids_are_strict(void **state)
{
	uint8_t guid[16];

	(void)state;
	assert_true(luks2_parse_guid("01234567-89ab-CDEF-0011-223344556677", 36, guid));
	assert_false(luks2_parse_guid("01234567-89ab-cdef-0011-22334455667", 35, guid));
	assert_false(luks2_parse_guid("01234567-89ab-cdef-0011-22334455667g", 36, guid));
	assert_false(luks2_parse_guid("0123456789ab--cdef-0011-223344556677", 36, guid));
	assert_false(luks2_parse_guid("{1234567-89ab-cdef-0011-22334455667}", 36, guid));
}

static void every_error_has_a_sentence(void **state)
{
	(void)state;
	for (int error = LUKS2_OK; error <= LUKS2_NO_MEMORY; error++)
		assert_string_not_equal(luks2_error_text((enum luks2_error)error), "Unknown error.");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pbkdf2_sha256_opens),
		cmocka_unit_test(pbkdf2_sha512_opens),
		cmocka_unit_test(aes128_opens),
		cmocka_unit_test(argon2id_opens),
		cmocka_unit_test(several_slots),
		cmocka_unit_test(one_damaged_copy),
		cmocka_unit_test(both_copies_damaged),
		cmocka_unit_test(secondary_is_probed),
		cmocka_unit_test(newer_copy_wins),
		cmocka_unit_test(short_and_unreadable_sources),
		cmocka_unit_test(misplaced_copies_are_damaged),
		cmocka_unit_test(doubles_are_malformed),
		cmocka_unit_test(contradictions_are_malformed),
		cmocka_unit_test(text_that_is_no_json_costs_the_copy),
		cmocka_unit_test(foreign_features_are_told),
		cmocka_unit_test(reencryption_is_told),
		cmocka_unit_test(damaged_key_area),
		cmocka_unit_test(token_binds_the_place),
		cmocka_unit_test(guids_are_strict),
		cmocka_unit_test(every_error_has_a_sentence),
	};

	return cmocka_run_group_tests(tests, make_headers, remove_headers);
}
