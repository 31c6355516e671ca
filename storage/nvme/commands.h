/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which NVMe commands a guest may send to a controller with a protected namespace,
 * and how each is treated. A command that is not in the tables is refused with the
 * status that its specification names. NVM Express 1.4, sections 5 and 6. Pure.
 */
#ifndef STORAGE_NVME_COMMANDS_H
#define STORAGE_NVME_COMMANDS_H

#include "storage/nvme/registers.h"
#include <stdbool.h>

enum nvme_class {
	NVME_REFUSE,
	NVME_PASS,      /* goes to the controller as it is, and moves no data */
	NVME_DATA,      /* the same with data that is not of the medium: its PRPs are checked */
	NVME_READ,      /* data from the medium */
	NVME_WRITE,     /* data to the medium */
	NVME_TRIM,      /* ranges to deallocate, checked and passed or dropped by policy */
	NVME_IDENTIFY,  /* passes; what comes back is adjusted */
	NVME_QUEUE,     /* makes or deletes a queue: done with one of ours */
	NVME_ABORT,     /* names a command by its queue and id */
	NVME_EVENT,     /* asynchronous event request: it completes when it does */
	NVME_SHADOW,    /* where the guest's doorbells lie in its memory: ours to look at, not the controller's */
	NVME_FEATURES,  /* queues or memory of the guest's stand in it: looked at */
};

#define NVME_ANY (-1)

struct nvme_rule {
	uint8_t opcode;
	uint8_t class;  /* enum nvme_class */
	int16_t detail; /* the row is for this value of CDW10 bits 0-7 (log page, feature, structure) only, or NVME_ANY */
	const char *reason;
};

extern const struct nvme_rule nvme_admin_rules[], nvme_io_rules[];
extern const unsigned nvme_admin_rule_count, nvme_io_rule_count;

/*
 * The class of a command, and for NVME_REFUSE the status it gets (enum nvme_status).
 * Fused commands and scatter-gather lists are refused: the guest is told of neither.
 */
enum nvme_class nvme_admin_class(const struct nvme_command *command, uint16_t *status);
enum nvme_class nvme_io_class(const struct nvme_command *command, uint16_t *status);

/* Of a read or write: the first LBA, and how many (1 .. 65536). */
static inline uint64_t nvme_lba(const struct nvme_command *command)
{
	return command->cdw10 | (uint64_t)command->cdw11 << 32;
}

static inline uint32_t nvme_lbas(const struct nvme_command *command)
{
	return (command->cdw12 & 0xffff) + 1;
}

/*
 * What the guest is told, without what is refused: nothing that it hears of may
 * fail. CAP; the 4096 bytes of Identify Controller; those of Identify Namespace.
 */
uint64_t nvme_cap_adjust(uint64_t cap);
void nvme_identify_controller_adjust(uint8_t data[4096]);
void nvme_identify_namespace_adjust(uint8_t data[4096]);

/*
 * Whether a namespace can be protected, and its LBA in bytes; otherwise 0 and a
 * clause for a person in *why. `data` is Identify Namespace as the controller has it.
 */
uint32_t nvme_namespace_lba_bytes(const uint8_t data[4096], const char **why);

#endif
