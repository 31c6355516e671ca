/* SPDX-License-Identifier: Apache-2.0 */
#include "installer/edit.h"
#include "installer/exits.h"
#include "installer/guard.h"
#include "installer/guest.h"
#include "installer/header.h"
#include "installer/luks_json.h"
#include "installer/node.h"
#include "installer/rehearse.h"
#include "installer/stop.h"
#include "storage/port.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* The only data partition that has a header, or NULL after an error line. */
static const struct gpt_partition *only_one(const struct gpt *gpt)
{
	const struct gpt_partition *found = NULL;

	for (unsigned i = 0; i < gpt->count; i++) {
		if (!gpt_find_header(gpt, &gpt->partition[i]))
			continue;
		if (found) {
			log_error("--partition N is missing: %s has several protected partitions", gpt->target->path);
			return NULL;
		}
		found = &gpt->partition[i];
	}
	if (!found)
		log_error("%s has no protected partition", gpt->target->path);
	return found;
}

static const struct gpt_partition *numbered(const struct gpt *gpt, unsigned number)
{
	const struct gpt_partition *data = gpt_find(gpt, number);

	if (!data)
		log_error("%s has no partition %u", gpt->target->path, number);
	else if (!gpt_find_header(gpt, data))
		log_error("partition %u of %s is not protected", number, gpt->target->path);
	else
		return data;
	return NULL;
}

static int open_target(struct edit *e, const char *path, unsigned number, int writable)
{
	const struct gpt_partition *data;
	int err = target_open(&e->target, path, writable);

	e->gpt = calloc(1, sizeof *e->gpt);
	if (!err)
		err = e->gpt ? gpt_open(e->gpt, &e->target, 0) : EXITS_FAILED;
	if (err)
		return err;
	data = number ? numbered(e->gpt, number) : only_one(e->gpt);
	if (!data)
		return EXITS_REFUSED;
	e->data = *data;
	e->header = *gpt_find_header(e->gpt, data);
	return EXITS_OK;
}

static int open_header(struct edit *e)
{
	return volume_open(&e->volume, e->gpt, &e->data, &e->header, -1, 0);
}

int edit_open(struct edit *e, const char *path, unsigned number)
{
	int err = open_target(e, path, number, 0);

	return err ? err : open_header(e);
}

static int claim(struct edit *e)
{
	uint64_t base;
	int err;

	if (e->target.is_block && guest_is_beneath()) {
		log_error("this system runs above underseal, which guards the headers of its disks: key slots "
			  "are changed from a rescue system");
		return EXITS_REFUSED;
	}
	err = guard_claim(&e->target, e->gpt, &e->data, &e->claimed[0], &base);
	return err ? err : guard_claim(&e->target, e->gpt, &e->header, &e->claimed[1], &base);
}

static int check_state(const struct edit *e)
{
	if (!e->volume.state.converting)
		return volume_check_place(&e->volume, e->gpt);
	log_error("partition %u of %s is being encrypted: let underseal protect finish it, then change its key "
		  "slots",
		e->data.number, e->target.path);
	return EXITS_REFUSED;
}

static int read_image(struct edit *e)
{
	struct span from = {e->target.fd, e->target.path, e->volume.header_base};
	struct span to = {-1, HEADER_IMAGE_NAME, 0};

	e->image = to.fd = header_image(e->volume.header_bytes);
	return e->image < 0 || copy_span(&from, &to, e->volume.header_bytes) ? EXITS_FAILED : EXITS_OK;
}

int edit_open_writable(struct edit *e, const char *path, unsigned number)
{
	int err = open_target(e, path, number, 1);

	if (!err)
		err = claim(e);
	if (!err)
		err = open_header(e);
	if (!err)
		err = check_state(e);
	return err ? err : read_image(e);
}

int edit_prove(const struct edit *e, struct secrets *secrets)
{
	const struct header_options options = {
		.header_bytes = e->volume.header_bytes,
		.volume_bytes = e->volume.bytes,
		.token = e->volume.state.token,
	};
	int err = header_unlock(e->image, secrets);

	return err ? err : rehearse_unlock(e->image, &options, secrets);
}

