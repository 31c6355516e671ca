/* SPDX-License-Identifier: Apache-2.0 */
/* The admin commands of the model controller: NVM Express 1.4, section 5. */
#include "tests/model/nvme_controller.h"
#include <stdlib.h>
#include <string.h>

enum {
	DELETE_SQ = 0x00,
	CREATE_SQ = 0x01,
	GET_LOG_PAGE = 0x02,
	DELETE_CQ = 0x04,
	CREATE_CQ = 0x05,
	IDENTIFY = 0x06,
	ABORT = 0x08,
	SET_FEATURES = 0x09,
	GET_FEATURES = 0x0a,
	EVENT_REQUEST = 0x0c,
	SELF_TEST = 0x14,
	KEEP_ALIVE = 0x18,
	FORMAT = 0x80,
	SANITIZE = 0x84,
};

enum { NUMBER_OF_QUEUES = 0x07, HOST_MEMORY_BUFFER = 0x0d, POWER_TRANSITIONS = 0x0c, TIMESTAMP = 0x0e, HOST_ID = 0x81 };

#define PHYSICALLY_CONTIGUOUS 1u
#define INTERRUPTS_ENABLED    2u
#define MOST_LOG_BYTES	      (1u << 20)

/* Figure 247. Bits of features are all set: what a mediator must hide is there. */
void controller_identify(const struct controller *c, uint8_t data[4096])
{
	static const char serial[] = "MODEL0001           ", model[] = "Model NVMe controller                   ";
	static const struct {
		uint16_t offset, bytes;
		uint8_t value;
	} fill[] = {
		{76, 1, 0x0f}, {92, 4, 0xff}, {96, 4, 0xff}, {256, 2, 0xff}, {258, 1, 3}, {259, 1, CONTROLLER_EVENTS - 1},
		{260, 1, 0x17}, {261, 1, 0xff}, {262, 1, 63}, {264, 1, 1}, {265, 1, 1}, {272, 8, 1}, {312, 4, 0xff},
		{328, 4, 0xff}, {343, 1, 0xff}, {512, 1, 0x66}, {513, 1, 0x44}, {516, 1, CONTROLLER_NAMESPACES},
		{520, 2, 0xff}, {522, 2, 1}, {525, 1, 7}, {530, 1, 1}, {531, 1, 7}, {536, 4, 0xff},
	};

	memset(data, 0, 4096);
	data[0] = 0x36; /* VID, SSVID */
	data[1] = 0x1b;
	memcpy(data + 2, data, 2);
	memcpy(data + 4, serial, 20);
	memcpy(data + 24, model, 40);
	memcpy(data + 64, "1.0     ", 8);
	data[77] = c->mdts;
	data[81] = 1; /* VER: 1.4.0 */
	data[82] = 4;
	for (unsigned i = 0; i < sizeof(fill) / sizeof(fill[0]); i++)
		memset(data + fill[i].offset, fill[i].value, fill[i].bytes);
}

static uint16_t namespace_list(const struct controller *c, uint32_t after, uint8_t *data)
{
	unsigned count = 0;

	for (uint32_t i = 1; i <= CONTROLLER_NAMESPACES; i++)
		if (c->ns[i - 1] && i > after)
			memcpy(data + 4 * count++, &i, 4);
	return 0;
}

static uint16_t identify(struct controller *c, const struct nvme_command *command)
{
	struct namespace *ns = command->nsid - 1 < CONTROLLER_NAMESPACES ? c->ns[command->nsid - 1] : NULL;
	uint8_t data[4096] = {0};

	switch (command->cdw10 & 0xff) {
	case 0:
		if (command->nsid - 1 >= CONTROLLER_NAMESPACES)
			return NVME_INVALID_NAMESPACE | NVME_DO_NOT_RETRY;
		if (ns)
			namespace_identify(ns, data);
		break;
	case 1:
		controller_identify(c, data);
		break;
	case 2:
		namespace_list(c, command->nsid, data);
		break;
	case 3:
		if (!ns)
			return NVME_INVALID_NAMESPACE | NVME_DO_NOT_RETRY;
		data[0] = 1; /* EUI64 */
		data[1] = 8;
		memset(data + 4, 0x5a, 8);
		break;
	default:
		c->dangerous++;
		return NVME_INVALID_FIELD | NVME_DO_NOT_RETRY;
	}
	return controller_dma(c, command, data, sizeof(data), true);
}

