/* SPDX-License-Identifier: Apache-2.0 */
#include "installer/gpt.h"
#include "installer/exits.h"
#include "storage/port.h"
#include <ctype.h>
#include <errno.h>
#include <libfdisk/libfdisk.h>
#include <stdio.h>
#include <stdlib.h>

#define MIB (1024ull * 1024)

static void copy_lower(char *target, size_t capacity, const char *source)
{
	size_t i = 0;

	for (; source && source[i] && i + 1 < capacity; i++)
		target[i] = tolower((unsigned char)source[i]);
	target[i] = 0;
}

static int item_number(struct fdisk_context *context, int id, uint64_t *value)
{
	struct fdisk_labelitem *item = fdisk_new_labelitem();
	int err = fdisk_get_disklabel_item(context, id, item) || fdisk_labelitem_get_data_u64(item, value);

	fdisk_unref_labelitem(item);
	return err ? -1 : 0;
}

static int by_start(const void *a, const void *b)
{
	const struct gpt_partition *p = a, *q = b;

	return p->first_lba < q->first_lba ? -1 : p->first_lba > q->first_lba;
}

static int read_partitions(struct gpt *gpt)
{
	struct fdisk_table *table = NULL;
	struct fdisk_iter *walk = fdisk_new_iter(FDISK_ITER_FORWARD);
	struct fdisk_partition *p;
	int err = -1;

	gpt->count = 0;
	if (!walk || fdisk_get_partitions(gpt->context, &table))
		goto done;
	while (!fdisk_table_next_partition(table, walk, &p)) {
		struct gpt_partition *out = &gpt->partition[gpt->count];
		const char *name = fdisk_partition_get_name(p);

		if (gpt->count == GPT_MAX_PARTITIONS)
			goto done;
		out->number = fdisk_partition_get_partno(p) + 1;
		out->first_lba = fdisk_partition_get_start(p);
		out->last_lba = fdisk_partition_get_end(p);
		copy_lower(out->uuid, sizeof out->uuid, fdisk_partition_get_uuid(p));
		copy_lower(
			out->type, sizeof out->type, fdisk_parttype_get_string(fdisk_partition_get_type(p)));
		snprintf(out->name, sizeof out->name, "%s", name ? name : "");
		gpt->count++;
	}
	qsort(gpt->partition, gpt->count, sizeof *gpt->partition, by_start);
	err = 0;
done:
	fdisk_free_iter(walk);
	fdisk_unref_table(table);
	return err;
}

int gpt_open(struct gpt *gpt, const struct target *target, int writable)
{
	char *guid = NULL;
	int err;

	memset(gpt, 0, sizeof *gpt);
	gpt->target = target;
	gpt->context = fdisk_new_context();
	if (!gpt->context)
		return EXITS_FAILED;
	fdisk_disable_dialogs(gpt->context, 1);
	fdisk_save_user_sector_size(gpt->context, target->lba_bytes, target->lba_bytes);
	/* Its own open would claim the whole disk, and with that every partition. */
	err = fdisk_assign_device_by_fd(gpt->context, target->fd, target->path, !writable);
	if (err) {
		log_error("%s: the partition table cannot be read: %s", target->path, strerror(-err));
		return EXITS_FAILED;
	}
	if (!fdisk_is_labeltype(gpt->context, FDISK_DISKLABEL_GPT)) {
		log_error("%s has no GPT partition table", target->path);
		return EXITS_REFUSED;
	}
	if (item_number(gpt->context, GPT_LABELITEM_FIRSTLBA, &gpt->first_usable) ||
		item_number(gpt->context, GPT_LABELITEM_LASTLBA, &gpt->last_usable) ||
		fdisk_get_disklabel_id(gpt->context, &guid) || read_partitions(gpt)) {
		log_error("%s: the GPT cannot be read", target->path);
		return EXITS_FAILED;
	}
	copy_lower(gpt->disk_guid, sizeof gpt->disk_guid, guid);
	free(guid);
	return EXITS_OK;
}

void gpt_close(struct gpt *gpt)
{
	if (gpt->context)
		fdisk_unref_context(gpt->context);
	gpt->context = NULL;
}

const struct gpt_partition *gpt_find(const struct gpt *gpt, unsigned number)
{
	for (unsigned i = 0; i < gpt->count; i++)
		if (gpt->partition[i].number == number)
			return &gpt->partition[i];
	return NULL;
}

void gpt_header_name(char name[GPT_HEADER_NAME], const char *uuid)
{
	snprintf(name, GPT_HEADER_NAME, "underseal:%.8s", uuid);
}

