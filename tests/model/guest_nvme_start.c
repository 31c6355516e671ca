/* SPDX-License-Identifier: Apache-2.0 */
/* How the driver brings a controller up: NVM Express 1.4, section 7.6.1. */
#include "tests/model/guest_nvme.h"
#include <string.h>

#define PAGE	     4096u
#define PATIENCE     200 /* looks at RDY before giving up */
#define OFFERED_BYTE 257 /* of Identify Controller: OACS bit 8, Doorbell Buffer Config */

enum {
	DELETE_SQ = 0x00,
	CREATE_SQ = 0x01,
	DELETE_CQ = 0x04,
	CREATE_CQ = 0x05,
	IDENTIFY = 0x06,
	SET_FEATURES = 0x09,
	DOORBELL_BUFFER = 0x7c,
};

static uint16_t create(struct driver *d, uint8_t opcode, unsigned number, struct driver_queue *queue, uint32_t cdw11)
{
	struct nvme_command command = {.opcode = opcode,
		.prp1 = queue->list ? queue->list : queue->memory,
		.cdw10 = number | (queue->entries - 1) << 16,
		.cdw11 = cdw11 | !queue->list};
	uint16_t status = driver_do(d, 0, &command, NULL);

	queue->made = queue->made || !status;
	return status;
}

static uint16_t delete(struct driver *d, uint8_t opcode, unsigned number, struct driver_queue *queue)
{
	struct nvme_command command = {.opcode = opcode, .cdw10 = number};
	uint16_t status = driver_do(d, 0, &command, NULL);

	queue->made = queue->made && status;
	return status;
}

static void clear(struct driver *d, const struct driver_queue *queue, uint32_t bytes)
{
	const uint64_t *list = queue->list ? nvme_machine_pointer(d->m, queue->list) : NULL;

	for (uint32_t at = 0; at < bytes; at += PAGE)
		memset(nvme_machine_pointer(d->m, list ? list[at / PAGE] : queue->memory + at), 0,
			bytes - at < PAGE ? bytes - at : PAGE);
}

static void clear_doorbell(struct driver *d, unsigned queue, bool completion)
{
	unsigned index = driver_doorbell(d, queue, completion);

	((uint32_t *)nvme_machine_pointer(d->m, d->doorbells))[index] = 0;
	((uint32_t *)nvme_machine_pointer(d->m, d->events))[index] = 0;
}

static void clear_cq(struct driver *d, unsigned queue)
{
	struct driver_queue *cq = &d->cq[queue];

	clear(d, cq, cq->entries * (uint32_t)sizeof(struct nvme_completion));
	clear_doorbell(d, queue, true);
	cq->head = 0;
	cq->phase = true;
}

static void clear_sq(struct driver *d, unsigned queue)
{
	clear_doorbell(d, queue, false);
	d->sq[queue].tail = d->sq[queue].rung = d->sq[queue].freed = 0;
}

uint16_t driver_create_cq(struct driver *d, unsigned queue)
{
	struct driver_queue *cq = &d->cq[queue];

	clear_cq(d, queue);
	return create(d, CREATE_CQ, queue, cq, (cq->polled ? 0 : 2) | (uint32_t)cq->vector << 16);
}

uint16_t driver_create_sq(struct driver *d, unsigned queue)
{
	clear_sq(d, queue);
	return create(d, CREATE_SQ, queue, &d->sq[queue], (uint32_t)d->sq[queue].completion << 16);
}

uint16_t driver_delete_sq(struct driver *d, unsigned queue)
{
	return delete(d, DELETE_SQ, queue, &d->sq[queue]);
}

uint16_t driver_delete_cq(struct driver *d, unsigned queue)
{
	return delete(d, DELETE_CQ, queue, &d->cq[queue]);
}

static bool wait_ready(struct driver *d, bool ready)
{
	for (int i = 0; i < PATIENCE; i++)
		if ((nvme_machine_read(d->m, 0, NVME_CSTS, 4) & NVME_CSTS_RDY) == ready)
			return true;
	return false;
}

bool driver_enable(struct driver *d, bool enable)
{
	if (!enable) {
		memset(d->request, 0, sizeof(d->request));
		d->in_memory = false;
	}
	nvme_machine_write(d->m, 0, NVME_CC, 4, 6u << 16 | 4u << 20 | (enable ? NVME_CC_EN : 0));
	return wait_ready(d, enable);
}

/* The namespaces, then the controller. */
static bool identify(struct driver *d)
{
	struct nvme_command command = {.opcode = IDENTIFY, .prp1 = d->page};

	for (command.nsid = 1; command.nsid <= NVME_MACHINE_NAMESPACES; command.nsid++)
		if (driver_do(d, 0, &command, NULL))
			return false;
	command.nsid = 0;
	command.cdw10 = 1;
	if (driver_do(d, 0, &command, NULL))
		return false;
	memcpy(d->controller, nvme_machine_pointer(d->m, d->page), sizeof(d->controller));
	return true;
}

