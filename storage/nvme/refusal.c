/* SPDX-License-Identifier: Apache-2.0 */
/* Commands that are refused: what the device does in their place, and what the log says. */
#include "storage/nvme/internal.h"

#define GET_ARBITRATION 0x01

static const struct clause {
	uint16_t status;
	const char *text;
} clauses[] = {
	{NVME_INVALID_OPCODE, "it is hidden, or no command"},
	{NVME_INVALID_FIELD, "a field says what cannot be, or what is hidden"},
	{NVME_DATA_TRANSFER_ERROR, "its memory is not the guest's RAM"},
	{NVME_INVALID_NAMESPACE, "the namespace is not there, or was never identified"},
	{NVME_INVALID_PRP_OFFSET, "an address has an offset that it may not have"},
	{NVME_NAMESPACE_WRITE_PROTECTED, "the blocks are protected"},
	{NVME_LBA_OUT_OF_RANGE, "the blocks are beyond the end"},
	{NVME_COMPLETION_QUEUE_INVALID, "the completion queue is not there"},
	{NVME_INVALID_QUEUE_ID, "the queue is not there, is there already, or cannot be"},
	{NVME_INVALID_QUEUE_SIZE, "a queue cannot have as many entries, or of that size"},
	{NVME_EVENT_LIMIT_EXCEEDED, "there are as many event requests as the controller takes"},
	{NVME_INVALID_LOG_PAGE, "the log page is hidden, or none"},
	{NVME_INVALID_QUEUE_DELETION, "submission queues complete there"},
};

static const char *clause_of(uint16_t status)
{
	for (unsigned i = 0; i < sizeof(clauses) / sizeof(clauses[0]); i++)
		if (clauses[i].status == (status & (uint16_t)~NVME_DO_NOT_RETRY))
			return clauses[i].text;
	return "for no reason that has a name";
}

void prepare_refusal_since(struct nvme *nvme, struct nvme_sq *sq, struct nvme_slot *slot, uint16_t status,
	const char *why)
{
	if (sq->statistics.refused++ < NVME_SAID_AT_MOST)
		log_info("nvme: queue %u: command %x refused, status %x: %s", sq->id, slot->command.opcode, status >> 1, why);
	prepare_substitute(nvme, sq, slot, status);
}

void prepare_refusal(struct nvme *nvme, struct nvme_sq *sq, struct nvme_slot *slot, uint16_t status)
{
	prepare_refusal_since(nvme, sq, slot, status, clause_of(status));
}

/*
 * What stands in a refused command's place moves no data of the guest's and ends
 * well: one block into a page of ours, or a feature that every controller has. So
 * the device's own completion and interrupt bring the guest its status.
 */
void prepare_substitute(struct nvme *nvme, struct nvme_sq *sq, struct nvme_slot *slot, uint16_t status)
{
	memset(&slot->command, 0, sizeof(slot->command));
	slot->kind = NVME_SLOT_REFUSED;
	slot->status = status;
	slot->waited_for = true;
	if (sq->id) {
		slot->command.opcode = NVME_READ_OPCODE;
		slot->command.nsid = nvme->some_namespace;
		slot->command.prp1 = bus_address(nvme, nvme->junk);
	} else {
		slot->command.opcode = NVME_GET_FEATURES;
		slot->command.cdw10 = GET_ARBITRATION;
	}
}
