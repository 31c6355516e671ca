/* SPDX-License-Identifier: Apache-2.0 */
/* One protected partition of a target: its header as read from the disk, and the engine's way to both. */
#ifndef INSTALLER_VOLUME_H
#define INSTALLER_VOLUME_H

#include "installer/state.h"
#include "storage/convert/pair.h"

struct volume {
	const struct target *target;
	struct gpt_partition data, header;
	uint64_t bytes; /* of the data partition */
	uint64_t header_base, header_bytes;
	int data_fd; /* -1 until the data partition is claimed */
	uint64_t data_base;
	struct convert_port port;
	struct header_pair pair;
	struct header_state state;
};

/*
 * Reads the newest header. `data_fd` (or -1: only the header is of interest) and
 * `data_base` are from guard_claim; the descriptor stays the caller's. Returns an
 * exit code; volume_close is always allowed after it.
 */
int volume_open(struct volume *volume, const struct gpt *gpt, const struct gpt_partition *data,
	const struct gpt_partition *header, int data_fd, uint64_t data_base);

/*
 * The same for a header that stands alone, at the beginning of `image` and
 * `header_bytes` long, for a volume of `bytes`.
 */
int volume_open_image(
	struct volume *volume, const struct target *image, uint64_t bytes, uint64_t header_bytes);
void volume_close(struct volume *volume);

/* Refuses a header that was made for another partition, or for this one elsewhere. Returns an exit code. */
int volume_check_place(const struct volume *volume, const struct gpt *gpt);

/* Commits the text of volume->state to both copies. Returns 0 or -1 after telling why. */
int volume_commit(struct volume *volume);

#endif
