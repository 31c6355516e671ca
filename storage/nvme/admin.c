/* SPDX-License-Identifier: Apache-2.0 */
/* Admin commands: checked, made into the device's, and what their end means. */
#include "storage/nvme/internal.h"

#define FEATURE_POWER_STATES 0x0c
#define FEATURE_TIMESTAMP    0x0e
#define FEATURE_QUEUES       0x07
#define CNS_NAMESPACE        0x00
#define CNS_CONTROLLER       0x01
#define AERL                 259 /* of Identify Controller */
#define NOT_ABORTED          1u
#define LOG_DWORDS(c)        ((uint64_t)(((c)->cdw10 >> 16 | (c)->cdw11 << 16)) + 1)

/* Bytes that a feature moves (section 5.21.1); the others are all in CDW11, or in the completion. */
static uint32_t feature_bytes(uint32_t cdw10)
{
	switch (cdw10 & 0xff) {
	case FEATURE_POWER_STATES:
		return 256;
	case FEATURE_TIMESTAMP:
		return 8;
	}
	return 0;
}

/*
 * Data goes by a page of ours, of which the guest gets, or has given, `bytes`: so a
 * controller that moves more than we know of does it there.
 */
static bool by_our_page(struct nvme *nvme, struct nvme_sq *sq, struct nvme_slot *slot, uint32_t bytes, bool to_device)
{
	const struct nvme_memory memory = {nvme->env->context, nvme->env->guest_ram};
	struct nvme_pages pages;
	struct nvme_buffer buffer;
	uint16_t status = bytes ? nvme_prp_read(&memory, &slot->command, bytes, &pages) : 0;

	if (status) {
		prepare_refusal(nvme, sq, slot, status | NVME_DO_NOT_RETRY);
		return true;
	}
	slot->pages = pages_take(&sq->pool, 1);
	if (slot->pages == NVME_NO_PAGE)
		return false;
	memset(pages_at(&sq->pool, slot->pages), 0, NVME_PAGE_BYTES);
	slot->kind = NVME_SLOT_COPY;
	slot->bytes = to_device ? 0 : bytes;
	slot->prp1 = slot->command.prp1;
	slot->prp2 = slot->command.prp2;
	slot->command.prp1 = bus_address(nvme, pages_at(&sq->pool, slot->pages));
	slot->command.prp2 = 0;
	if (bytes && to_device) {
		buffer_of_pages(nvme, &pages, &buffer);
		buffer_copy_in(&buffer, pages_at(&sq->pool, slot->pages), bytes);
	}
	return true;
}

static bool accept_data(struct nvme *nvme, struct nvme_sq *sq, struct nvme_slot *slot)
{
	const struct nvme_memory memory = {nvme->env->context, nvme->env->guest_ram};
	struct nvme_command *command = &slot->command;
	struct nvme_pages pages;
	uint64_t bytes = NVME_PAGE_BYTES;
	uint16_t status;

	if (command->opcode == NVME_SET_FEATURES || command->opcode == NVME_GET_FEATURES)
		return by_our_page(nvme, sq, slot, feature_bytes(command->cdw10), command->opcode == NVME_SET_FEATURES);
	if (command->opcode == NVME_GET_LOG_PAGE)
		bytes = LOG_DWORDS(command) * 4;
	status = bytes > NVME_MAX_BYTES ? NVME_INVALID_FIELD : nvme_prp_read(&memory, command, (uint32_t)bytes, &pages);
	if (status)
		prepare_refusal(nvme, sq, slot, status | NVME_DO_NOT_RETRY);
	return status || prps_of_guest(nvme, sq, slot, &pages);
}

static bool accept_identify(struct nvme *nvme, struct nvme_sq *sq, struct nvme_slot *slot)
{
	if (!by_our_page(nvme, sq, slot, NVME_PAGE_BYTES, false))
		return false;
	if (slot->kind == NVME_SLOT_COPY)
		slot->kind = NVME_SLOT_IDENTIFY;
	return true;
}

/*
 * Doorbell Buffer Config is ours to carry out: the device would look at the guest's
 * doorbells. One page each for doorbells and event indexes.
 */
static void accept_doorbells(struct nvme *nvme, struct nvme_sq *sq, struct nvme_slot *slot)
{
	uint64_t shadow = slot->command.prp1, events = slot->command.prp2;
	uint16_t status = 0;

	if (shadow % NVME_PAGE_BYTES || events % NVME_PAGE_BYTES || shadow == events)
		status = NVME_INVALID_FIELD | NVME_DO_NOT_RETRY;
	else if (!guest_memory(nvme, shadow, NVME_PAGE_BYTES) || !guest_memory(nvme, events, NVME_PAGE_BYTES))
		status = NVME_DATA_TRANSFER_ERROR | NVME_DO_NOT_RETRY;
	if (status) {
		prepare_refusal(nvme, sq, slot, status);
		return;
	}
	prepare_substitute(nvme, sq, slot, 0);
	__atomic_store_n(&nvme->events, (uint32_t *)guest_memory(nvme, events, NVME_PAGE_BYTES), __ATOMIC_SEQ_CST);
	__atomic_store_n(&nvme->shadow, (uint32_t *)guest_memory(nvme, shadow, NVME_PAGE_BYTES), __ATOMIC_SEQ_CST);
}

/* The command is one that the guest knows by its own identifier; one that we do not have is not aborted. */
static void accept_abort(struct nvme *nvme, struct nvme_sq *sq, struct nvme_slot *slot)
{
	uint16_t queue = (uint16_t)slot->command.cdw10, cid = (uint16_t)(slot->command.cdw10 >> 16);
	uint16_t number = queue <= nvme->io_queues ? slot_hold(nvme, queue, cid) : NVME_NO_SLOT;

	if (number == NVME_NO_SLOT) {
		prepare_substitute(nvme, sq, slot, 0);
		slot->result = NOT_ABORTED;
		return;
	}
	slot->kind = NVME_SLOT_ABORT;
	slot->command.cdw10 = (uint32_t)number << 16 | queue;
	slot->command.prp1 = slot->command.prp2 = 0;
}

