/* SPDX-License-Identifier: Apache-2.0 */
#include "installer/protect.h"
#include "installer/encrypt.h"
#include "installer/esp_policy.h"
#include "installer/exits.h"
#include "installer/guard.h"
#include "installer/header.h"
#include "installer/node.h"
#include "installer/protect_escrow.h"
#include "installer/rehearse.h"
#include "installer/stop.h"
#include "installer/volume.h"
#include "storage/port.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define ZONE_BYTES (32ull << 20)

/* Everything one run holds; done() lets go of it in reverse. */
struct run {
	const struct protect_options *options;
	struct target target;
	struct gpt *gpt;
	struct gpt_partition data;
	int data_fd;
	uint64_t data_base;
	int image; /* the header in memory */
	struct volume volume;
	struct secrets *secrets;
	struct escrow escrow;
};

static int check_options(const struct protect_options *o)
{
	if (!o->partition) {
		log_error("--partition N is missing: which partition of %s shall be encrypted?", o->target);
		return EXITS_USAGE;
	}
	if (!o->offline) {
		log_error("--offline is missing: the partition is encrypted in place now, while nothing uses "
			  "it. "
			  "Unmount it or start from a rescue system, keep a backup, and say --offline");
		return EXITS_REFUSED;
	}
	return EXITS_OK;
}

static int find_partition(struct run *r)
{
	const struct gpt_partition *data;
	int err = target_open(&r->target, r->options->target, 1);

	if (err)
		return err;
	err = gpt_open(r->gpt, &r->target, 1);
	if (err)
		return err;
	data = gpt_find(r->gpt, r->options->partition);
	if (!data) {
		log_error("%s has no partition %u", r->target.path, r->options->partition);
		return EXITS_REFUSED;
	}
	r->data = *data;
	return EXITS_OK;
}

/* The certificates, if any; a policy may require them. */
static int plan_escrow(struct run *r)
{
	const struct escrow_request *wanted = &r->options->escrow;
	int required, err = esp_policy_escrow(&r->target, r->gpt, r->options->policy_file, &required);

	if (err)
		return err;
	if (required && !(wanted->count && wanted->file)) {
		log_error("the policy says escrow=required: nothing is encrypted before the volume key is kept. Give --escrow "
			  "CERT.pem and --escrow-file FILE");
		return EXITS_REFUSED;
	}
	return escrow_open(&r->escrow, wanted);
}

/* A sector of the cipher may not cross the partition's ends, nor the disk's own sectors. */
static int check_sector_size(const struct run *r, uint32_t size)
{
	uint64_t first = gpt_offset(r->gpt, &r->data), bytes = gpt_bytes(r->gpt, &r->data);

	if (size < r->target.lba_bytes) {
		log_error("the disk's sectors are of %u bytes; --sector-size %u cannot be written",
			r->target.lba_bytes, size);
		return EXITS_REFUSED;
	}
	if (first % size || bytes % size) {
		log_error(
			"partition %u begins at byte %llu and has %llu bytes: not both are multiples of %u; "
			"use --sector-size %u",
			r->data.number, (unsigned long long)first, (unsigned long long)bytes, size,
			r->target.lba_bytes);
		return EXITS_REFUSED;
	}
	return EXITS_OK;
}

static int find_place(const struct run *r, uint64_t *first_lba, uint64_t *bytes)
{
	uint64_t asked = r->options->header_bytes;
	uint64_t wanted = asked ? asked : HEADER_DEFAULT_BYTES;

	*bytes = gpt_free_place(r->gpt, wanted, asked ? asked : HEADER_LEAST_BYTES, first_lba);
	if (*bytes)
		return EXITS_OK;
	log_error("%s has no free space for the header partition: %llu KiB are needed, between partitions or "
		  "before "
		  "the first; shrink a partition",
		r->target.path, (unsigned long long)(asked ? asked : HEADER_LEAST_BYTES) / 1024);
	return EXITS_REFUSED;
}

/* The image's bytes to where the header partition will be, durable before the table names them. */
static int write_image(const struct run *r, uint64_t first_lba, uint64_t bytes)
{
	struct span from = {r->image, HEADER_IMAGE_NAME, 0};
	struct span to = {r->target.fd, r->target.path, first_lba * r->target.lba_bytes};

	if (copy_span(&from, &to, bytes) || sync_file(r->target.fd, r->target.path))
		return EXITS_FAILED;
	return EXITS_OK;
}

/* What the header will be and where it will stand; all that can refuse comes before the passphrase. */
static int plan(const struct run *r, struct header_options *header, uint64_t *first_lba)
{
	const struct protect_options *o = r->options;
	int err;

	*header = (struct header_options){
		.volume_bytes = gpt_bytes(r->gpt, &r->data),
		.sector_size = o->sector_size ? o->sector_size : r->target.lba_bytes,
		.pbkdf_kib = o->pbkdf_kib,
		.pbkdf_ms = o->iter_ms,
		.token = {.first_lba = r->data.first_lba,
			  .last_lba = r->data.last_lba,
			  .lba_bytes = r->target.lba_bytes},
	};
	snprintf(header->token.partuuid, UUID_TEXT, "%s", r->data.uuid);
	snprintf(header->token.disk_guid, UUID_TEXT, "%s", r->gpt->disk_guid);
	err = guard_contents(&r->target, r->gpt, &r->data);
	if (!err)
		err = check_sector_size(r, header->sector_size);
	return err ? err : find_place(r, first_lba, &header->header_bytes);
}

