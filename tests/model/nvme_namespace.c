/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/model/nvme_namespace.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum {
	FLUSH = 0x00,
	WRITE = 0x01,
	READ = 0x02,
	WRITE_UNCORRECTABLE = 0x04,
	COMPARE = 0x05,
	WRITE_ZEROES = 0x08,
	DATASET_MANAGEMENT = 0x09,
	VERIFY = 0x0c,
};

enum unit { NOTHING, BLOCKS, ONLY_LBAS, RANGES };

static const struct row {
	uint8_t opcode, direction, unit;
	bool dangerous;
} rows[] = {
	{FLUSH, NAMESPACE_NO_DATA, NOTHING, false},
	{WRITE, NAMESPACE_FROM_HOST, BLOCKS, false},
	{READ, NAMESPACE_TO_HOST, BLOCKS, false},
	{WRITE_UNCORRECTABLE, NAMESPACE_NO_DATA, ONLY_LBAS, true},
	{COMPARE, NAMESPACE_FROM_HOST, BLOCKS, true},
	{WRITE_ZEROES, NAMESPACE_NO_DATA, ONLY_LBAS, true},
	{DATASET_MANAGEMENT, NAMESPACE_FROM_HOST, RANGES, false},
	{VERIFY, NAMESPACE_NO_DATA, ONLY_LBAS, false},
	{0x0d, NAMESPACE_NO_DATA, NOTHING, true}, /* reservations */
	{0x0e, NAMESPACE_NO_DATA, NOTHING, true},
	{0x11, NAMESPACE_NO_DATA, NOTHING, true},
	{0x15, NAMESPACE_NO_DATA, NOTHING, true},
	{0x19, NAMESPACE_NO_DATA, NOTHING, true}, /* Copy */
};

static const struct row *row_of(uint8_t opcode)
{
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].opcode == opcode)
			return &rows[i];
	return NULL;
}

static uint8_t *zeroes(uint64_t bytes)
{
	uint8_t *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (memory == MAP_FAILED) {
		perror("model namespace");
		exit(2);
	}
	return memory;
}

void namespace_init(struct namespace *ns, uint32_t lba_size, uint32_t metadata_size, uint64_t blocks)
{
	memset(ns, 0, sizeof(*ns));
	ns->lba_size = lba_size;
	ns->metadata_size = metadata_size;
	ns->blocks = blocks;
	ns->bad_lba = UINT64_MAX;
	ns->medium = zeroes(blocks * lba_size);
	if (metadata_size)
		ns->metadata = zeroes(blocks * metadata_size);
}

void namespace_free(struct namespace *ns)
{
	munmap(ns->medium, ns->blocks * ns->lba_size);
	if (ns->metadata)
		munmap(ns->metadata, ns->blocks * ns->metadata_size);
}

/* Figure 245. */
void namespace_identify(const struct namespace *ns, uint8_t data[4096])
{
	static const uint8_t formats[4][2] = {{9, 0}, {12, 0}, {9, 8}, {12, 64}}; /* log2 of the LBA; metadata */

	memset(data, 0, 4096);
	memcpy(data, &ns->blocks, 8);
	memcpy(data + 8, &ns->blocks, 8);
	memcpy(data + 16, &ns->blocks, 8);
	data[24] = 0x1e; /* NSFEAT: all but thin provisioning */
	data[25] = 3;	 /* NLBAF */
	data[27] = 3;	 /* MC: both ways */
	data[28] = 0x1f; /* DPC */
	data[30] = 1;	 /* NMIC */
	data[31] = 0xff; /* RESCAP */
	data[33] = 0x19; /* DLFEAT: zeroes, by Write Zeroes as well */
	memset(data + 104, 0x5a, 24);
	for (unsigned i = 0; i < 4; i++) {
		data[128 + 4 * i] = formats[i][1];
		data[128 + 4 * i + 2] = formats[i][0];
		if (ns->lba_size == 1u << formats[i][0] && ns->metadata_size == formats[i][1])
			data[26] = (uint8_t)i;
	}
}

static uint64_t first_lba(const struct nvme_command *command)
{
	return command->cdw10 | (uint64_t)command->cdw11 << 32;
}