int edit_read_back(const struct edit *e, struct volume *now)
{
	return volume_open(now, e->gpt, &e->data, &e->header, -1, 0);
}

/* The header as it now is on the disk must be the one that the image was made from. */
static int check_unchanged(struct edit *e)
{
	const struct header_pair *was = &e->volume.pair;
	struct volume now;
	int err, same;

	err = edit_read_back(e, &now);
	same = !err && now.pair.copy_bytes == was->copy_bytes && now.pair.newest == was->newest &&
	       !memcmp(now.pair.image, was->image, was->copy_bytes);
	volume_close(&now);
	if (err || same)
		return err;
	log_error("somebody else has changed the header in partition %u meanwhile; nothing was written, try again",
		e->header.number);
	return EXITS_REFUSED;
}

/* The place of a slot's key in a header, bytes; 0, or -1 when there is no such slot. */
static int area_of(const struct header_state *state, unsigned slot, uint64_t *offset, uint64_t *bytes)
{
	char path[48];

	snprintf(path, sizeof path, "keyslots.%u.area.offset", slot);
	if (luks_number(state->root, path, offset))
		return -1;
	snprintf(path, sizeof path, "keyslots.%u.area.size", slot);
	return luks_number(state->root, path, bytes);
}

/* What the image has in the area of a slot, durably to the disk. */
static int write_area(struct edit *e, const struct volume *changed, unsigned slot)
{
	struct volume *v = &e->volume;
	struct span from = {e->image, HEADER_IMAGE_NAME, 0}, to = {e->target.fd, e->target.path, v->header_base};
	uint64_t offset, bytes;

	if ((area_of(&changed->state, slot, &offset, &bytes) && area_of(&v->state, slot, &offset, &bytes)) ||
		offset > v->header_bytes || bytes > v->header_bytes - offset) {
		log_error("the header does not say where its key slot %u stands", slot);
		return EXITS_FAILED;
	}
	from.offset += offset;
	to.offset += offset;
	return copy_span(&from, &to, bytes) || sync_file(to.fd, to.name) ? EXITS_FAILED : EXITS_OK;
}

/*
 * The key's area is durable before a text names it, and wiped before one no longer
 * does: whenever it stops, the header is whole and no key is left that it does not
 * show.
 */
static int write_change(struct edit *e, const struct volume *changed, unsigned slot)
{
	struct volume *v = &e->volume;
	const char *json = pair_json(&changed->pair);

	if (slot != EDIT_NO_SLOT && write_area(e, changed, slot))
		return EXITS_FAILED;
	if (pair_write(&v->pair, &v->port, json, strnlen(json, pair_json_capacity(&changed->pair))))
		return EXITS_FAILED;
	node_forget(&e->target, e->data.number, e->header.number);
	return EXITS_OK;
}

int edit_commit(struct edit *e, unsigned slot)
{
	struct target image = {.path = HEADER_IMAGE_NAME, .fd = e->image};
	struct volume changed;
	int err = volume_open_image(&changed, &image, e->volume.bytes, e->volume.header_bytes);

	if (!err)
		err = check_unchanged(e);
	if (!err && stop_wanted()) {
		log_error("stopped; nothing was written");
		err = EXITS_STOPPED;
	}
	if (!err)
		err = write_change(e, &changed, slot);
	volume_close(&changed);
	if (err)
		return err;
	/* A further change starts from what the disk has now. */
	volume_close(&e->volume);
	return open_header(e);
}

void edit_close(struct edit *e)
{
	volume_close(&e->volume);
	if (e->image >= 0)
		close(e->image);
	for (unsigned i = 0; i < 2; i++)
		if (e->claimed[i] >= 0)
			close(e->claimed[i]);
	if (e->gpt)
		gpt_close(e->gpt);
	free(e->gpt);
	target_close(&e->target);
	*e = EDIT_NONE;
}