/* The header in memory, proven to open. */
static int make_header(struct run *r, const struct header_options *header)
{
	int err;

	r->image = header_image(header->header_bytes);
	if (r->image < 0)
		return EXITS_FAILED;
	log_info("making the header; deriving its key takes some seconds");
	err = header_make(r->image, header, r->secrets);
	if (!err)
		err = header_unlock(r->image, r->secrets);
	return err ? err : rehearse_unlock(r->image, header, r->secrets);
}

/*
 * A kill before the table is written leaves bytes in free space that nobody
 * looks at; after it, a header that the next run finds and goes on with.
 */
static int begin(struct run *r)
{
	struct header_options header;
	char name[GPT_HEADER_NAME];
	uint64_t first_lba;
	int err = plan(r, &header, &first_lba);

	if (!err)
		err = escrow_check_file(&r->escrow, NULL);
	if (!err)
		err = secrets_passphrase(r->secrets, r->options->passphrase_file, 1);
	if (!err)
		err = make_header(r, &header);
	if (!err)
		err = write_image(r, first_lba, header.header_bytes);
	if (err)
		return err;
	gpt_header_name(name, r->data.uuid);
	err = gpt_add_header(r->gpt, first_lba, header.header_bytes, name);
	if (!err)
		log_info("header partition: %llu KiB at sector %llu",
			(unsigned long long)header.header_bytes / 1024, (unsigned long long)first_lba);
	return err;
}

/* An earlier run made the header: it must be for this partition, and unfinished. */
static int check_resume(const struct run *r)
{
	const struct header_state *state = &r->volume.state;

	int err = volume_check_place(&r->volume, r->gpt);

	if (err)
		return err;
	if (!state->converting) {
		log_error("partition %u of %s is protected already", r->data.number, r->target.path);
		return EXITS_REFUSED;
	}
	return EXITS_OK;
}

static int continue_earlier(struct run *r)
{
	struct span from = {r->target.fd, r->target.path, r->volume.header_base};
	struct span to = {-1, HEADER_IMAGE_NAME, 0};
	const struct convert_state *at = &r->volume.state.at;
	int err = check_resume(r);

	if (!err)
		err = escrow_check_file(&r->escrow, pair_uuid(&r->volume.pair));
	if (err)
		return err;
	log_info("partition %u of %s was begun earlier; going on at %llu of %llu MiB", r->data.number,
		r->target.path, (unsigned long long)at->done >> 20,
		(unsigned long long)r->volume.bytes >> 20);
	err = secrets_passphrase(r->secrets, r->options->passphrase_file, 0);
	if (err)
		return err;
	r->image = to.fd = header_image(r->volume.header_bytes);
	if (r->image < 0 || copy_span(&from, &to, r->volume.header_bytes))
		return EXITS_FAILED;
	return header_unlock(r->image, r->secrets);
}

static int open_volume(struct run *r, const struct gpt_partition *header)
{
	return volume_open(&r->volume, r->gpt, &r->data, header, r->data_fd, r->data_base);
}

static int run(struct run *r)
{
	const struct gpt_partition *header;
	int err = find_partition(r);

	if (!err)
		err = plan_escrow(r);
	if (!err)
		err = guard_controller(&r->target);
	if (!err)
		err = guard_claim(&r->target, r->gpt, &r->data, &r->data_fd, &r->data_base);
	if (err)
		return err;
	header = gpt_find_header(r->gpt, &r->data);
	if (header) {
		err = open_volume(r, header);
		if (!err)
			err = continue_earlier(r);
	} else {
		err = begin(r);
		if (!err)
			err = open_volume(r, gpt_find_header(r->gpt, &r->data));
	}
	if (!err)
		err = protect_escrow(&r->escrow, &r->volume, r->gpt, r->image, r->secrets);
	if (!err)
		err = encrypt_volume(
			&r->volume, r->secrets, r->options->zone_bytes ? r->options->zone_bytes : ZONE_BYTES);
	if (!err)
		log_info("partition %u of %s is protected", r->data.number, r->target.path);
	return err;
}

int protect(const struct protect_options *options)
{
	struct run r = {.options = options, .target = {.fd = -1}, .data_fd = -1, .image = -1};
	int err = check_options(options);

	if (err)
		return err;
	stop_catch_signals();
	r.gpt = calloc(1, sizeof *r.gpt);
	r.secrets = secrets_new();
	err = r.gpt && r.secrets ? run(&r) : EXITS_FAILED;
	secrets_free(r.secrets);
	escrow_close(&r.escrow);
	if (r.volume.target)
		node_forget(&r.target, r.data.number, r.volume.header.number);
	volume_close(&r.volume);
	if (r.image >= 0)
		close(r.image);
	if (r.data_fd >= 0)
		close(r.data_fd);
	if (r.gpt)
		gpt_close(r.gpt);
	free(r.gpt);
	target_close(&r.target);
	return err;
}
