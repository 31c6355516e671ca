/* SPDX-License-Identifier: Apache-2.0 */
#include "installer/edit.h"
#include "installer/exits.h"
#include "installer/node.h"
#include "storage/port.h"
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

static int open_header(struct edit *e, const char *path, unsigned number, int writable)
{
	const struct gpt_partition *data, *header;
	int err = target_open(&e->target, path, writable);

	e->gpt = calloc(1, sizeof *e->gpt);
	if (!err)
		err = e->gpt ? gpt_open(e->gpt, &e->target, 0) : EXITS_FAILED;
	if (err)
		return err;
	data = number ? numbered(e->gpt, number) : only_one(e->gpt);
	if (!data)
		return EXITS_REFUSED;
	header = gpt_find_header(e->gpt, data);
	/* Stock tools write through the partition's node: the disk's own cache may hold an older header. */
	node_forget(&e->target, data->number, header->number);
	return volume_open(&e->volume, e->gpt, data, header, -1, 0);
}

int edit_open(struct edit *e, const char *path, unsigned number)
{
	return open_header(e, path, number, 0);
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
