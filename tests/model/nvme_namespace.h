/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A model NVMe namespace in memory (NVM Express 1.4, section 6): what a command of
 * the NVM command set does to its blocks, and which status it ends with. It knows
 * every command that a mediator must hide and does what it is told; those that
 * would destroy data, or work on ciphertext as if it were plaintext, are `dangerous`.
 */
#ifndef TESTS_MODEL_NVME_NAMESPACE_H
#define TESTS_MODEL_NVME_NAMESPACE_H

#include "storage/nvme/registers.h"
#include <stdbool.h>
#include <stdint.h>

/* More of enum nvme_status: what the model itself ends commands with. */
enum {
	NVME_UNRECOVERED_READ = 2 << 9 | 0x81 << 1,
	NVME_WRITE_FAULT = 2 << 9 | 0x80 << 1,
	NVME_COMPARE_FAILURE = 2 << 9 | 0x85 << 1,
};

enum namespace_direction { NAMESPACE_NO_DATA, NAMESPACE_TO_HOST, NAMESPACE_FROM_HOST };

/* What a command is going to move. */
struct namespace_plan {
	enum namespace_direction direction;
	uint32_t bytes;
	uint32_t metadata; /* bytes at MPTR */
};

struct namespace {
	uint32_t lba_size, metadata_size; /* bytes of a block, and of the metadata that go with it in a buffer of their own */
	uint64_t blocks;
	uint8_t *medium, *metadata;
	uint64_t bad_lba;   /* reading or writing it fails; UINT64_MAX for none */
	unsigned seen[256]; /* commands by opcode */
	unsigned dangerous, flushes;
	uint64_t deallocated; /* blocks */
};

/* Ends the program when there is no memory. */
void namespace_init(struct namespace *ns, uint32_t lba_size, uint32_t metadata_size, uint64_t blocks);
void namespace_free(struct namespace *ns);

/* Identify Namespace: formats of 512 and 4096 bytes, without and with metadata. */
void namespace_identify(const struct namespace *ns, uint8_t data[4096]);

/* Accepts a command: fills `plan`, returns 0 or a status. */
uint16_t namespace_accept(struct namespace *ns, const struct nvme_command *command, struct namespace_plan *plan);
/* Does it, with the data it gets or fills, as planned. */
uint16_t namespace_do(struct namespace *ns, const struct nvme_command *command, uint8_t *data, uint8_t *metadata);

/* Format NVM, Sanitize: nothing is left. */
void namespace_erase(struct namespace *ns);

#endif
