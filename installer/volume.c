/* SPDX-License-Identifier: Apache-2.0 */
#include "installer/volume.h"
#include "installer/exits.h"
#include "installer/node.h"
#include "storage/port.h"
#include <stdlib.h>

#define HEADER_COPY_MOST (4u << 20) /* bytes of the largest header copy that LUKS2 knows */

/* Where `offset` of `part` stands; -1 when it is beyond the part's end. */
static int place(
	const struct volume *v, enum convert_part part, uint64_t offset, size_t bytes, int *fd, uint64_t *at)
{
	uint64_t limit = part == CONVERT_DATA ? v->bytes : v->header_bytes;

	if (offset > limit || bytes > limit - offset)
		return -1;
	*fd = part == CONVERT_DATA ? v->data_fd : v->target->fd;
	*at = offset + (part == CONVERT_DATA ? v->data_base : v->header_base);
	return 0;
}

static int port_read(void *context, enum convert_part part, uint64_t offset, void *buffer, size_t bytes)
{
	const struct volume *v = context;
	uint64_t at;
	int fd;

	if (place(v, part, offset, bytes, &fd, &at))
		return -1;
	return read_at(fd, v->target->path, at, buffer, bytes);
}

static int port_write(
	void *context, enum convert_part part, uint64_t offset, const void *buffer, size_t bytes)
{
	const struct volume *v = context;
	uint64_t at;
	int fd;

	if (place(v, part, offset, bytes, &fd, &at))
		return -1;
	return write_at(fd, v->target->path, at, buffer, bytes);
}

static int port_sync(void *context, enum convert_part part)
{
	const struct volume *v = context;

	return sync_file(part == CONVERT_DATA ? v->data_fd : v->target->fd, v->target->path);
}

static int port_commit(void *context, const struct convert_state *at)
{
	struct volume *v = context;
	int err = at->done < v->bytes ? state_move(&v->state, at, v->bytes) : state_finish(&v->state);

	return err ? -1 : volume_commit(v);
}

int volume_commit(struct volume *v)
{
	size_t bytes;
	const char *text = state_text(&v->state, &bytes);

	return pair_write(&v->pair, &v->port, text, bytes);
}

static int read_header(struct volume *v)
{
	const char *why;

	v->port = (struct convert_port){v, port_read, port_write, port_sync, port_commit};
	v->pair.capacity = HEADER_COPY_MOST;
	v->pair.image = malloc(v->pair.capacity);
	if (!v->pair.image) {
		log_error("no memory for the header");
		return EXITS_FAILED;
	}
	if (pair_read(&v->pair, &v->port)) {
		log_error("%s: both copies of the header in partition %u are damaged", v->target->path,
			v->header.number);
		return EXITS_FAILED;
	}
	if (state_parse(&v->state, pair_json(&v->pair), pair_json_capacity(&v->pair), v->bytes, &why)) {
		log_error("%s: the header in partition %u cannot be used: %s", v->target->path,
			v->header.number, why);
		return EXITS_FAILED;
	}
	return EXITS_OK;
}

int volume_open(struct volume *v, const struct gpt *gpt, const struct gpt_partition *data,
	const struct gpt_partition *header, int data_fd, uint64_t data_base)
{
	*v = (struct volume){
		.target = gpt->target,
		.data = *data,
		.header = *header,
		.bytes = gpt_bytes(gpt, data),
		.header_base = gpt_offset(gpt, header),
		.header_bytes = gpt_bytes(gpt, header),
		.data_fd = data_fd,
		.data_base = data_base,
	};
	/* Stock tools write through the partition's node: the disk's own cache may hold an older header. */
	node_forget(gpt->target, data->number, header->number);
	return read_header(v);
}

int volume_open_image(struct volume *v, const struct target *image, uint64_t bytes, uint64_t header_bytes)
{
	*v = (struct volume){.target = image, .bytes = bytes, .header_bytes = header_bytes, .data_fd = -1};
	return read_header(v);
}

int volume_check_place(const struct volume *v, const struct gpt *gpt)
{
	if (v->state.has_token && state_token_matches(&v->state.token, gpt, &v->data))
		return EXITS_OK;
	log_error("the header in partition %u was not made for partition %u as it is now: "
		  "it was moved or resized, or the header was copied",
		v->header.number, v->data.number);
	return EXITS_REFUSED;
}

void volume_close(struct volume *v)
{
	state_free(&v->state);
	free(v->pair.image);
	v->pair.image = NULL;
}