static uint16_t check_queue(const struct controller *c, const struct nvme_command *command, const struct controller_queue *queue)
{
	unsigned number = command->cdw10 & 0xffff, entries = (command->cdw10 >> 16) + 1;

	if (!number || number > c->io_queues || queue[number].made)
		return NVME_INVALID_QUEUE_ID | NVME_DO_NOT_RETRY;
	if (entries < 2 || entries > NVME_CAP_MQES(c->cap) + 1)
		return NVME_INVALID_QUEUE_SIZE | NVME_DO_NOT_RETRY;
	if (!(command->cdw11 & PHYSICALLY_CONTIGUOUS) && c->cap & NVME_CAP_CQR)
		return NVME_INVALID_FIELD | NVME_DO_NOT_RETRY;
	return command->prp1 % 4096 ? NVME_INVALID_PRP_OFFSET | NVME_DO_NOT_RETRY : 0;
}

static struct controller_queue new_queue(const struct nvme_command *command)
{
	return (struct controller_queue){.made = true,
		.contiguous = command->cdw11 & PHYSICALLY_CONTIGUOUS,
		.entries = (command->cdw10 >> 16) + 1,
		.base = command->prp1};
}

static uint16_t create_cq(struct controller *c, const struct nvme_command *command)
{
	struct controller_queue *cq = &c->cq[(command->cdw10 & 0xffff) % CONTROLLER_QUEUES];
	uint16_t status = check_queue(c, command, c->cq);

	if (!status && command->cdw11 >> 16 >= CONTROLLER_VECTORS)
		status = NVME_INVALID_VECTOR | NVME_DO_NOT_RETRY;
	if (status)
		return status;
	if (NVME_CC_IOCQES(c->cc) != 4)
		controller_fault(c, "CC.IOCQES", command->cdw10, c->cc);
	*cq = new_queue(command);
	cq->phase = true;
	cq->interrupts = command->cdw11 & INTERRUPTS_ENABLED;
	cq->vector = (uint16_t)(command->cdw11 >> 16);
	return 0;
}

static uint16_t create_sq(struct controller *c, const struct nvme_command *command)
{
	struct controller_queue *sq = &c->sq[(command->cdw10 & 0xffff) % CONTROLLER_QUEUES];
	uint16_t status = check_queue(c, command, c->sq), cq = (uint16_t)(command->cdw11 >> 16);

	if (!status && (!cq || cq >= CONTROLLER_QUEUES || !c->cq[cq].made))
		status = NVME_COMPLETION_QUEUE_INVALID | NVME_DO_NOT_RETRY;
	if (status)
		return status;
	if (NVME_CC_IOSQES(c->cc) != 6)
		controller_fault(c, "CC.IOSQES", command->cdw10, c->cc);
	*sq = new_queue(command);
	sq->cq = cq;
	return 0;
}

static uint16_t delete_sq(struct controller *c, const struct nvme_command *command)
{
	unsigned number = command->cdw10 & 0xffff;

	if (!number || number >= CONTROLLER_QUEUES || !c->sq[number].made)
		return NVME_INVALID_QUEUE_ID | NVME_DO_NOT_RETRY;
	c->sq[number].made = false;
	/* Commands in flight end before this one does: with a completion or without. */
	for (unsigned i = 0; i < CONTROLLER_COMMANDS; i++) {
		struct controller_command *other = &c->command[i];

		if (other->stage == CONTROLLER_FREE || other->sq != number)
			continue;
		if (other->stage == CONTROLLER_FETCHED)
			other->status = NVME_QUEUE_DELETED;
		other->stage = CONTROLLER_MOVED;
		if (c->forget_deleted || !controller_post(c, i))
			other->stage = CONTROLLER_FREE;
	}
	return 0;
}

static uint16_t delete_cq(struct controller *c, const struct nvme_command *command)
{
	unsigned number = command->cdw10 & 0xffff;

	if (!number || number >= CONTROLLER_QUEUES || !c->cq[number].made)
		return NVME_INVALID_QUEUE_ID | NVME_DO_NOT_RETRY;
	for (unsigned i = 1; i < CONTROLLER_QUEUES; i++)
		if (c->sq[i].made && c->sq[i].cq == number)
			return NVME_INVALID_QUEUE_DELETION | NVME_DO_NOT_RETRY;
	c->cq[number].made = false;
	for (unsigned i = 0; i < CONTROLLER_COMMANDS; i++)
		if (c->command[i].stage != CONTROLLER_FREE && c->command[i].cq == number)
			c->command[i].stage = CONTROLLER_FREE;
	return 0;
}

static uint16_t get_log_page(struct controller *c, const struct nvme_command *command)
{
	static const uint8_t type_of_page[5] = {0xff, 0, 1, 0xff, 2};
	uint32_t bytes = ((command->cdw10 >> 16 | command->cdw11 << 16) + 1) * 4;
	uint8_t page = (uint8_t)command->cdw10, *data;
	uint16_t status;

	if (!bytes || bytes > MOST_LOG_BYTES || bytes > controller_most_bytes(c))
		return NVME_INVALID_FIELD | NVME_DO_NOT_RETRY;
	if ((page < 1 || page > 4) && page != 6 && page != 0x81) {
		c->dangerous++;
		return NVME_INVALID_LOG_PAGE | NVME_DO_NOT_RETRY;
	}
	data = malloc(bytes);
	memset(data, page, bytes);
	status = controller_dma(c, command, data, bytes, true);
	free(data);
	if (page < 5 && type_of_page[page] < 8 && !(command->cdw10 >> 15 & 1)) /* RAE */
		c->event_masked &= (uint8_t)~(1u << type_of_page[page]);
	return status;
}

