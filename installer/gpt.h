/* SPDX-License-Identifier: Apache-2.0 */
/* The partition table of a target, through libfdisk (UEFI specification, section 5.3). */
#ifndef INSTALLER_GPT_H
#define INSTALLER_GPT_H

#include "installer/target.h"
#include <stdint.h>

#define GPT_TYPE_HEADER "1d5d394a-edf1-4960-8ec5-fe12396a73c0"
#define GPT_TYPE_ESP	"c12a7328-f81f-11d2-ba4b-00a0c93ec93b"
#define GPT_TYPE_BIOS	"21686148-6449-6e6f-744e-656564454649"

#define UUID_TEXT	   37		/* with its NUL */
#define GPT_HEADER_NAME	   (10 + 8 + 1) /* "underseal:" and eight characters */
#define GPT_MAX_PARTITIONS 256

struct gpt_partition {
	unsigned number;	      /* from 1, as the kernel counts */
	uint64_t first_lba, last_lba; /* inclusive */
	char uuid[UUID_TEXT];	      /* lower case */
	char type[UUID_TEXT];	      /* lower case */
	char name[73];		      /* 36 characters, UTF-8, cut */
};

struct gpt {
	struct fdisk_context *context;
	const struct target *target;
	char disk_guid[UUID_TEXT]; /* lower case */
	uint64_t first_usable, last_usable;
	unsigned count;
	struct gpt_partition partition[GPT_MAX_PARTITIONS]; /* by first_lba */
};

/* Reads the table. Returns an exit code; gpt_close is always allowed after it. */
int gpt_open(struct gpt *gpt, const struct target *target, int writable);
void gpt_close(struct gpt *gpt);

/* The partition numbered `number`, or NULL. */
const struct gpt_partition *gpt_find(const struct gpt *gpt, unsigned number);

/* The name that the header partition of the data partition `uuid` bears. */
void gpt_header_name(char name[GPT_HEADER_NAME], const char *uuid);

/* The header partition of the data partition `data`, or NULL. */
const struct gpt_partition *gpt_find_header(const struct gpt *gpt, const struct gpt_partition *data);

/* The data partition of the header partition `header`, or NULL. */
const struct gpt_partition *gpt_find_data(const struct gpt *gpt, const struct gpt_partition *header);

uint64_t gpt_offset(const struct gpt *gpt, const struct gpt_partition *partition); /* bytes */
uint64_t gpt_bytes(const struct gpt *gpt, const struct gpt_partition *partition);

/*
 * A free place for `wanted` bytes, or, when there is none, the largest one of at
 * least `least` bytes. Starts on 1 MiB where it can, on 4 KiB elsewhere.
 * Returns its bytes and *first_lba, or 0 when nothing fits.
 */
uint64_t gpt_free_place(const struct gpt *gpt, uint64_t wanted, uint64_t least, uint64_t *first_lba);

/* Adds a header partition there and writes the table, durably. Returns an exit code. */
int gpt_add_header(struct gpt *gpt, uint64_t first_lba, uint64_t bytes, const char *name);

#endif