/* One more than the device takes is answered by it at once, when nobody watches: so it is refused here. */
static void accept_event(struct nvme *nvme, struct nvme_sq *sq, struct nvme_slot *slot)
{
	if (nvme->cq[0].events >= nvme->most_events) {
		prepare_refusal(nvme, sq, slot, NVME_EVENT_LIMIT_EXCEEDED | NVME_DO_NOT_RETRY);
		return;
	}
	slot->kind = NVME_SLOT_EVENT;
	slot->waited_for = false;
	slot->command.prp1 = slot->command.prp2 = 0;
}

/* Number of Queues: 65535, less 1, is not a number of queues (section 5.21.1.7). */
static void accept_queues(struct nvme *nvme, struct nvme_sq *sq, struct nvme_slot *slot)
{
	uint32_t number = slot->command.cdw11;

	if ((number & 0xffff) == 0xffff || number >> 16 == 0xffff) {
		prepare_refusal(nvme, sq, slot, NVME_INVALID_FIELD | NVME_DO_NOT_RETRY);
		return;
	}
	slot->kind = NVME_SLOT_QUEUES;
	slot->command.cdw11 = queues_at_most(nvme, number);
	slot->command.prp1 = slot->command.prp2 = 0;
}

bool admin_accept(struct nvme *nvme, struct nvme_sq *sq, struct nvme_slot *slot)
{
	uint16_t status;

	switch (nvme_admin_class(&slot->command, &status)) {
	case NVME_DATA:
		return accept_data(nvme, sq, slot);
	case NVME_IDENTIFY:
		return accept_identify(nvme, sq, slot);
	case NVME_QUEUE:
		queue_accept(nvme, sq, slot);
		return true;
	case NVME_ABORT:
		accept_abort(nvme, sq, slot);
		return true;
	case NVME_SHADOW:
		accept_doorbells(nvme, sq, slot);
		return true;
	case NVME_EVENT:
		accept_event(nvme, sq, slot);
		return true;
	case NVME_FEATURES:
		accept_queues(nvme, sq, slot);
		return true;
	case NVME_PASS:
		break;
	default:
		prepare_refusal(nvme, sq, slot, status);
		return true;
	}
	slot->command.prp1 = slot->command.prp2 = 0;
	return true;
}

/* What is read of a namespace is blocks of the size that its format has; with metadata it is not read at all. */
static void note_namespace(struct nvme *nvme, uint32_t nsid, const uint8_t *data)
{
	static const uint8_t nothing[8];
	const char *why;
	uint32_t block = nvme_namespace_lba_bytes(data, &why);

	/* An inactive one has no size. */
	if (nsid - 1 >= NVME_KNOWN_NAMESPACES || !memcmp(data, nothing, sizeof(nothing)))
		return;
	if (!block && nvme->block[nsid - 1] != NVME_NO_BLOCK)
		log_warning("nvme: namespace %u is not passed through: %s", nsid, why);
	nvme->block[nsid - 1] = block ? (uint16_t)block : NVME_NO_BLOCK;
}

static void adjust(struct nvme *nvme, const struct nvme_slot *slot, uint8_t *data)
{
	switch (slot->command.cdw10 & 0xff) {
	case CNS_CONTROLLER:
		nvme->most_events = data[AERL] + 1u;
		nvme_identify_controller_adjust(data);
		break;
	case CNS_NAMESPACE:
		note_namespace(nvme, slot->command.nsid, data);
		nvme_identify_namespace_adjust(data);
		break;
	}
}

/* The guest's PRPs are read again: what they are now must be its memory as well. */
static void copy_out(struct nvme *nvme, struct nvme_sq *sq, struct nvme_slot *slot)
{
	const struct nvme_memory memory = {nvme->env->context, nvme->env->guest_ram};
	struct nvme_command command = {.prp1 = slot->prp1, .prp2 = slot->prp2};
	struct nvme_buffer buffer;
	struct nvme_pages pages;

	if (!slot->bytes || nvme_prp_read(&memory, &command, slot->bytes, &pages))
		return;
	buffer_of_pages(nvme, &pages, &buffer);
	buffer_copy_out(&buffer, pages_at(&sq->pool, slot->pages), slot->bytes);
}

void admin_complete(struct nvme *nvme, struct nvme_slot *slot, struct nvme_completion *entry)
{
	bool good = !(entry->status >> 1);

	switch (slot->kind) {
	case NVME_SLOT_IDENTIFY:
		if (good)
			adjust(nvme, slot, pages_at(&nvme->sq[0].pool, slot->pages));
		copy_out(nvme, &nvme->sq[0], slot);
		break;
	case NVME_SLOT_COPY:
		if (good)
			copy_out(nvme, &nvme->sq[0], slot);
		if (good && slot->command.opcode == NVME_GET_FEATURES && (slot->command.cdw10 & 0xff) == FEATURE_QUEUES)
			entry->result = queues_at_most(nvme, entry->result);
		break;
	case NVME_SLOT_QUEUES:
		if (good)
			entry->result = queues_at_most(nvme, entry->result);
		break;
	case NVME_SLOT_ABORT:
		slot_release(nvme, (uint16_t)slot->command.cdw10, (uint16_t)(slot->command.cdw10 >> 16));
		break;
	case NVME_SLOT_CREATE:
	case NVME_SLOT_DELETE:
		queue_complete(nvme, slot, good);
		break;
	}
}
