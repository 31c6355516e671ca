/* SPDX-License-Identifier: Apache-2.0 */
/* The registers of the model controller: NVM Express 1.4, section 3.1. */
#include "tests/model/nvme_controller.h"
#include <string.h>

#define VERSION	       0x00010400u
#define CSTS_SHST      0xcu
#define CSTS_SHST_BUSY 0x4u
#define CSTS_SHST_DONE 0x8u
#define CC_RESERVED    0xff00000eu
#define QUEUE_ADDRESS  (~0xfffull)

void controller_init(struct controller *c, struct bus *bus)
{
	memset(c, 0, sizeof(*c));
	c->bus = bus;
	/* 1024 entries, all arbitrations, pages of 4 to 64 KiB, and all that a mediator hides. */
	c->cap = 1023 | 3ull << 17 | 20ull << 24 | NVME_CAP_NSSRS | NVME_CAP_CSS | NVME_CAP_BPS | 4ull << 52 |
		 NVME_CAP_PMRS | NVME_CAP_CMBS;
	c->io_queues = CONTROLLER_QUEUES - 1;
	c->delay = 3;
	c->strict = true;
	c->feature[0x0b] = 0;
}

void controller_fault(struct controller *c, const char *what, unsigned queue, uint32_t value)
{
	if (c->strict)
		bus_fault(c->bus, "%s: queue %u, value %x", what, queue, value);
}

/* Whether it works on its queues and uses memory: from RDY to the end of RDY. */
bool controller_runs(const struct controller *c)
{
	return c->csts & NVME_CSTS_RDY && !(c->csts & NVME_CSTS_CFS) && !c->gone;
}

/* Everything that a controller reset forgets. AQA, ASQ and ACQ stay. */
void controller_forget(struct controller *c)
{
	memset(c->sq, 0, sizeof(c->sq));
	memset(c->cq, 0, sizeof(c->cq));
	memset(c->command, 0, sizeof(c->command));
	memset(c->feature, 0, sizeof(c->feature));
	memset(c->held, 0, sizeof(c->held));
	c->event_masked = 0;
	c->events = 0;
	c->intms = 0;
	c->csts = 0;
}

static void begin(struct controller *c)
{
	c->sq[0] = (struct controller_queue){
		.made = true, .contiguous = true, .entries = (c->aqa & 0xfff) + 1, .base = c->asq};
	c->cq[0] = (struct controller_queue){.made = true,
		.contiguous = true,
		.entries = (c->aqa >> 16 & 0xfff) + 1,
		.base = c->acq,
		.phase = true,
		.interrupts = true};
	c->csts |= NVME_CSTS_RDY;
}

/* What changes with time alone. Counted in register reads, so that a poller always gets on. */
static void settle(struct controller *c)
{
	if (c->stuck)
		return;
	if (c->shutdown_wait && !--c->shutdown_wait)
		c->csts = (c->csts & ~CSTS_SHST) | CSTS_SHST_DONE;
	if (!c->ready_wait || --c->ready_wait)
		return;
	if (c->cc & NVME_CC_EN)
		begin(c);
	else
		controller_forget(c);
}

static uint32_t read_register(const struct controller *c, uint32_t offset)
{
	switch (offset) {
	case NVME_CAP:
		return (uint32_t)c->cap;
	case NVME_CAP + 4:
		return (uint32_t)(c->cap >> 32);
	case NVME_VS:
		return VERSION;
	case NVME_INTMS:
	case NVME_INTMC:
		return c->intms;
	case NVME_CC:
		return c->cc;
	case NVME_CSTS:
		return c->csts;
	case NVME_AQA:
		return c->aqa;
	case NVME_ASQ:
		return (uint32_t)c->asq;
	case NVME_ASQ + 4:
		return (uint32_t)(c->asq >> 32);
	case NVME_ACQ:
		return (uint32_t)c->acq;
	case NVME_ACQ + 4:
		return (uint32_t)(c->acq >> 32);
	case NVME_CMBLOC:
	case NVME_CMBLOC + 4:
	case NVME_BPINFO:
	case NVME_PMRCAP:
		return 0x1234567; /* what a guest must not see */
	default:
		return 0;
	}
}

