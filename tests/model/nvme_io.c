/* SPDX-License-Identifier: Apache-2.0 */
/* How the model controller moves data: NVM Express 1.4, sections 4.3 and 6. */
#include "tests/model/nvme_controller.h"
#include <stdlib.h>
#include <string.h>

#define PAGE 4096u

uint32_t controller_most_bytes(const struct controller *c)
{
	return c->mdts ? PAGE << c->mdts : UINT32_MAX;
}

/* One page's part. */
static uint16_t move(struct controller *c, uint64_t address, uint8_t *data, uint32_t bytes, bool to_host)
{
	void *memory = bus_dma(c->bus, address, bytes);

	if (!memory)
		return NVME_DATA_TRANSFER_ERROR;
	memcpy(to_host ? memory : data, to_host ? data : memory, bytes);
	return 0;
}

/* The next entry of a list; goes on to the next page of it where the last entry of a page is not the last of all. */
static uint16_t next_entry(struct controller *c, uint64_t *list, uint32_t left, uint64_t *address)
{
	const uint64_t *memory = bus_dma(c->bus, *list, 8);

	if (memory && *list % PAGE == PAGE - 8 && left > PAGE) {
		*list = *memory;
		if (*list % PAGE)
			controller_fault(c, "a list inside a page", 0, (uint32_t)*list);
		memory = bus_dma(c->bus, *list, 8);
	}
	if (!memory)
		return NVME_DATA_TRANSFER_ERROR;
	*address = *memory;
	*list += 8;
	if (*address % PAGE)
		controller_fault(c, "an entry inside a page", 0, (uint32_t)*address);
	return *address % PAGE ? NVME_INVALID_PRP_OFFSET : 0;
}

uint16_t controller_dma(struct controller *c, const struct nvme_command *command, uint8_t *data, uint32_t bytes, bool to_host)
{
	uint32_t part = PAGE - command->prp1 % PAGE, left = bytes;
	uint64_t address = command->prp1, list = command->prp2;
	uint16_t status = 0;

	if (address % 4)
		controller_fault(c, "PRP1 of a byte offset", 0, (uint32_t)address);
	while (!status) {
		part = part < left ? part : left;
		status = move(c, address, data, part, to_host);
		data += part;
		left -= part;
		if (!left || status)
			return status;
		part = PAGE;
		if (left == bytes - (PAGE - command->prp1 % PAGE) && left <= PAGE)
			address = command->prp2;
		else
			status = next_entry(c, &list, left, &address);
	}
	return status;
}

static uint16_t transfer(struct controller *c, struct namespace *ns, const struct nvme_command *command,
	const struct namespace_plan *plan, uint8_t *data, uint8_t *metadata)
{
	uint16_t status = 0;

	if (plan->direction == NAMESPACE_FROM_HOST) {
		status = controller_dma(c, command, data, plan->bytes, false);
		if (!status && plan->metadata)
			status = move(c, command->metadata, metadata, plan->metadata, false);
	}
	if (!status)
		status = namespace_do(ns, command, data, metadata);
	if (plan->direction == NAMESPACE_TO_HOST && !status) {
		status = controller_dma(c, command, data, plan->bytes, true);
		if (!status && plan->metadata)
			status = move(c, command->metadata, metadata, plan->metadata, true);
	}
	return status;
}

void controller_io(struct controller *c, struct controller_command *place)
{
	const struct nvme_command *command = &place->command;
	struct namespace *ns = command->nsid - 1 < CONTROLLER_NAMESPACES ? c->ns[command->nsid - 1] : NULL;
	struct namespace_plan plan;
	uint8_t *data, *metadata;

	if (command->nsid == NVME_NSID_ALL && command->opcode == 0) { /* Flush of all */
		for (unsigned i = 0; i < CONTROLLER_NAMESPACES; i++)
			if (c->ns[i])
				c->ns[i]->flushes++;
		return;
	}
	place->status = ns ? namespace_accept(ns, command, &plan) : NVME_INVALID_NAMESPACE | NVME_DO_NOT_RETRY;
	if (!place->status && plan.bytes > controller_most_bytes(c))
		place->status = NVME_INVALID_FIELD | NVME_DO_NOT_RETRY;
	if (place->status)
		return;
	data = malloc(plan.bytes + plan.metadata + 1);
	metadata = data + plan.bytes;
	place->status = transfer(c, ns, command, &plan, data, metadata);
	free(data);
}