static uint32_t lba_count(const struct nvme_command *command)
{
	return (command->cdw12 & 0xffff) + 1;
}

static uint16_t check_lbas(const struct namespace *ns, const struct nvme_command *command)
{
	uint64_t first = first_lba(command), count = lba_count(command);

	if (first >= ns->blocks || count > ns->blocks - first)
		return NVME_LBA_OUT_OF_RANGE;
	if (ns->bad_lba - first < count)
		return command->opcode == WRITE ? NVME_WRITE_FAULT : NVME_UNRECOVERED_READ;
	return 0;
}

uint16_t namespace_accept(struct namespace *ns, const struct nvme_command *command, struct namespace_plan *plan)
{
	const struct row *row = row_of(command->opcode);

	memset(plan, 0, sizeof(*plan));
	ns->seen[command->opcode]++;
	if (!row || row->dangerous || command->flags & (NVME_FLAGS_FUSE | NVME_FLAGS_PSDT))
		ns->dangerous++;
	if (!row)
		return NVME_INVALID_OPCODE;
	plan->direction = row->direction;
	if (row->unit == RANGES)
		plan->bytes = 16 * ((command->cdw10 & 0xff) + 1);
	if (row->unit == BLOCKS) {
		plan->bytes = lba_count(command) * ns->lba_size;
		plan->metadata = lba_count(command) * ns->metadata_size;
	}
	return row->unit == BLOCKS || row->unit == ONLY_LBAS ? check_lbas(ns, command) : 0;
}

struct range {
	uint32_t attributes, count;
	uint64_t first;
};

/* All of the ranges, or none. */
static uint16_t deallocate(struct namespace *ns, const struct nvme_command *command, const uint8_t *data)
{
	unsigned ranges = (command->cdw10 & 0xff) + 1;
	struct range range[256];

	memcpy(range, data, ranges * sizeof(range[0]));
	for (unsigned i = 0; i < ranges; i++)
		if (range[i].first > ns->blocks || range[i].count > ns->blocks - range[i].first)
			return NVME_LBA_OUT_OF_RANGE;
	for (unsigned i = 0; i < ranges && command->cdw11 & 4; i++) { /* AD */
		memset(ns->medium + range[i].first * ns->lba_size, 0, (uint64_t)range[i].count * ns->lba_size);
		ns->deallocated += range[i].count;
	}
	return 0;
}

static void copy_metadata(struct namespace *ns, const struct nvme_command *command, uint8_t *metadata, bool to_host)
{
	size_t bytes = (size_t)lba_count(command) * ns->metadata_size;
	uint8_t *own;

	if (!ns->metadata_size)
		return;
	own = ns->metadata + first_lba(command) * ns->metadata_size;
	memcpy(to_host ? metadata : own, to_host ? own : metadata, bytes);
}

uint16_t namespace_do(struct namespace *ns, const struct nvme_command *command, uint8_t *data, uint8_t *metadata)
{
	/* Where no blocks are named these are not used. */
	uint8_t *own = ns->medium + first_lba(command) % ns->blocks * ns->lba_size;
	size_t bytes = (size_t)lba_count(command) * ns->lba_size;

	switch (command->opcode) {
	case FLUSH:
		ns->flushes++;
		return 0;
	case WRITE:
		memcpy(own, data, bytes);
		copy_metadata(ns, command, metadata, false);
		return 0;
	case READ:
		memcpy(data, own, bytes);
		copy_metadata(ns, command, metadata, true);
		return 0;
	case COMPARE:
		return memcmp(own, data, bytes) ? NVME_COMPARE_FAILURE : 0;
	case WRITE_ZEROES:
		memset(own, 0, bytes);
		return 0;
	case WRITE_UNCORRECTABLE:
		ns->bad_lba = first_lba(command);
		return 0;
	case DATASET_MANAGEMENT:
		return deallocate(ns, command, data);
	default:
		return 0;
	}
}

void namespace_erase(struct namespace *ns)
{
	memset(ns->medium, 0, ns->blocks * ns->lba_size);
}