static uint32_t feature_bytes(uint8_t feature)
{
	switch (feature) {
	case POWER_TRANSITIONS:
		return 256;
	case TIMESTAMP:
	case HOST_ID:
		return 8;
	default:
		return 0;
	}
}

static uint16_t set_features(struct controller *c, struct controller_command *place)
{
	const struct nvme_command *command = &place->command;
	uint8_t feature = (uint8_t)command->cdw10, data[256];

	if (feature == HOST_MEMORY_BUFFER || feature == HOST_ID || feature >= 0x82)
		c->dangerous++;
	if (feature == NUMBER_OF_QUEUES) {
		place->result = (c->io_queues - 1) * 0x10001u;
		return 0;
	}
	c->feature[feature] = command->cdw11;
	return feature_bytes(feature) ? controller_dma(c, command, data, feature_bytes(feature), false) : 0;
}

static uint16_t get_features(struct controller *c, struct controller_command *place)
{
	uint8_t feature = (uint8_t)place->command.cdw10, data[256];

	place->result = feature == NUMBER_OF_QUEUES ? (c->io_queues - 1) * 0x10001u : c->feature[feature];
	memset(data, feature, sizeof(data));
	return feature_bytes(feature) ? controller_dma(c, &place->command, data, feature_bytes(feature), true) : 0;
}

/* Bit 0 of the result: not aborted. A command that has moved its data is too far. */
static uint16_t abort_command(struct controller *c, struct controller_command *place)
{
	int index = controller_find(c, place->command.cdw10 & 0xffff, (uint16_t)(place->command.cdw10 >> 16));

	place->result = 1;
	if (index < 0 || &c->command[index] == place)
		return 0;
	if (c->command[index].stage == CONTROLLER_FETCHED || c->command[index].stage == CONTROLLER_EVENT) {
		c->command[index].stage = CONTROLLER_MOVED;
		c->command[index].status = NVME_COMMAND_ABORTED;
		place->result = 0;
	}
	return 0;
}

static uint16_t request_event(struct controller *c, struct controller_command *place)
{
	unsigned waiting = 0;

	for (unsigned i = 0; i < CONTROLLER_COMMANDS; i++)
		waiting += c->command[i].stage == CONTROLLER_EVENT;
	if (waiting == CONTROLLER_EVENTS)
		return NVME_EVENT_LIMIT | NVME_DO_NOT_RETRY;
	place->stage = CONTROLLER_EVENT;
	if (!c->events)
		return 0;
	place->stage = CONTROLLER_MOVED;
	place->result = c->event[0];
	c->events--;
	memmove(c->event, c->event + 1, c->events * sizeof(c->event[0]));
	return 0;
}

static uint16_t other(struct controller *c, const struct nvme_command *command)
{
	c->dangerous++;
	for (unsigned i = 0; i < CONTROLLER_NAMESPACES; i++)
		if (c->ns[i] && (command->opcode == FORMAT || command->opcode == SANITIZE))
			namespace_erase(c->ns[i]);
	return 0;
}

void controller_admin(struct controller *c, struct controller_command *place)
{
	static uint16_t (*const of_queues[])(struct controller *, const struct nvme_command *) = {
		[DELETE_SQ] = delete_sq,
		[CREATE_SQ] = create_sq,
		[GET_LOG_PAGE] = get_log_page,
		[DELETE_CQ] = delete_cq,
		[CREATE_CQ] = create_cq,
		[IDENTIFY] = identify,
	};
	static uint16_t (*const with_result[])(struct controller *, struct controller_command *) = {
		[ABORT] = abort_command,
		[SET_FEATURES] = set_features,
		[GET_FEATURES] = get_features,
		[EVENT_REQUEST] = request_event,
	};
	uint8_t opcode = place->command.opcode;

	c->seen[opcode]++;
	if (place->command.flags & (NVME_FLAGS_FUSE | NVME_FLAGS_PSDT))
		c->dangerous++;
	if (opcode < sizeof(of_queues) / sizeof(of_queues[0]) && of_queues[opcode])
		place->status = of_queues[opcode](c, &place->command);
	else if (opcode < sizeof(with_result) / sizeof(with_result[0]) && with_result[opcode])
		place->status = with_result[opcode](c, place);
	else if (opcode != SELF_TEST && opcode != KEEP_ALIVE)
		place->status = other(c, &place->command);
}
