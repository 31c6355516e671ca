/* SPDX-License-Identifier: Apache-2.0 */
/* The controller's registers as the guest reads and writes them. NVM Express 1.4, sections 3.1 and 7.6. */
#include "storage/nvme/internal.h"

#define PATIENCE 10000000u /* looks at CSTS */

static bool stops(const struct nvme *nvme)
{
	for (uint32_t turn = 0; turn < PATIENCE; turn++)
		if (!(device_read(nvme, NVME_CSTS) & NVME_CSTS_RDY))
			return true;
	return false;
}

bool controller_stop(const struct nvme *nvme)
{
	uint32_t cc = device_read(nvme, NVME_CC);

	if (cc & NVME_CC_EN)
		device_write(nvme, NVME_CC, cc & ~NVME_CC_EN);
	return stops(nvme);
}

static void write_address(const struct nvme *nvme, uint32_t offset, const void *memory)
{
	uint64_t address = bus_address(nvme, memory);

	device_write(nvme, offset, (uint32_t)address);
	device_write(nvme, offset + 4, (uint32_t)(address >> 32));
}

/* Whether the guest asks for what there is; its admin queues are looked at as well. */
static bool may_enable(struct nvme *nvme, uint32_t cc)
{
	if (NVME_CC_CSS(cc) || NVME_CC_MPS(cc) || device_read(nvme, NVME_CSTS) & NVME_CSTS_RDY)
		return false;
	if (!NVME_AQA_ASQS(nvme->aqa) || !NVME_AQA_ACQS(nvme->aqa))
		return false;
	return !ring_map(nvme, &nvme->sq[0].ring, nvme->asq, NVME_AQA_ASQS(nvme->aqa) + 1,
		       sizeof(struct nvme_command), true) &&
	       !ring_map(nvme, &nvme->cq[0].ring, nvme->acq, NVME_AQA_ACQS(nvme->aqa) + 1,
		       sizeof(struct nvme_completion), true);
}

static void enable(struct nvme *nvme, uint32_t cc)
{
	if (!may_enable(nvme, cc)) {
		if (nvme->failures++ < NVME_SAID_AT_MOST)
			log_info("nvme: the guest enables what cannot be: CC %x, AQA %x, ASQ %llx, ACQ %llx", cc, nvme->aqa,
				(unsigned long long)nvme->asq, (unsigned long long)nvme->acq);
		nvme->life = NVME_FAILED;
		return;
	}
	memset(nvme->cq[0].completions, 0, NVME_ADMIN_ENTRIES * sizeof(struct nvme_completion));
	cq_open(nvme, 0, NVME_ADMIN_ENTRIES);
	sq_open(nvme, 0, 0, NVME_ADMIN_ENTRIES);
	nvme->cq[0].interrupts = true;
	nvme->cq[0].vector = 0;
	nvme->life = NVME_STARTING;
	device_write(nvme, NVME_AQA, (NVME_ADMIN_ENTRIES - 1) << 16 | (NVME_ADMIN_ENTRIES - 1));
	write_address(nvme, NVME_ASQ, nvme->sq[0].commands);
	write_address(nvme, NVME_ACQ, nvme->cq[0].completions);
	device_write(nvme, NVME_CC, (cc & NVME_CC_KEPT) | NVME_CC_ENTRIES);
}

/* Of an enabled controller's CC a guest may change the shutdown notification alone: section 3.1.5. */
static void notify(const struct nvme *nvme, uint32_t cc)
{
	device_write(nvme, NVME_CC, (device_read(nvme, NVME_CC) & ~NVME_CC_SHUTDOWN) | (cc & NVME_CC_SHUTDOWN));
}

/* The device uses our memory until RDY is 0; nothing of it is given to anybody before. */
static void disable(struct nvme *nvme, uint32_t cc)
{
	nvme->life = NVME_DISABLED;
	device_write(nvme, NVME_CC, cc & NVME_CC_KEPT);
	nvme->shadow = nvme->events = NULL;
	queues_close(nvme);
}

