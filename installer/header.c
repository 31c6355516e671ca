/* SPDX-License-Identifier: Apache-2.0 */
#include "installer/header.h"
#include "installer/exits.h"
#include "storage/crypt/wipe.h"
#include "storage/port.h"
#include <errno.h>
#include <libcryptsetup.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#define JSON_COPY_BYTES 0x4000 /* each copy of binary header and JSON */
#define PBKDF_MOST_KIB	(256u << 10)
#define PBKDF_MS	2000

struct path {
	char text[32];
};

/* libcryptsetup wants names; the image has none. */
static struct path path_of(int fd)
{
	struct path path;

	snprintf(path.text, sizeof path.text, "/proc/self/fd/%d", fd);
	return path;
}

/* What the library says on the way is kept for whoever debugs; its last error is what a person needs. */
static void take_message(int level, const char *message, void *context)
{
	int length = strcspn(message, "\n");

	(void)context;
	if (level == CRYPT_LOG_ERROR && strncmp(message, "WARNING", 7))
		log_error("%.*s", length, message);
	else
		log_debug("%.*s", length, message);
}

int header_image(uint64_t bytes)
{
	int fd = memfd_create("underseal", MFD_CLOEXEC);

	if (fd >= 0 && !ftruncate(fd, bytes))
		return fd;
	log_error("no memory for the header: %s", strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

static int format(
	struct crypt_device *device, const struct header_options *options, struct crypt_params_luks2 *luks2)
{
	int err =
		crypt_set_metadata_size(device, JSON_COPY_BYTES, options->header_bytes - 2 * JSON_COPY_BYTES);

	if (!err)
		err = crypt_format(
			device, CRYPT_LUKS2, "aes", "xts-plain64", NULL, NULL, VOLUME_KEY_BYTES, luks2);
	return err;
}

/* Slots and tokens come first: stock tools refuse them once the requirement is set. */
static int enrol(
	struct crypt_device *device, const struct header_options *options, const struct secrets *secrets)
{
	char token[512];
	int err = crypt_keyslot_add_by_volume_key(
		device, 0, NULL, 0, secrets->passphrase, secrets->passphrase_bytes);

	if (err < 0)
		return err;
	state_token_text(token, sizeof token, &options->token);
	return crypt_token_json_set(device, CRYPT_ANY_TOKEN, token);
}

static int require(
	struct crypt_device *device, const struct crypt_params_luks2 *luks2, const struct secrets *secrets)
{
	struct crypt_params_reencrypt params = {
		.mode = CRYPT_REENCRYPT_ENCRYPT,
		.direction = CRYPT_REENCRYPT_FORWARD,
		.resilience = "checksum",
		.hash = "sha256",
		.luks2 = luks2,
		.flags = CRYPT_REENCRYPT_INITIALIZE_ONLY,
	};

	return crypt_reencrypt_init_by_passphrase(device, NULL, secrets->passphrase,
		secrets->passphrase_bytes, CRYPT_ANY_SLOT, 0, "aes", "xts-plain64", &params);
}

struct crypt_pbkdf_type header_pbkdf(uint32_t kib, uint32_t ms)
{
	return (struct crypt_pbkdf_type){
		.type = CRYPT_KDF_ARGON2ID,
		.time_ms = ms ? ms : PBKDF_MS,
		.max_memory_kb = kib ? kib : PBKDF_MOST_KIB,
		.parallel_threads = 4,
	};
}

struct crypt_device *header_device(int image)
{
	struct crypt_device *device = NULL;

	crypt_set_log_callback(NULL, take_message, NULL);
	return crypt_init(&device, path_of(image).text) ? NULL : device;
}

int header_make(int image, const struct header_options *options, const struct secrets *secrets)
{
	struct crypt_pbkdf_type pbkdf = header_pbkdf(options->pbkdf_kib, options->pbkdf_ms);
	struct crypt_params_luks2 luks2 = {.sector_size = options->sector_size, .pbkdf = &pbkdf};
	/* The library only asks how large the volume is, so an empty file of its size will do. */
	int volume = header_image(options->volume_bytes);
	struct crypt_device *device = NULL;
	int err;

	if (volume < 0)
		return EXITS_FAILED;
	crypt_set_log_callback(NULL, take_message, NULL);
	err = crypt_init_data_device(&device, path_of(image).text, path_of(volume).text);
	if (!err)
		err = format(device, options, &luks2);
	if (!err)
		err = enrol(device, options, secrets);
	if (err >= 0)
		err = require(device, &luks2, secrets);
	crypt_free(device);
	close(volume);
	if (err < 0)
		log_error("the header cannot be made: %s", strerror(-err));
	return err < 0 ? EXITS_FAILED : EXITS_OK;
}

int header_unlock(int image, struct secrets *secrets)
{
	struct crypt_device *device = header_device(image);
	size_t bytes = sizeof secrets->key;
	int err = device ? crypt_load(device, CRYPT_LUKS2, NULL) : -ENODEV;

	if (!err)
		err = crypt_volume_key_get(device, CRYPT_ANY_SLOT, (char *)secrets->key, &bytes,
			secrets->passphrase, secrets->passphrase_bytes);
	crypt_free(device);
	if (err == -EPERM) {
		log_error("wrong passphrase");
		return EXITS_PASSPHRASE;
	}
	if (err < 0) {
		log_error("the header cannot be unlocked: %s", strerror(-err));
		return EXITS_FAILED;
	}
	if (bytes != VOLUME_KEY_BYTES || xts_key_init(&secrets->schedule, secrets->key, bytes)) {
		log_error("the volume key is no AES-256-XTS key");
		return EXITS_FAILED;
	}
	return EXITS_OK;
}