/* Whether `header` is a header partition and bears the name that belongs to `data`. */
static int belongs(const struct gpt_partition *header, const struct gpt_partition *data)
{
	char name[GPT_HEADER_NAME];

	gpt_header_name(name, data->uuid);
	return !strcmp(header->type, GPT_TYPE_HEADER) && !strcmp(header->name, name);
}

const struct gpt_partition *gpt_find_header(const struct gpt *gpt, const struct gpt_partition *data)
{
	for (unsigned i = 0; i < gpt->count; i++)
		if (belongs(&gpt->partition[i], data))
			return &gpt->partition[i];
	return NULL;
}

const struct gpt_partition *gpt_find_data(const struct gpt *gpt, const struct gpt_partition *header)
{
	for (unsigned i = 0; i < gpt->count; i++)
		if (belongs(header, &gpt->partition[i]))
			return &gpt->partition[i];
	return NULL;
}

uint64_t gpt_offset(const struct gpt *gpt, const struct gpt_partition *p)
{
	return p->first_lba * gpt->target->lba_bytes;
}

uint64_t gpt_bytes(const struct gpt *gpt, const struct gpt_partition *p)
{
	return (p->last_lba - p->first_lba + 1) * gpt->target->lba_bytes;
}

/* What is left of the bytes [start, end) after aligning; 0 when nothing is. */
static uint64_t aligned(uint64_t start, uint64_t end, uint64_t grain, uint64_t *first)
{
	*first = (start + grain - 1) / grain * grain;
	end -= end % 4096;
	return end > *first ? end - *first : 0;
}

uint64_t gpt_free_place(const struct gpt *gpt, uint64_t wanted, uint64_t least, uint64_t *first_lba)
{
	uint64_t lba = gpt->target->lba_bytes, best = 0;
	uint64_t start = gpt->first_usable * lba;

	for (unsigned i = 0; i <= gpt->count; i++) {
		uint64_t end = (i < gpt->count ? gpt->partition[i].first_lba : gpt->last_usable + 1) * lba;
		uint64_t first, bytes = aligned(start, end, MIB, &first);

		if (bytes < wanted)
			bytes = aligned(start, end, 4096, &first);
		if (bytes >= least && bytes > best) {
			best = bytes < wanted ? bytes : wanted;
			*first_lba = first / lba;
		}
		if (best == wanted)
			break;
		if (i < gpt->count && (gpt->partition[i].last_lba + 1) * lba > start)
			start = (gpt->partition[i].last_lba + 1) * lba;
	}
	return best;
}

static int add_entry(struct gpt *gpt, uint64_t first_lba, uint64_t count, const char *name)
{
	struct fdisk_partition *p = fdisk_new_partition();
	struct fdisk_parttype *type = fdisk_new_unknown_parttype(0, GPT_TYPE_HEADER);
	size_t number;
	int err = -ENOMEM;

	if (!p || !type)
		goto done;
	/* libfdisk would not go below its own grain of 1 MiB. */
	fdisk_set_first_lba(gpt->context, gpt->first_usable);
	fdisk_partition_set_start(p, first_lba);
	fdisk_partition_set_size(p, count);
	fdisk_partition_size_explicit(p, 1);
	fdisk_partition_partno_follow_default(p, 1);
	fdisk_partition_set_type(p, type);
	fdisk_partition_set_name(p, name);
	err = fdisk_add_partition(gpt->context, p, &number);
done:
	fdisk_unref_parttype(type);
	fdisk_unref_partition(p);
	return err;
}

int gpt_add_header(struct gpt *gpt, uint64_t first_lba, uint64_t bytes, const char *name)
{
	const struct target *target = gpt->target;
	struct fdisk_table *before = NULL;
	const struct gpt_partition *added = NULL;
	int err = fdisk_get_partitions(gpt->context, &before);

	if (!err)
		err = add_entry(gpt, first_lba, bytes / target->lba_bytes, name);
	if (!err)
		err = fdisk_write_disklabel(gpt->context);
	if (!err && target->is_block && fdisk_reread_changes(gpt->context, before))
		log_warning("the kernel still uses the old partition table of %s", target->path);
	fdisk_unref_table(before);
	if (err) {
		log_error("%s: the header partition cannot be made: %s", target->path, strerror(-err));
		return EXITS_FAILED;
	}
	if (sync_file(target->fd, target->path) || read_partitions(gpt))
		return EXITS_FAILED;
	for (unsigned i = 0; i < gpt->count && !added; i++)
		if (!strcmp(gpt->partition[i].name, name) && gpt->partition[i].first_lba == first_lba)
			added = &gpt->partition[i];
	if (!added || gpt_bytes(gpt, added) != bytes) {
		log_error("%s: the header partition is not where it was asked for", target->path);
		return EXITS_FAILED;
	}
	return EXITS_OK;
}