uint32_t controller_read(struct controller *c, uint32_t offset)
{
	c->reads++;
	if (c->access)
		c->access(c->access_context, offset);
	if (c->gone)
		return UINT32_MAX;
	settle(c);
	return read_register(c, offset);
}

static void check_enable(struct controller *c, uint32_t value)
{
	if (c->csts & NVME_CSTS_RDY)
		controller_fault(c, "enabled before RDY was 0", 0, c->csts);
	if (NVME_CC_MPS(value) || NVME_CC_CSS(value))
		controller_fault(c, "enabled with pages or commands that were not offered", 0, value);
	if (NVME_CC_IOSQES(value) % 6 || NVME_CC_IOCQES(value) % 4 || value & CC_RESERVED)
		controller_fault(c, "enabled with entries that there are not", 0, value);
	if (!(c->aqa & 0xfff) || !(c->aqa >> 16 & 0xfff))
		controller_fault(c, "admin queues of one entry", 0, c->aqa);
	if (c->arena_queues && (bus_guest(c->bus, c->asq, 64) || bus_guest(c->bus, c->acq, 16)))
		controller_fault(c, "admin queues in guest memory", 0, (uint32_t)c->asq);
}

static void write_cc(struct controller *c, uint32_t value)
{
	uint32_t changed = c->cc ^ value;

	if (changed & value & NVME_CC_EN) {
		check_enable(c, value);
		controller_forget(c); /* where it was disabled before it was ready */
		c->ready_wait = c->delay + 1;
	} else if (changed & NVME_CC_EN) {
		c->ready_wait = c->delay + 1;
	} else if (c->cc & NVME_CC_EN && changed & 0x3ff0) {
		controller_fault(c, "CC changed while enabled", 0, value);
	}
	if (NVME_CC_SHN(value) && !NVME_CC_SHN(c->cc)) {
		c->csts = (c->csts & ~CSTS_SHST) | CSTS_SHST_BUSY;
		c->shutdown_wait = c->delay + 1;
	}
	c->cc = value;
}

static void write_half(struct controller *c, uint64_t *target, bool high, uint32_t value)
{
	unsigned shift = high ? 32 : 0;

	if (c->cc & NVME_CC_EN || c->csts & NVME_CSTS_RDY)
		controller_fault(c, "an admin queue moved while in use", 0, value);
	*target = ((*target & ~(0xffffffffull << shift)) | (uint64_t)value << shift) & QUEUE_ADDRESS;
}

void controller_write(struct controller *c, uint32_t offset, uint32_t value)
{
	c->writes++;
	if (c->access)
		c->access(c->access_context, offset);
	if (c->gone)
		return;
	switch (offset) {
	case NVME_INTMS:
		c->intms |= value;
		break;
	case NVME_INTMC:
		c->intms &= ~value;
		break;
	case NVME_CC:
		write_cc(c, value);
		break;
	case NVME_AQA:
		if (c->cc & NVME_CC_EN || c->csts & NVME_CSTS_RDY)
			controller_fault(c, "AQA changed while in use", 0, value);
		c->aqa = value;
		break;
	case NVME_ASQ:
	case NVME_ASQ + 4:
		write_half(c, &c->asq, offset & 4, value);
		break;
	case NVME_ACQ:
	case NVME_ACQ + 4:
		write_half(c, &c->acq, offset & 4, value);
		break;
	default:
		if (offset >= NVME_DOORBELLS)
			controller_ring(c, offset, value);
		else
			controller_fault(c, "a register that is hidden or read-only was written", 0, offset);
		break;
	}
}

void controller_fail(struct controller *c)
{
	c->csts |= NVME_CSTS_CFS;
}

bool controller_pin(const struct controller *c)
{
	if (c->msix || c->intms & 1 || c->gone || !(c->csts & NVME_CSTS_RDY))
		return false;
	for (unsigned i = 0; i < CONTROLLER_QUEUES; i++)
		if (c->cq[i].made && c->cq[i].interrupts && c->cq[i].head != c->cq[i].tail)
			return true;
	return false;
}