static bool set_queues(struct driver *d)
{
	struct nvme_command command = {.opcode = SET_FEATURES, .cdw10 = 7, .cdw11 = (d->queues - 1) * 0x10001u};
	uint32_t result = 0;

	return !driver_do(d, 0, &command, &result) && (result & 0xffff) + 1 >= d->queues &&
	       (result >> 16) + 1 >= d->completion;
}

static bool configure_doorbells(struct driver *d)
{
	struct nvme_command command = {.opcode = DOORBELL_BUFFER, .prp1 = d->doorbells, .prp2 = d->events};

	if (!(d->controller[OFFERED_BYTE] & 1))
		return true;
	d->in_memory = !driver_do(d, 0, &command, NULL);
	return d->in_memory;
}

static bool make_queues(struct driver *d)
{
	for (unsigned i = 1; i <= d->completion; i++)
		if (driver_create_cq(d, i))
			return false;
	for (unsigned i = 1; i <= d->queues; i++)
		if (driver_create_sq(d, i))
			return false;
	return true;
}

bool driver_begin(struct driver *d)
{
	if (!driver_enable(d, false))
		return false;
	d->stride = NVME_CAP_DSTRD(nvme_machine_read(d->m, 0, NVME_CAP, 8));
	for (unsigned i = 0; i < DRIVER_QUEUES; i++)
		d->sq[i].made = d->cq[i].made = !i;
	memset(nvme_machine_pointer(d->m, d->doorbells), 0, PAGE);
	memset(nvme_machine_pointer(d->m, d->events), 0, PAGE);
	clear_cq(d, 0);
	clear_sq(d, 0);
	nvme_machine_write(d->m, 0, NVME_AQA, 4, (d->cq[0].entries - 1) << 16 | (d->sq[0].entries - 1));
	nvme_machine_write(d->m, 0, NVME_ASQ, 8, d->sq[0].memory);
	nvme_machine_write(d->m, 0, NVME_ACQ, 8, d->cq[0].memory);
	return driver_enable(d, true) && identify(d) && set_queues(d) &&
	       (d->options.doorbells != DRIVER_MEMORY_FIRST || configure_doorbells(d)) && make_queues(d) &&
	       (d->options.doorbells != DRIVER_MEMORY || configure_doorbells(d));
}

/* The pages of a list stand in falling order, with one between them. */
static void take_memory(struct driver *d, struct driver_queue *queue, uint32_t entries, uint32_t size, bool lists)
{
	uint32_t pages = (entries * size + PAGE - 1) / PAGE;
	uint64_t *list;

	queue->entries = entries;
	queue->memory = nvme_machine_ram(d->m, (lists ? 2ull : 1ull) * pages * PAGE, PAGE);
	if (!lists)
		return;
	queue->list = nvme_machine_ram(d->m, PAGE, PAGE);
	list = nvme_machine_pointer(d->m, queue->list);
	for (uint32_t i = 0; i < pages; i++)
		list[i] = queue->memory + 2ull * (pages - 1 - i) * PAGE;
}

static void plan_queues(struct driver *d)
{
	const struct driver_options *o = &d->options;
	uint32_t entries = o->entries ? o->entries : 64, admin = o->admin_entries ? o->admin_entries : 32;

	take_memory(d, &d->sq[0], admin, sizeof(struct nvme_command), false);
	take_memory(d, &d->cq[0], admin, sizeof(struct nvme_completion), false);
	for (unsigned i = 1; i <= d->queues; i++) {
		take_memory(d, &d->sq[i], entries, sizeof(struct nvme_command), o->lists);
		d->sq[i].completion = (uint16_t)(1 + (i - 1) % d->completion);
	}
	for (unsigned i = 1; i <= d->completion; i++) {
		take_memory(d, &d->cq[i], o->completion_entries ? o->completion_entries : entries,
			sizeof(struct nvme_completion), o->lists);
		d->cq[i].polled = o->polling;
		d->cq[i].vector = (uint16_t)(o->vectors ? 1 + (i - 1) % o->vectors : i);
		if (o->shared_with_admin || o->polling)
			d->cq[i].vector = 0;
	}
}

bool driver_start(struct driver *d, struct nvme_machine *m, const struct driver_options *options)
{
	memset(d, 0, sizeof(*d));
	d->m = m;
	d->options = *options;
	d->queues = options->queues ? options->queues : 2;
	d->completion = options->completion ? options->completion : d->queues;
	plan_queues(d);
	d->doorbells = nvme_machine_ram(m, PAGE, PAGE);
	d->events = nvme_machine_ram(m, PAGE, PAGE);
	d->page = nvme_machine_ram(m, PAGE, PAGE);
	d->list = nvme_machine_ram(m, 4 * PAGE, PAGE);
	m->handler = driver_handler;
	m->handler_context = d;
	return driver_begin(d);
}