static void write_cc(struct nvme *nvme, uint32_t cc)
{
	bool enabled;

	port_lock(&nvme->cq[0].lock);
	enabled = nvme->life == NVME_STARTING || nvme->life == NVME_ENABLED;
	nvme->cc = cc;
	if (nvme->life != NVME_DEAD) {
		if (!(cc & NVME_CC_EN))
			disable(nvme, cc);
		else if (enabled)
			notify(nvme, cc);
		else
			enable(nvme, cc);
	}
	port_unlock(&nvme->cq[0].lock);
}

/* A guest that sees RDY may ring. */
static uint32_t read_csts(struct nvme *nvme)
{
	uint32_t csts = device_read(nvme, NVME_CSTS);

	if (nvme->life == NVME_STARTING && csts & NVME_CSTS_RDY) {
		port_lock(&nvme->cq[0].lock);
		if (nvme->life == NVME_STARTING && device_read(nvme, NVME_CSTS) & NVME_CSTS_RDY)
			nvme->life = NVME_ENABLED;
		port_unlock(&nvme->cq[0].lock);
	}
	return csts | (nvme->life == NVME_FAILED ? NVME_CSTS_CFS : 0);
}

static uint32_t register_read(struct nvme *nvme, uint32_t offset)
{
	switch (offset) {
	case NVME_CAP:
		return (uint32_t)nvme->cap;
	case NVME_CAP + 4:
		return (uint32_t)(nvme->cap >> 32);
	case NVME_CC:
		return nvme->cc;
	case NVME_AQA:
		return nvme->aqa;
	case NVME_ASQ:
		return (uint32_t)nvme->asq;
	case NVME_ASQ + 4:
		return (uint32_t)(nvme->asq >> 32);
	case NVME_ACQ:
		return (uint32_t)nvme->acq;
	case NVME_ACQ + 4:
		return (uint32_t)(nvme->acq >> 32);
	case NVME_CSTS:
		return read_csts(nvme);
	case NVME_VS:
	case NVME_INTMS:
	case NVME_INTMC:
		return device_read(nvme, offset);
	}
	return 0;
}

static void set_half(uint64_t *address, bool high, uint32_t value)
{
	*address = high ? (*address & 0xffffffff) | (uint64_t)value << 32 : (*address & ~0xffffffffull) | value;
}

/* NSSR, the memory buffers and what is not defined: hidden, dropped. */
static void register_write(struct nvme *nvme, uint32_t offset, uint32_t value)
{
	switch (offset) {
	case NVME_CC:
		write_cc(nvme, value);
		break;
	case NVME_AQA:
		nvme->aqa = value & 0x0fff0fff;
		break;
	case NVME_ASQ:
	case NVME_ASQ + 4:
		set_half(&nvme->asq, offset != NVME_ASQ, value);
		break;
	case NVME_ACQ:
	case NVME_ACQ + 4:
		set_half(&nvme->acq, offset != NVME_ACQ, value);
		break;
	case NVME_INTMS:
	case NVME_INTMC:
		device_write(nvme, offset, value);
		break;
	}
}

uint64_t nvme_read(struct nvme *nvme, uint32_t offset, unsigned size)
{
	uint64_t value = 0;

	if (offset >= NVME_DOORBELLS || offset % size)
		return 0;
	value = register_read(nvme, offset & ~3u);
	if (size == 8)
		return value | (uint64_t)register_read(nvme, offset + 4) << 32;
	return value >> 8 * (offset & 3) & (size == 4 ? UINT32_MAX : (1ull << 8 * size) - 1);
}

void nvme_write(struct nvme *nvme, uint32_t offset, unsigned size, uint64_t value)
{
	if (size < 4 || offset % size)
		return;
	if (offset >= NVME_DOORBELLS) {
		if (size == 4 && offset < NVME_BAR_BYTES)
			doorbell(nvme, offset, (uint32_t)value);
		return;
	}
	register_write(nvme, offset, (uint32_t)value);
	if (size == 8)
		register_write(nvme, offset + 4, (uint32_t)(value >> 32));
}
