/* SPDX-License-Identifier: Apache-2.0 */
#include "installer/rehearse.h"
#include "installer/exits.h"
#include "installer/volume.h"
#include "storage/crypt/wipe.h"
#include "storage/port.h"
#include <stdlib.h>
#include <unistd.h>

static int read_copy(void *context, uint64_t offset, void *buffer, size_t bytes)
{
	return read_at(*(int *)context, HEADER_IMAGE_NAME, offset, buffer, bytes);
}

static void *take(void *context, size_t bytes)
{
	(void)context;
	return aligned_alloc(64, (bytes + 63) / 64 * 64);
}

static void give_back(void *context, void *memory, size_t bytes)
{
	(void)context;
	(void)bytes;
	free(memory);
}

/* Makes the header in `copy` the ordinary one that the last commit will make. */
static int finish(int copy, const struct header_options *options)
{
	struct target target = {.path = HEADER_IMAGE_NAME, .fd = copy};
	struct volume volume;
	int err = volume_open_image(&volume, &target, options->volume_bytes, options->header_bytes);

	if (!err && volume.state.converting && (state_finish(&volume.state) || volume_commit(&volume)))
		err = EXITS_FAILED;
	volume_close(&volume);
	return err;
}

static int unlock(
	int copy, const struct header_options *options, const struct secrets *secrets, void *scratch)
{
	const struct header_token *token = &options->token;
	struct luks2_source source = {read_copy, &copy, options->header_bytes};
	struct argon2_memory memory = {take, give_back, NULL};
	struct luks2_place place = {
		.first_lba = token->first_lba, .last_lba = token->last_lba, .lba_bytes = token->lba_bytes};
	struct luks2_key key;
	struct luks2 header;
	enum luks2_error error;
	int same;

	if (!luks2_parse_guid(token->partuuid, strlen(token->partuuid), place.partuuid) ||
		!luks2_parse_guid(token->disk_guid, strlen(token->disk_guid), place.disk_guid))
		return EXITS_FAILED;
	error = luks2_read(&header, &source, scratch);
	if (!error)
		error = luks2_check_place(&header, &place);
	if (!error)
		error = luks2_unlock(&header, &source, LUKS2_ALL_KEYSLOTS, secrets->passphrase,
			secrets->passphrase_bytes, &memory, scratch, &key);
	if (error) {
		log_error("the boot program could not open this header: %s Nothing was changed",
			luks2_error_text(error));
		return EXITS_FAILED;
	}
	same = key.key_bytes == VOLUME_KEY_BYTES && !memcmp(key.key, secrets->key, VOLUME_KEY_BYTES);
	secret_wipe(&key, sizeof key);
	if (same)
		return EXITS_OK;
	log_error("the boot program would take another key out of this header. Nothing was changed");
	return EXITS_FAILED;
}

int rehearse_read(int image, uint64_t bytes, struct luks2 *header)
{
	struct luks2_source source = {read_copy, &image, bytes};
	void *scratch = take(NULL, LUKS2_SCRATCH_BYTES);
	enum luks2_error error = scratch ? luks2_read(header, &source, scratch) : LUKS2_NO_MEMORY;

	free(scratch);
	if (!error)
		return EXITS_OK;
	log_error("the boot program could not read this header: %s", luks2_error_text(error));
	return EXITS_FAILED;
}

int rehearse_unlock(int image, const struct header_options *options, const struct secrets *secrets)
{
	void *scratch = take(NULL, LUKS2_SCRATCH_BYTES);
	int copy = header_image(options->header_bytes);
	struct span from = {image, HEADER_IMAGE_NAME, 0}, to = {copy, HEADER_IMAGE_NAME, 0};
	int err = EXITS_FAILED;

	if (scratch && copy >= 0 && !copy_span(&from, &to, options->header_bytes))
		err = finish(copy, options);
	if (!err)
		err = unlock(copy, options, secrets, scratch);
	free(scratch);
	if (copy >= 0)
		close(copy);
	return err;
}
